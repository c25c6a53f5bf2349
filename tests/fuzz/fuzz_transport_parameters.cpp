// The transport parameters of a TLS extension. The first byte chooses whose they are.
//
// Whatever is accepted keeps every limit of RFC 9000 section 18.2, and is the same after it was
// encoded and decoded again; everything else is a TRANSPORT_PARAMETER_ERROR.
#include <vector>

#include "fuzz/fuzz_input.h"
#include "wire/frame.h"
#include "wire/transport_parameters.h"

namespace {

using namespace stoq;
using fuzz::require;

void check_limits(const wire::TransportParameters& p, Role sender) {
    require(p.max_udp_payload_size >= 1200);
    require(p.initial_max_streams_bidi <= wire::kMaxStreamCount);
    require(p.initial_max_streams_uni <= wire::kMaxStreamCount);
    require(p.ack_delay_exponent <= 20 && p.max_ack_delay_ms < (1u << 14));
    require(p.active_connection_id_limit >= 2);
    require(!p.preferred_address || !p.preferred_address->connection_id.empty());
    require(wire::milliseconds_parameter(p.max_idle_timeout_ms) >= Duration::zero());
    const bool server_only = p.original_destination_connection_id || p.retry_source_connection_id ||
                             p.stateless_reset_token || p.preferred_address;
    require(sender == Role::kServer || !server_only);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const fuzz::Input input(data, size);
    const Role sender = (input.choice & 1) != 0 ? Role::kServer : Role::kClient;
    const auto parameters = wire::decode_transport_parameters(input.rest, sender);
    if (!parameters) {
        require(parameters.error().code == TransportErrorCode::kTransportParameterError);
        require(parameters.error().reason != Reason::kNone);
        return 0;
    }
    check_limits(*parameters, sender);

    std::vector<std::uint8_t> bytes(512);
    ByteWriter writer(bytes);
    require(wire::encode_transport_parameters(writer, *parameters, sender));
    const auto again = wire::decode_transport_parameters(writer.written_bytes(), sender);
    require(again && *again == *parameters);
    return 0;
}
