// Transport parameters (RFC 9000 section 18), and those of RFC 9221, RFC 9287 and RFC 9368.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "stoq/error.h"
#include "stoq/types.h"
#include "wire/connection_id.h"

namespace stoq::wire {

struct PreferredAddress {
    Address ipv4;  // family kNone when not offered
    Address ipv6;
    ConnectionId connection_id;  // never empty; sequence number 1
    StatelessResetToken stateless_reset_token;

    friend bool operator==(const PreferredAddress&, const PreferredAddress&) = default;
};

// The contents of version_information (RFC 9368 section 3).
class VersionInformation {
public:
    // More available versions than this are read and checked, but not kept.
    static constexpr std::size_t kMaxAvailable = 16;

    std::uint32_t chosen = 0;  // never 0 on the wire

    // False when there is no place left.
    bool add_available(std::uint32_t version) {
        if (count_ == kMaxAvailable) return false;
        available_[count_++] = version;
        return true;
    }
    std::span<const std::uint32_t> available() const { return {available_.data(), count_}; }

    friend bool operator==(const VersionInformation&, const VersionInformation&) = default;

private:
    std::array<std::uint32_t, kMaxAvailable> available_{};  // 0 behind the last
    std::size_t count_ = 0;
};

// Parameters of extensions.
struct ExtensionParameters {
    std::optional<VersionInformation> version_information;  // RFC 9368
    std::uint64_t max_datagram_frame_size = 0;              // RFC 9221; 0: no DATAGRAM frames
    bool grease_quic_bit = false;                           // RFC 9287
    bool reset_stream_at = false;                           // draft-ietf-quic-reliable-stream-reset
    // draft-ietf-quic-ack-frequency, microseconds; absent: no ACK_FREQUENCY frames.
    std::optional<std::uint64_t> min_ack_delay_us;

    friend bool operator==(const ExtensionParameters&, const ExtensionParameters&) = default;
};

// Defaults are the values that apply when a parameter is absent.
struct TransportParameters : ExtensionParameters {
    std::optional<ConnectionId> original_destination_connection_id;  // server only
    std::optional<ConnectionId> initial_source_connection_id;
    std::optional<ConnectionId> retry_source_connection_id;    // server only
    std::optional<StatelessResetToken> stateless_reset_token;  // server only
    std::optional<PreferredAddress> preferred_address;         // server only
    std::uint64_t max_idle_timeout_ms = 0;                     // 0: none
    std::uint64_t max_udp_payload_size = 65527;                // 1200 or more
    std::uint64_t initial_max_data = 0;
    std::uint64_t initial_max_stream_data_bidi_local = 0;   // streams that the sender opens
    std::uint64_t initial_max_stream_data_bidi_remote = 0;  // streams that the receiver opens
    std::uint64_t initial_max_stream_data_uni = 0;
    std::uint64_t initial_max_streams_bidi = 0;    // at most 2^60
    std::uint64_t initial_max_streams_uni = 0;     // at most 2^60
    std::uint64_t ack_delay_exponent = 3;          // at most 20
    std::uint64_t max_ack_delay_ms = 25;           // below 2^14
    std::uint64_t active_connection_id_limit = 2;  // 2 or more
    bool disable_active_migration = false;

    friend bool operator==(const TransportParameters&, const TransportParameters&) = default;
};

// A parameter in milliseconds as a Duration. Parameters reach 2^62-1; about 35 years are as good.
constexpr Duration milliseconds_parameter(std::uint64_t value) {
    constexpr std::uint64_t kLimit = std::uint64_t{1} << 40;
    return std::chrono::milliseconds(value < kLimit ? value : kLimit);
}

// A parameter with an identifier of the form 31*N+27, which means nothing and must be ignored.
struct ReservedParameter {
    std::uint64_t id = 27;
    ByteView value;
};

constexpr std::uint64_t reserved_parameter_id(std::uint32_t random) {
    return 31 * std::uint64_t{random} + 27;
}

// Integers that equal their default are left out, and so are a client's server-only parameters.
// `reserved` may be null. False when the room is too small.
bool encode_transport_parameters(ByteWriter& writer, const TransportParameters& parameters,
                                 Role sender, const ReservedParameter* reserved = nullptr);

// Every error is a TRANSPORT_PARAMETER_ERROR. Whether connection IDs are present and match is for
// the connection to check (RFC 9000 section 7.3).
TransportResult<TransportParameters> decode_transport_parameters(ByteView bytes, Role sender);

}  // namespace stoq::wire
