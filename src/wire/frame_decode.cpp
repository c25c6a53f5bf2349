#include "wire/frame_decode.h"

#include <utility>

#include "wire/frame_table.h"
#include "wire/varint.h"

namespace stoq::wire {
namespace {

// Reads fields one after the other; one that is cut off reads as zero and makes whole() false, so
// that a frame asks once, behind its last field.
class Fields {
public:
    explicit Fields(ByteReader& reader) : reader_(reader) {}

    bool whole() const { return whole_; }

    std::uint64_t varint() { return take(decode_varint(reader_)); }
    std::uint8_t byte() { return take(reader_.read<std::uint8_t>()); }
    std::uint64_t word() { return take(reader_.read<std::uint64_t>()); }
    ByteView bytes(std::uint64_t length) { return take(reader_.read_bytes(length)); }
    ByteView counted_bytes() { return bytes(varint()); }
    ByteView rest() { return bytes(reader_.remaining()); }
    StreamId stream_id() { return StreamId(varint()); }
    ByteReader& reader() { return reader_; }

private:
    template <typename T>
    T take(std::optional<T> field) {
        whole_ = whole_ && field.has_value();
        return field.value_or(T{});
    }

    ByteReader& reader_;
    bool whole_ = true;
};

// Puts `frame` into `out` unless a field was cut off.
template <typename F>
Reason accept(const Fields& fields, Frame& out, const F& frame) {
    if (!fields.whole()) [[unlikely]]
        return Reason::kTruncated;
    out.emplace<F>(frame);
    return Reason::kNone;
}

// The type byte itself was the first byte of the run.
Reason decode_padding(Fields& fields, Frame& out) {
    ByteReader& reader = fields.reader();
    const std::size_t start = reader.consumed();
    while (reader.remaining() >= 8 && load_big_endian<std::uint64_t>(reader.position()) == 0) {
        static_cast<void>(reader.read_bytes(8));
    }
    while (!reader.empty() && *reader.position() == 0) static_cast<void>(reader.read_bytes(1));
    return accept(fields, out, PaddingFrame{1 + reader.consumed() - start});
}

//= 9000-19.3-1
Reason decode_ack(Fields& fields, bool with_ecn, Frame& out) {
    const std::uint64_t largest = fields.varint();
    const std::uint64_t delay = fields.varint();
    const std::uint64_t more = fields.varint();
    if (!fields.whole()) return Reason::kTruncated;
    const auto ranges = AckRanges::decode(fields.reader(), largest, more);
    if (!ranges) return ranges.error();
    std::optional<EcnCounts> ecn;
    if (with_ecn) ecn = EcnCounts{fields.varint(), fields.varint(), fields.varint()};
    return accept(fields, out, AckFrame{PacketNumber(largest), delay, *ranges, ecn});
}

Reason decode_crypto(Fields& fields, Frame& out) {
    const std::uint64_t offset = fields.varint();
    const ByteView data = fields.counted_bytes();
    //= 9000-19.6-1
    if (offset + data.size() > kMaxVarint) return Reason::kOffsetTooLarge;
    return accept(fields, out, CryptoFrame{offset, data});
}

Reason decode_new_token(Fields& fields, Frame& out) {
    const ByteView token = fields.counted_bytes();
    //= 9000-19.7-2
    if (fields.whole() && token.empty()) return Reason::kEmptyToken;
    return accept(fields, out, NewTokenFrame{token});
}

inline Reason decode_stream(Fields& fields, std::uint64_t type, Frame& out) {
    const StreamId id = fields.stream_id();
    const std::uint64_t offset = (type & kStreamOffsetBit) != 0 ? fields.varint() : 0;
    const ByteView data = (type & kStreamLengthBit) != 0 ? fields.counted_bytes() : fields.rest();
    //= 9000-19.8-2
    if (offset + data.size() > kMaxVarint) return Reason::kOffsetTooLarge;
    return accept(fields, out, StreamFrame{id, offset, data, (type & kStreamFinBit) != 0});
}

Reason decode_reset_stream_at(Fields& fields, Frame& out) {
    const ResetStreamAtFrame frame{fields.stream_id(), fields.varint(), fields.varint(),
                                   fields.varint()};
    if (fields.whole() && frame.reliable_size > frame.final_size) return Reason::kBeyondFinalSize;
    return accept(fields, out, frame);
}

// MAX_STREAMS and STREAMS_BLOCKED: the low bit of the type tells the directionality.
template <typename F>
Reason decode_stream_count(Fields& fields, std::uint64_t type, Frame& out) {
    const std::uint64_t count = fields.varint();
    //= 9000-4.6-1
    //= 9000-19.11-1
    //= 9000-19.14-2
    if (count > kMaxStreamCount) return Reason::kBadStreamLimit;
    return accept(
        fields, out,
        F{(type & 1) == 0 ? Directionality::kBidirectional : Directionality::kUnidirectional,
          count});
}

Reason decode_new_connection_id(Fields& fields, Frame& out) {
    NewConnectionIdFrame frame;
    frame.sequence_number = fields.varint();
    frame.retire_prior_to = fields.varint();
    const std::uint8_t length = fields.byte();
    if (!fields.whole()) return Reason::kTruncated;
    //= 9000-19.15-6
    //= 9000-19.15-7
    if (frame.retire_prior_to > frame.sequence_number) return Reason::kBadRetirePriorTo;
    const auto id =
        length <= kMaxConnectionIdLength ? ConnectionId::from(fields.bytes(length)) : std::nullopt;
    //= 9000-19.15-1
    if (length == 0 || !id) return Reason::kBadConnectionIdLength;
    frame.connection_id = *id;
    const ByteView token = fields.bytes(kStatelessResetTokenLength);
    if (!fields.whole()) return Reason::kTruncated;
    frame.stateless_reset_token = *StatelessResetToken::from(token);
    return accept(fields, out, frame);
}

Reason decode_connection_close(Fields& fields, bool application, Frame& out) {
    ConnectionCloseFrame frame;
    frame.application = application;
    frame.error_code = fields.varint();
    if (!application) frame.frame_type = fields.varint();
    frame.reason = fields.counted_bytes();
    return accept(fields, out, frame);
}

// The first byte, before `fields`, was the type.
Reason decode_datagram(Fields& fields, bool with_length, Frame& out) {
    const std::size_t start = fields.reader().consumed();
    const ByteView data = with_length ? fields.counted_bytes() : fields.rest();
    return accept(fields, out, DatagramFrame{data, 1 + fields.reader().consumed() - start});
}

// Frames of one, two or three integers, read in their order on the wire (the braces guarantee it).
Reason decode_limit_frame(Fields& fields, std::uint64_t type, Frame& out) {
    switch (type) {
        case frame_type::kMaxData: return accept(fields, out, MaxDataFrame{fields.varint()});
        case frame_type::kMaxStreamData:
            return accept(fields, out, MaxStreamDataFrame{fields.stream_id(), fields.varint()});
        case frame_type::kDataBlocked:
            return accept(fields, out, DataBlockedFrame{fields.varint()});
        case frame_type::kStreamDataBlocked:
            return accept(fields, out, StreamDataBlockedFrame{fields.stream_id(), fields.varint()});
        case frame_type::kStreamsBlockedBidirectional:
        case frame_type::kStreamsBlockedUnidirectional:
            return decode_stream_count<StreamsBlockedFrame>(fields, type, out);
        default: return decode_stream_count<MaxStreamsFrame>(fields, type, out);
    }
}

// `type` is known and permitted here.
Reason decode_body(Fields& fields, std::uint64_t type, Frame& out) {
    switch (type) {
        case frame_type::kPadding: return decode_padding(fields, out);
        case frame_type::kPing: return accept(fields, out, PingFrame{});
        case frame_type::kAck: return decode_ack(fields, false, out);
        case frame_type::kAckEcn: return decode_ack(fields, true, out);
        case frame_type::kResetStream:
            return accept(fields, out,
                          ResetStreamFrame{fields.stream_id(), fields.varint(), fields.varint()});
        case frame_type::kResetStreamAt: return decode_reset_stream_at(fields, out);
        case frame_type::kStopSending:
            return accept(fields, out, StopSendingFrame{fields.stream_id(), fields.varint()});
        case frame_type::kCrypto: return decode_crypto(fields, out);
        case frame_type::kNewToken: return decode_new_token(fields, out);
        case frame_type::kNewConnectionId: return decode_new_connection_id(fields, out);
        case frame_type::kRetireConnectionId:
            return accept(fields, out, RetireConnectionIdFrame{fields.varint()});
        case frame_type::kPathChallenge:
            return accept(fields, out, PathChallengeFrame{fields.word()});
        case frame_type::kPathResponse:
            return accept(fields, out, PathResponseFrame{fields.word()});
        case frame_type::kConnectionClose: return decode_connection_close(fields, false, out);
        case frame_type::kConnectionCloseApplication:
            return decode_connection_close(fields, true, out);
        case frame_type::kHandshakeDone: return accept(fields, out, HandshakeDoneFrame{});
        case frame_type::kImmediateAck: return accept(fields, out, ImmediateAckFrame{});
        case frame_type::kAckFrequency:
            return accept(fields, out,
                          AckFrequencyFrame{fields.varint(), fields.varint(), fields.varint(),
                                            fields.varint()});
        case frame_type::kDatagram: return decode_datagram(fields, false, out);
        case frame_type::kDatagramWithLength: return decode_datagram(fields, true, out);
        default: return decode_limit_frame(fields, type, out);
    }
}

TransportError error_in(std::uint64_t type, TransportErrorCode code, Reason reason) {
    const bool narrow = type <= UINT32_MAX;
    return {.code = code,
            .reason = reason,
            .frame_type = narrow ? static_cast<std::uint32_t>(type) : 0};
}

// Reads the type; an error when it is not minimal, not known, or not permitted here.
TransportResult<std::uint64_t> decode_type(ByteReader& reader, PacketType packet) {
    const std::size_t start = reader.consumed();
    const auto type = decode_varint(reader);
    if (!type) {
        return std::unexpected(
            error_in(0, TransportErrorCode::kFrameEncodingError, Reason::kTruncated));
    }
    //= 9000-12.4-5
    //= 9000-12.4-6
    if (reader.consumed() - start != varint_length(*type)) {
        return std::unexpected(
            error_in(*type, TransportErrorCode::kProtocolViolation, Reason::kVarintNotMinimal));
    }
    const FrameRule* rule = find_frame_rule(*type);
    //= 9000-12.4-4
    if (rule == nullptr) {
        return std::unexpected(
            error_in(*type, TransportErrorCode::kFrameEncodingError, Reason::kUnknownFrame));
    }
    //= 9000-12.4-3
    //= 9000-17.2.4-2
    if (!rule->allowed_in(packet)) {
        return std::unexpected(
            error_in(*type, TransportErrorCode::kProtocolViolation, Reason::kFrameNotAllowedHere));
    }
    return *type;
}

// A known type of one byte, permitted here: true of every frame of RFC 9000 that is in its place.
bool has_plain_type(const ByteReader& reader, PacketType packet) {
    if (reader.empty() || *reader.position() >= detail::kDirectTypes) return false;
    const FrameRule* rule = find_frame_rule(*reader.position());
    return rule != nullptr && rule->allowed_in(packet);
}

}  // namespace

std::optional<StreamFrame> decode_filling_stream(ByteView payload) {
    constexpr std::uint64_t kType = frame_type::kStream | kStreamOffsetBit;
    if (payload.empty() || (payload[0] & ~kStreamFinBit) != kType) return std::nullopt;
    ByteReader reader(payload);
    Fields fields(reader);
    const bool fin = (fields.byte() & kStreamFinBit) != 0;
    const StreamId id = fields.stream_id();
    const std::uint64_t offset = fields.varint();
    const ByteView data = fields.rest();
    if (!fields.whole() || offset + data.size() > kMaxVarint) return std::nullopt;
    return StreamFrame{id, offset, data, fin};
}

TransportResult<Frame> decode_frame(ByteReader& reader, PacketType packet) {
    // Any small frame whose value is not known in advance: for a constant one, the compiler would
    // first zero every byte of the result.
    TransportResult<Frame> result(std::in_place, PaddingFrame{reader.remaining()});
    Fields fields(reader);
    std::uint64_t type = 0;
    if (has_plain_type(reader, packet)) [[likely]] {
        type = fields.byte();
    } else {
        const auto permitted = decode_type(reader, packet);
        if (!permitted) {
            result = std::unexpected(permitted.error());
            return result;
        }
        type = *permitted;
    }
    const bool is_stream = type >= frame_type::kStream && type <= frame_type::kStreamLast;
    const Reason reason =
        is_stream ? decode_stream(fields, type, *result) : decode_body(fields, type, *result);
    if (reason != Reason::kNone) [[unlikely]] {
        result = std::unexpected(error_in(type, TransportErrorCode::kFrameEncodingError, reason));
    }
    return result;
}

}  // namespace stoq::wire
