#include "wire/frame_encode.h"

#include <algorithm>

#include "wire/frame_table.h"
#include "wire/varint.h"

namespace stoq::wire {
namespace {

// All of the integers, then `tail`, or nothing.
template <typename... Values>
bool encode_with_tail(ByteWriter& writer, ByteView tail, Values... values) {
    const std::size_t start = writer.written();
    if ((encode_varint(writer, values) && ...) && writer.write_bytes(tail)) return true;
    writer.rewind(start);
    return false;
}

template <typename... Values>
bool encode_varints(ByteWriter& writer, Values... values) {
    return encode_with_tail(writer, ByteView(), values...);
}

bool encode_path_frame(ByteWriter& writer, std::uint64_t type, std::uint64_t data) {
    std::array<std::uint8_t, sizeof data> bytes{};
    store_big_endian(bytes.data(), data);
    return encode_with_tail(writer, bytes, type);
}

constexpr std::uint64_t directionality_bit(Directionality directionality) {
    return directionality == Directionality::kUnidirectional ? 1 : 0;
}

// How `room` bytes are shared between a Length field and the data it counts.
struct Split {
    std::size_t length_field = 0;
    std::size_t data = 0;
};

Split split_room(std::size_t room, std::uint64_t available) {
    const std::uint64_t most = std::min<std::uint64_t>(available, room);
    const std::size_t length_field = varint_length(most);
    if (length_field > room) return {length_field, 0};
    return {length_field,
            static_cast<std::size_t>(std::min<std::uint64_t>(available, room - length_field))};
}

// Gap and ACK Range Length of every range below `smallest`, highest first, while they fit and leave
// `reserve` bytes. Returns how many.
std::size_t encode_ack_pairs(ByteWriter& writer, std::span<const Interval> ascending,
                             std::uint64_t smallest, std::size_t reserve) {
    std::size_t count = 0;
    for (std::size_t i = ascending.size(); i-- > 0; ++count) {
        const std::uint64_t gap = smallest - ascending[i].end - 1;
        const std::uint64_t length = ascending[i].length() - 1;
        if (varint_length(gap) + varint_length(length) + reserve > writer.remaining()) break;
        if (!encode_varints(writer, gap, length)) break;
        smallest = ascending[i].begin;
    }
    return count;
}

bool encode_ecn(ByteWriter& writer, const EcnCounts& ecn) {
    return encode_varints(writer, ecn.ect0, ecn.ect1, ecn.ce);
}

std::size_t ecn_length(const EcnCounts& ecn) {
    return varint_length(ecn.ect0) + varint_length(ecn.ect1) + varint_length(ecn.ce);
}

}  // namespace

bool encode(ByteWriter& writer, const PaddingFrame& frame) {
    return writer.write_zeros(frame.length);
}

bool encode(ByteWriter& writer, const PingFrame&) {
    return encode_varints(writer, frame_type::kPing);
}

bool encode(ByteWriter& writer, const AckFrame& frame) {
    const std::size_t start = writer.written();
    const AckRange& first = frame.ranges.first();
    bool fits = encode_varints(writer, frame.ecn ? frame_type::kAckEcn : frame_type::kAck,
                               first.largest.value(), frame.ack_delay, frame.ranges.count() - 1,
                               first.largest.value() - first.smallest.value());
    std::uint64_t smallest = first.smallest.value();
    for (auto range = ++frame.ranges.begin(); fits && range != frame.ranges.end(); ++range) {
        fits = encode_varints(writer, smallest - range->largest.value() - 2,
                              range->largest.value() - range->smallest.value());
        smallest = range->smallest.value();
    }
    if (fits && (!frame.ecn || encode_ecn(writer, *frame.ecn))) return true;
    writer.rewind(start);
    return false;
}

bool encode(ByteWriter& writer, const ResetStreamFrame& frame) {
    return encode_varints(writer, frame_type::kResetStream, frame.id.value(), frame.error_code,
                          frame.final_size);
}

bool encode(ByteWriter& writer, const ResetStreamAtFrame& frame) {
    return encode_varints(writer, frame_type::kResetStreamAt, frame.id.value(), frame.error_code,
                          frame.final_size, frame.reliable_size);
}

bool encode(ByteWriter& writer, const StopSendingFrame& frame) {
    return encode_varints(writer, frame_type::kStopSending, frame.id.value(), frame.error_code);
}

bool encode(ByteWriter& writer, const CryptoFrame& frame) {
    return encode_with_tail(writer, frame.data, frame_type::kCrypto, frame.offset,
                            frame.data.size());
}

bool encode(ByteWriter& writer, const NewTokenFrame& frame) {
    //= 9000-19.7-1
    if (frame.token.empty()) return false;
    return encode_with_tail(writer, frame.token, frame_type::kNewToken, frame.token.size());
}

bool encode(ByteWriter& writer, const StreamFrame& frame) {
    const std::uint64_t type =
        frame_type::kStream | kStreamLengthBit | (frame.fin ? kStreamFinBit : 0);
    if (frame.offset == 0) {
        return encode_with_tail(writer, frame.data, type, frame.id.value(), frame.data.size());
    }
    return encode_with_tail(writer, frame.data, type | kStreamOffsetBit, frame.id.value(),
                            frame.offset, frame.data.size());
}

bool encode(ByteWriter& writer, const MaxDataFrame& frame) {
    return encode_varints(writer, frame_type::kMaxData, frame.maximum);
}

bool encode(ByteWriter& writer, const MaxStreamDataFrame& frame) {
    return encode_varints(writer, frame_type::kMaxStreamData, frame.id.value(), frame.maximum);
}

bool encode(ByteWriter& writer, const MaxStreamsFrame& frame) {
    const auto bit = directionality_bit(frame.directionality);
    return encode_varints(writer, frame_type::kMaxStreamsBidirectional | bit, frame.maximum);
}

bool encode(ByteWriter& writer, const DataBlockedFrame& frame) {
    return encode_varints(writer, frame_type::kDataBlocked, frame.limit);
}

bool encode(ByteWriter& writer, const StreamDataBlockedFrame& frame) {
    return encode_varints(writer, frame_type::kStreamDataBlocked, frame.id.value(), frame.limit);
}

bool encode(ByteWriter& writer, const StreamsBlockedFrame& frame) {
    const auto bit = directionality_bit(frame.directionality);
    return encode_varints(writer, frame_type::kStreamsBlockedBidirectional | bit, frame.limit);
}

bool encode(ByteWriter& writer, const NewConnectionIdFrame& frame) {
    const std::size_t start = writer.written();
    const ByteView id = frame.connection_id.view();
    if (encode_varints(writer, frame_type::kNewConnectionId, frame.sequence_number,
                       frame.retire_prior_to) &&
        writer.write(static_cast<std::uint8_t>(id.size())) && writer.write_bytes(id) &&
        writer.write_bytes(frame.stateless_reset_token.bytes)) {
        return true;
    }
    writer.rewind(start);
    return false;
}

bool encode(ByteWriter& writer, const RetireConnectionIdFrame& frame) {
    return encode_varints(writer, frame_type::kRetireConnectionId, frame.sequence_number);
}

bool encode(ByteWriter& writer, const PathChallengeFrame& frame) {
    return encode_path_frame(writer, frame_type::kPathChallenge, frame.data);
}

bool encode(ByteWriter& writer, const PathResponseFrame& frame) {
    return encode_path_frame(writer, frame_type::kPathResponse, frame.data);
}

bool encode(ByteWriter& writer, const ConnectionCloseFrame& frame) {
    const std::size_t start = writer.written();
    const bool fits =
        frame.application
            ? encode_varints(writer, frame_type::kConnectionCloseApplication, frame.error_code)
            : encode_varints(writer, frame_type::kConnectionClose, frame.error_code,
                             frame.frame_type);
    const Split split = split_room(writer.remaining(), frame.reason.size());
    if (fits && encode_varint(writer, split.data, split.length_field)) {
        return writer.write_bytes(frame.reason.first(split.data));
    }
    writer.rewind(start);
    return false;
}

bool encode(ByteWriter& writer, const HandshakeDoneFrame&) {
    return encode_varints(writer, frame_type::kHandshakeDone);
}

bool encode(ByteWriter& writer, const DatagramFrame& frame) {
    return encode_with_tail(writer, frame.data, frame_type::kDatagramWithLength, frame.data.size());
}

bool encode(ByteWriter& writer, const AckFrequencyFrame& frame) {
    return encode_varints(writer, frame_type::kAckFrequency, frame.sequence_number,
                          frame.ack_eliciting_threshold, frame.requested_max_ack_delay,
                          frame.reordering_threshold);
}

bool encode(ByteWriter& writer, const ImmediateAckFrame&) {
    return encode_varints(writer, frame_type::kImmediateAck);
}

bool encode(ByteWriter& writer, const Frame& frame) {
    return std::visit([&writer](const auto& alternative) { return encode(writer, alternative); },
                      frame);
}

std::size_t encode_ack(ByteWriter& writer, std::span<const Interval> ascending,
                       std::uint64_t ack_delay, const EcnCounts* ecn) {
    if (ascending.empty()) return 0;
    const std::size_t start = writer.written();
    const Interval& highest = ascending.back();
    const auto lower = ascending.first(ascending.size() - 1);
    const std::size_t reserve = ecn != nullptr ? ecn_length(*ecn) : 0;
    // How many pairs fit is known only behind them, so their count gets a field for all of them.
    const std::size_t count_length = varint_length(lower.size());

    const bool begun =
        encode_varints(writer, ecn != nullptr ? frame_type::kAckEcn : frame_type::kAck,
                       highest.end - 1, ack_delay);
    const auto count_field = begun ? writer.reserve(count_length) : std::nullopt;
    if (count_field && encode_varint(writer, highest.length() - 1)) {
        const std::size_t pairs = encode_ack_pairs(writer, lower, highest.begin, reserve);
        ByteWriter count_writer(*count_field);
        if (encode_varint(count_writer, pairs, count_length) &&
            (ecn == nullptr || encode_ecn(writer, *ecn))) {
            return pairs + 1;
        }
    }
    writer.rewind(start);
    return 0;
}

std::optional<StreamFrameLayout> encode_stream_header(ByteWriter& writer,
                                                      const StreamFrameRequest& request) {
    const std::uint64_t id = request.id.value();
    const bool with_offset = request.offset != 0;
    const std::size_t fixed =
        1 + varint_length(id) + (with_offset ? varint_length(request.offset) : 0);
    if (writer.remaining() < fixed) return std::nullopt;
    const std::size_t room = writer.remaining() - fixed;
    const bool fills_packet = request.may_fill_packet && request.available >= room;
    const Split split = fills_packet ? Split{0, room} : split_room(room, request.available);
    const bool fin = request.fin && split.data == request.available;
    if (split.length_field > room || (split.data == 0 && !fin)) return std::nullopt;

    const std::uint64_t type = frame_type::kStream | (with_offset ? kStreamOffsetBit : 0) |
                               (fills_packet ? 0 : kStreamLengthBit) | (fin ? kStreamFinBit : 0);
    const std::size_t start = writer.written();
    if (encode_varints(writer, type, id) &&
        (!with_offset || encode_varint(writer, request.offset)) &&
        (fills_packet || encode_varint(writer, split.data, split.length_field))) {
        return StreamFrameLayout{split.data, fin};
    }
    writer.rewind(start);
    return std::nullopt;
}

std::optional<std::size_t> encode_crypto_header(ByteWriter& writer, std::uint64_t offset,
                                                std::uint64_t available) {
    const std::size_t start = writer.written();
    if (!encode_varints(writer, frame_type::kCrypto, offset)) return std::nullopt;
    const Split split = split_room(writer.remaining(), available);
    if (split.data != 0 && encode_varint(writer, split.data, split.length_field)) return split.data;
    writer.rewind(start);
    return std::nullopt;
}

}  // namespace stoq::wire
