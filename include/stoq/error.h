// What can go wrong, as values. Errors are small and trivial; their text lives in tables.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace stoq {

// A value or an error that must be looked at: dropping one is a compile-time warning, which
// std::expected itself does not give on GCC 12.
template <typename T, typename E>
class [[nodiscard]] Result : public std::expected<T, E> {
public:
    using std::expected<T, E>::expected;
};

// Transport error codes of RFC 9000 section 20.1. 0x0100-0x01ff carry a TLS alert in the low byte.
enum class TransportErrorCode : std::uint16_t {
    kNoError = 0x00,
    kInternalError = 0x01,
    kConnectionRefused = 0x02,
    kFlowControlError = 0x03,
    kStreamLimitError = 0x04,
    kStreamStateError = 0x05,
    kFinalSizeError = 0x06,
    kFrameEncodingError = 0x07,
    kTransportParameterError = 0x08,
    kConnectionIdLimitError = 0x09,
    kProtocolViolation = 0x0a,
    kInvalidToken = 0x0b,
    kApplicationError = 0x0c,
    kCryptoBufferExceeded = 0x0d,
    kKeyUpdateError = 0x0e,
    kAeadLimitReached = 0x0f,
    kNoViablePath = 0x10,
    kVersionNegotiationError = 0x11,  // RFC 9368 section 8
    kCryptoErrorBase = 0x0100,
};

// A TLS alert as a transport error (RFC 9001 section 4.8).
constexpr TransportErrorCode crypto_error(std::uint8_t alert) {
    return static_cast<TransportErrorCode>(
        static_cast<std::uint16_t>(TransportErrorCode::kCryptoErrorBase) | alert);
}

// Which sentence explains a TransportError; the text is in src/base/error.cpp.
enum class Reason : std::uint8_t {
    kNone,
    kTruncated,
    kVarintNotMinimal,
    kUnknownFrame,
    kFrameNotAllowedHere,
    kEmptyPacket,
    kReservedBits,
    kBadLength,
    kBadConnectionIdLength,
    kBadRetirePriorTo,
    kBadAckRange,
    kAckOfUnsentPacket,
    kBadStreamLimit,
    kStreamNotOpen,
    kWrongDirection,
    kOffsetTooLarge,
    kFinalSizeChanged,
    kResetCodeChanged,
    kBeyondFinalSize,
    kStreamDataLimit,
    kConnectionDataLimit,
    kTooManyStreams,
    kCryptoBufferFull,
    kCryptoDataAtWrongLevel,
    kDuplicateParameter,
    kBadParameterValue,
    kMissingParameter,
    kForbiddenParameter,
    kConnectionIdMismatch,
    kConnectionIdReuse,
    kTooManyConnectionIds,
    kRetireUnknownConnectionId,
    kRetireInUseConnectionId,
    kEmptyToken,
    kUnexpectedForRole,
    kKeyUpdateTooEarly,
    kKeyPhaseReversed,
    kIntegrityLimit,
    kConfidentialityLimit,
    kTlsAlert,
    kTlsFailed,
    kNoApplicationProtocol,
    kPostQuantumRequired,  // here, and there was nothing in common with the peer
    kPeerRequiresMore,     // the peer's policy asks for security that was not offered here
    kClientHelloCutShort,  // the server heard only the first of its datagrams
    kVersionMismatch,
    kTooManyPendingFrames,
    kNotNegotiated,
    kDatagramTooLarge,
    kBadAckDelay,
    kInternal,
    kCount,
};

std::string_view to_string(Reason reason);
std::string_view to_string(TransportErrorCode code);

// The peer broke the protocol in an authenticated packet: the connection closes with this.
struct TransportError {
    TransportErrorCode code = TransportErrorCode::kNoError;
    Reason reason = Reason::kNone;
    // The frame type that caused it, 0 when none is to blame (RFC 9000 section 19.19). Wider types
    // than 32 bits are reported as 0.
    std::uint32_t frame_type = 0;

    friend constexpr bool operator==(const TransportError&, const TransportError&) = default;
};
static_assert(sizeof(TransportError) <= 8 && std::is_trivially_copyable_v<TransportError>);

// The application used a handle or a value that cannot be right. Nothing has changed.
enum class ApiError : std::uint8_t {
    kUnknownConnection,   // the handle names no live connection
    kUnknownStream,       // the stream was never opened, or is finished and forgotten
    kWrongDirection,      // reading from a send-only stream or writing to a receive-only one
    kStreamFinished,      // writing after finish() or reset()
    kStreamReset,         // the peer reset the stream, or asked us to stop sending
    kStreamLimit,         // the peer's stream limit is used up; wait for StreamsAvailable
    kClosed,              // the connection is closing or closed
    kInvalidArgument,     // a value outside its documented range
    kTooManyConnections,  // a limit of the endpoint is reached
    kCredentials,         // no usable certificate, key or trust anchor
    kNotReady,            // the handshake has not come far enough for this call
    kNotSupported,        // the peer has not offered the extension that this needs
    kTooLarge,            // longer than what the path, or the peer, takes in one packet
    kWouldBlock,          // the queue is full; an event tells when there is room
};

std::string_view to_string(ApiError error);

template <typename T>
using TransportResult = Result<T, TransportError>;
template <typename T>
using ApiResult = Result<T, ApiError>;
template <typename T>
using SystemResult = Result<T, std::error_code>;

}  // namespace stoq
