// What must be remembered of a frame that was sent, so that it can be acknowledged or sent again.
//
// Never the bytes: a retransmission re-reads them from whoever owns them (RFC 9000 section 13.3).
#pragma once

#include <cstdint>
#include <type_traits>

namespace stoq::wire {

enum class SentFrameKind : std::uint8_t {
    kNone,                // nothing to do when acknowledged or lost (PADDING, PING)
    kAck,                 // value: largest packet number acknowledged in it
    kCrypto,              // offset, length; level in `id`
    kStream,              // id, offset, length, fin
    kResetStream,         // id, value: reliable size, 0 without _AT
    kStopSending,         // id
    kMaxData,             // value
    kMaxStreamData,       // id, value
    kMaxStreams,          // id: 0 bidirectional, 1 unidirectional; value
    kDataBlocked,         // value
    kStreamDataBlocked,   // id, value
    kStreamsBlocked,      // id: as kMaxStreams; value
    kNewConnectionId,     // value: sequence number
    kRetireConnectionId,  // value: sequence number
    kNewToken,            // value: serial number of the token
    kHandshakeDone,
    kPathChallenge,  // value: the eight bytes
    kPathResponse,   // never sent again
    kMtuProbe,       // value: probed datagram size
    kDatagram,       // never sent again
    kAckFrequency,   // value: sequence number
};

// Without default values, so that an array of them costs nothing: create with `SentFrame{...}`.
struct SentFrame {
    SentFrameKind kind;
    bool fin;
    std::uint32_t length;
    std::uint64_t id;
    union {
        std::uint64_t offset;
        std::uint64_t value;
    };
};
static_assert(sizeof(SentFrame) == 24 && std::is_trivial_v<SentFrame>);

}  // namespace stoq::wire
