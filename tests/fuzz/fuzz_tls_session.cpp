// Bytes of CRYPTO streams into a TLS session, server or client, cut and levelled as the input says.
//
// Input: a byte that chooses the role (lowest bit), then records: level (1 byte), length (2 bytes),
// that many bytes. A record that reaches past the end takes what is there.
#include <algorithm>

#include "base/bytes.h"
#include "fuzz_input.h"
#include "support/tls_pair.h"

namespace {

using namespace stoq;

std::shared_ptr<const tls::Context> context_of(Role role) {
    static const auto contexts = [] {
        Credentials client = test::client_credentials();
        client.groups = "X25519";  // ten times faster than the hybrid
        return std::array{tls::Context::create(Role::kClient, client).value(),
                          tls::Context::create(Role::kServer, test::server_credentials()).value()};
    }();
    return contexts[role == Role::kClient ? 0 : 1];
}

test::TlsSide start(Role role) {
    test::TlsSide side;
    side.session = tls::Session::create(context_of(role), {.server_name = "localhost",
                                                           .local_transport_parameters =
                                                               test::TlsPair::kClientParameters,
                                                           .ticket = {},
                                                           .alpn = {}})
                       .value();
    return side;
}

EncryptionLevel level_of(std::uint8_t byte) {
    return static_cast<EncryptionLevel>(byte % kEncryptionLevelCount);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const fuzz::Input input(data, size);
    test::TlsSide side = start((input.choice & 1) == 0 ? Role::kServer : Role::kClient);
    ByteReader reader(input.rest);
    while (const auto level = reader.read<std::uint8_t>()) {
        const std::size_t wanted = reader.read<std::uint16_t>().value_or(0);
        const std::size_t length = std::min(wanted, reader.remaining());
        const bool readable = level_of(*level) == side.session->receive_level();
        side.receive(level_of(*level), *reader.read_bytes(length));
        fuzz::require(side.error || readable || length == 0);
        fuzz::require(!side.error || !side.session->has_pending());
    }
    // Nothing that a fuzzer can write proves possession of a key.
    fuzz::require(side.completions == 0);
    return 0;
}
