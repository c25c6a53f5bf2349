#include "stoq/error.h"

#include <array>
#include <cstddef>

#include "base/drop_reason.h"

namespace stoq {
namespace {

constexpr auto kReasonTexts = std::to_array<std::string_view>({
    "",
    "a field reaches past the end",
    "a varint is not in its shortest form",
    "unknown frame type",
    "this frame is not allowed in this packet type",
    "a packet without frames",
    "reserved header bits are set",
    "a length field is wrong",
    "a connection ID has a length that is not allowed",
    "Retire Prior To is above the sequence number",
    "an ACK range goes below zero",
    "acknowledged a packet that was never sent",
    "a stream limit above 2^60",
    "a frame for a stream that was never opened",
    "a frame in the wrong direction of a stream",
    "data beyond offset 2^62-1",
    "the final size of a stream changed",
    "the error code of a reset changed",
    "data beyond the final size of a stream",
    "more data than the stream's limit",
    "more data than the connection's limit",
    "more streams than the limit",
    "too much handshake data out of order",
    "handshake data at the wrong encryption level",
    "a transport parameter appears twice",
    "a transport parameter has a value that is not allowed",
    "a required transport parameter is missing",
    "a transport parameter that this side must not send",
    "a connection ID does not match the handshake's",
    "a sequence number or connection ID was used twice",
    "more connection IDs than the limit",
    "retired a connection ID that was never issued",
    "retired the connection ID that the packet itself used",
    "an empty token",
    "this frame must not come from this side",
    "a key update before the previous one was confirmed",
    "a packet number that contradicts the key phase",
    "too many packets failed authentication",
    "too many packets under one key",
    "TLS alert",
    "the TLS handshake failed",
    "no common application protocol",
    "post-quantum security is required here, and the peer has nothing in common with that",
    "the peer requires stronger (post-quantum) security than is offered here",
    "the server heard only a part of the ClientHello: something on the path may drop the second of "
    "the two datagrams that post-quantum key exchange needs",
    "the version does not match what was negotiated",
    "too many frames are waiting for an answer",
    "an extension that was not negotiated",
    "a datagram longer than offered",
    "a delay of acknowledgements that is not allowed",
    "internal error",
});
static_assert(kReasonTexts.size() == static_cast<std::size_t>(Reason::kCount));

constexpr auto kDropTexts = std::to_array<std::string_view>({
    "none",
    "truncated",
    "fixed_bit_clear",
    "bad_connection_id_length",
    "unknown_version",
    "unknown_connection",
    "datagram_too_small",
    "keys_unavailable",
    "decryption_failed",
    "duplicate_packet",
    "unexpected_version_negotiation",
    "unexpected_retry",
    "bad_integrity_tag",
    "bad_token",
    "wrong_connection_id",
    "too_many_half_open",
    "too_many_connections",
    "peer_not_allowed",
    "unexpected_packet_type",
});
static_assert(kDropTexts.size() == static_cast<std::size_t>(DropReason::kCount));

constexpr auto kCodeNames = std::to_array<std::string_view>({
    "NO_ERROR",
    "INTERNAL_ERROR",
    "CONNECTION_REFUSED",
    "FLOW_CONTROL_ERROR",
    "STREAM_LIMIT_ERROR",
    "STREAM_STATE_ERROR",
    "FINAL_SIZE_ERROR",
    "FRAME_ENCODING_ERROR",
    "TRANSPORT_PARAMETER_ERROR",
    "CONNECTION_ID_LIMIT_ERROR",
    "PROTOCOL_VIOLATION",
    "INVALID_TOKEN",
    "APPLICATION_ERROR",
    "CRYPTO_BUFFER_EXCEEDED",
    "KEY_UPDATE_ERROR",
    "AEAD_LIMIT_REACHED",
    "NO_VIABLE_PATH",
    "VERSION_NEGOTIATION_ERROR",
});

}  // namespace

std::string_view to_string(Reason reason) {
    const auto index = static_cast<std::size_t>(reason);
    return index < kReasonTexts.size() ? kReasonTexts[index] : "unknown reason";
}

std::string_view to_string(DropReason reason) {
    const auto index = static_cast<std::size_t>(reason);
    return index < kDropTexts.size() ? kDropTexts[index] : "unknown";
}

std::string_view to_string(TransportErrorCode code) {
    const auto value = static_cast<std::size_t>(code);
    if (value < kCodeNames.size()) return kCodeNames[value];
    return value >= 0x100 && value <= 0x1ff ? "CRYPTO_ERROR" : "unknown transport error";
}

std::string_view to_string(ApiError error) {
    switch (error) {
        case ApiError::kUnknownConnection: return "no such connection";
        case ApiError::kUnknownStream: return "no such stream";
        case ApiError::kWrongDirection: return "the stream does not go in this direction";
        case ApiError::kStreamFinished: return "the stream is already finished";
        case ApiError::kStreamReset: return "the stream was reset";
        case ApiError::kStreamLimit: return "the peer allows no further stream yet";
        case ApiError::kClosed: return "the connection is closed";
        case ApiError::kInvalidArgument: return "an argument is outside its range";
        case ApiError::kTooManyConnections: return "the endpoint has reached its limit";
        case ApiError::kCredentials: return "no usable credentials";
        case ApiError::kNotReady: return "the handshake has not come that far";
        case ApiError::kNotSupported: return "the peer does not support it";
        case ApiError::kTooLarge: return "it does not fit into a packet";
        case ApiError::kWouldBlock: return "the queue is full";
    }
    return "unknown error";
}

}  // namespace stoq
