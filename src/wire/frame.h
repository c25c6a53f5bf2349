// Every frame of RFC 9000 section 19, and those of extensions, as a plain struct.
//
// Decoded frames borrow the packet they came in: views are valid as long as its bytes are. kType is
// the first of a frame's types, and names its row of frame_table.h.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "base/packet_number.h"
#include "stoq/types.h"
#include "wire/ack_ranges.h"
#include "wire/connection_id.h"
#include "wire/frame_table.h"

namespace stoq::wire {

// A run of PADDING frames: `length` bytes, at least 1.
struct PaddingFrame {
    static constexpr std::uint64_t kType = frame_type::kPadding;
    std::size_t length = 1;
};

struct PingFrame {
    static constexpr std::uint64_t kType = frame_type::kPing;
};

// Totals over the whole packet number space (section 19.3.2).
struct EcnCounts {
    std::uint64_t ect0 = 0;
    std::uint64_t ect1 = 0;
    std::uint64_t ce = 0;

    friend constexpr bool operator==(const EcnCounts&, const EcnCounts&) = default;
};

struct AckFrame {
    static constexpr std::uint64_t kType = frame_type::kAck;
    PacketNumber largest;
    std::uint64_t ack_delay = 0;  // as sent: microseconds divided by 2^ack_delay_exponent
    AckRanges ranges;
    std::optional<EcnCounts> ecn;
};

struct ResetStreamFrame {
    static constexpr std::uint64_t kType = frame_type::kResetStream;
    StreamId id;
    std::uint64_t error_code = 0;
    std::uint64_t final_size = 0;
};

// draft-ietf-quic-reliable-stream-reset: a reset that keeps the promise of the first bytes.
struct ResetStreamAtFrame {
    static constexpr std::uint64_t kType = frame_type::kResetStreamAt;
    StreamId id;
    std::uint64_t error_code = 0;
    std::uint64_t final_size = 0;
    std::uint64_t reliable_size = 0;  // bytes that are delivered nonetheless; at most final_size
};

struct StopSendingFrame {
    static constexpr std::uint64_t kType = frame_type::kStopSending;
    StreamId id;
    std::uint64_t error_code = 0;
};

struct CryptoFrame {
    static constexpr std::uint64_t kType = frame_type::kCrypto;
    std::uint64_t offset = 0;
    ByteView data;
};

struct NewTokenFrame {
    static constexpr std::uint64_t kType = frame_type::kNewToken;
    ByteView token;
};

struct StreamFrame {
    static constexpr std::uint64_t kType = frame_type::kStream;
    StreamId id;
    std::uint64_t offset = 0;  // offset + data.size() is at most 2^62-1
    ByteView data;
    bool fin = false;
};

struct MaxDataFrame {
    static constexpr std::uint64_t kType = frame_type::kMaxData;
    std::uint64_t maximum = 0;
};

struct MaxStreamDataFrame {
    static constexpr std::uint64_t kType = frame_type::kMaxStreamData;
    StreamId id;
    std::uint64_t maximum = 0;
};

struct MaxStreamsFrame {
    static constexpr std::uint64_t kType = frame_type::kMaxStreamsBidirectional;
    Directionality directionality = Directionality::kBidirectional;
    std::uint64_t maximum = 0;  // at most kMaxStreamCount
};

struct DataBlockedFrame {
    static constexpr std::uint64_t kType = frame_type::kDataBlocked;
    std::uint64_t limit = 0;
};

struct StreamDataBlockedFrame {
    static constexpr std::uint64_t kType = frame_type::kStreamDataBlocked;
    StreamId id;
    std::uint64_t limit = 0;
};

struct StreamsBlockedFrame {
    static constexpr std::uint64_t kType = frame_type::kStreamsBlockedBidirectional;
    Directionality directionality = Directionality::kBidirectional;
    std::uint64_t limit = 0;  // at most kMaxStreamCount
};

struct NewConnectionIdFrame {
    static constexpr std::uint64_t kType = frame_type::kNewConnectionId;
    std::uint64_t sequence_number = 0;
    std::uint64_t retire_prior_to = 0;  // at most sequence_number
    ConnectionId connection_id;         // never empty
    StatelessResetToken stateless_reset_token;
};

struct RetireConnectionIdFrame {
    static constexpr std::uint64_t kType = frame_type::kRetireConnectionId;
    std::uint64_t sequence_number = 0;
};

// The eight bytes of a path frame as one big-endian number.
struct PathChallengeFrame {
    static constexpr std::uint64_t kType = frame_type::kPathChallenge;
    std::uint64_t data = 0;
};

struct PathResponseFrame {
    static constexpr std::uint64_t kType = frame_type::kPathResponse;
    std::uint64_t data = 0;
};

struct ConnectionCloseFrame {
    static constexpr std::uint64_t kType = frame_type::kConnectionClose;
    bool application = false;  // type 0x1d; its error codes are the application's
    std::uint64_t error_code = 0;
    std::uint64_t frame_type = 0;  // 0 when unknown, and always when `application`
    ByteView reason;               // UTF-8 by convention only
};

struct HandshakeDoneFrame {
    static constexpr std::uint64_t kType = frame_type::kHandshakeDone;
};

// RFC 9221.
struct DatagramFrame {
    static constexpr std::uint64_t kType = frame_type::kDatagram;
    ByteView data;
    std::size_t encoded_size = 0;  // decoded frames: type, Length and data as they came
};

// draft-ietf-quic-ack-frequency: how the peer of the sender is to acknowledge.
struct AckFrequencyFrame {
    static constexpr std::uint64_t kType = frame_type::kAckFrequency;
    std::uint64_t sequence_number = 0;
    std::uint64_t ack_eliciting_threshold = 0;  // so many may wait for an ACK
    std::uint64_t requested_max_ack_delay = 0;  // microseconds
    std::uint64_t reordering_threshold = 0;     // packets; 0: no ACK because of disorder
};

struct ImmediateAckFrame {
    static constexpr std::uint64_t kType = frame_type::kImmediateAck;
};

using Frame =
    std::variant<PaddingFrame, PingFrame, AckFrame, ResetStreamFrame, StopSendingFrame, CryptoFrame,
                 NewTokenFrame, StreamFrame, MaxDataFrame, MaxStreamDataFrame, MaxStreamsFrame,
                 DataBlockedFrame, StreamDataBlockedFrame, StreamsBlockedFrame,
                 NewConnectionIdFrame, RetireConnectionIdFrame, PathChallengeFrame,
                 PathResponseFrame, ConnectionCloseFrame, HandshakeDoneFrame, DatagramFrame,
                 AckFrequencyFrame, ImmediateAckFrame, ResetStreamAtFrame>;

// Streams of one kind that a connection can ever have (section 4.6).
inline constexpr std::uint64_t kMaxStreamCount = std::uint64_t{1} << 60;

}  // namespace stoq::wire
