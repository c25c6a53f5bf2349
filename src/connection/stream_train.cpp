// The short path of a train: packets that hold nothing but the next bytes of one stream.
//
// What transmit.cpp asks and tells for every packet is asked and told once for all of them. The
// bytes are the same (tests/unit/endpoint/stream_train_test.cpp): headers and frames come from the
// same encoders, and whatever is not alike is left to transmit_train().
#include <algorithm>

#include "connection/connection.h"
#include "wire/frame_encode.h"

namespace stoq::connection {
namespace {

constexpr PacketNumberSpace kSpace = PacketNumberSpace::kApplication;

}  // namespace

void Connection::extend_train(Train& train, Instant now) {
    const std::size_t most = most_alike(train);
    if (most == 0) return;
    const auto run = streams_.next_run();
    const wire::ConnectionId* const destination = ids_.remote.id_of(paths_.active_index());
    if (!run || destination == nullptr) return;
    AlikePackets alike{.run = *run,
                       .header = {.destination = *destination},
                       .number = recovery_.next_packet_number(kSpace, shared_.ids.random),
                       .largest_acknowledged = recovery_.largest_acked(kSpace)};
    std::array<wire::SentFrame, Train::kMostPackets> frames;
    std::size_t count = 0;
    while (count < most && write_alike(train, alike, frames[count])) ++count;
    if (count > 0) finish_alike(train, alike, std::span(frames).first(count), now);
}

// How many packets may follow for all that does not depend on streams.
std::size_t Connection::most_alike(const Train& train) const {
    // An observer is shown each packet with its frames, in the clear.
    if (observer_.enabled() || pending_.ping || pending_.probes[index_of(kSpace)] > 0) return 0;
    if (tracker(kSpace).ack_pending() || tracker(kSpace).ack_now()) return 0;
    // Only a full datagram has room for what an alike packet is made of.
    if (has_frames_besides_streams() || train.size < path::kBaseDatagramSize) return 0;
    const std::uint64_t bytes = std::min<std::uint64_t>(train.room.size(), train.budget);
    if (bytes < train.used + train.size) return 0;
    return static_cast<std::size_t>(
        std::min<std::uint64_t>({train.most - train.count, (bytes - train.used) / train.size,
                                 recovery_.room_for_train(kSpace)}));
}

// False, with nothing written that counts, when the next packet is not like the others.
bool Connection::write_alike(Train& train, AlikePackets& alike, wire::SentFrame& frame) {
    const Bytes packet = train.next();
    ByteWriter writer(packet.first(packet.size() - kTagLength));
    const std::size_t number_length =
        wire::packet_number_length(alike.number, alike.largest_acknowledged);
    const auto number_offset =
        wire::encode_short_header(writer, alike.header, alike.number, number_length);
    const std::uint64_t offset = alike.run.offset + alike.written;
    const std::uint64_t available = alike.run.available - alike.written;
    const auto layout = wire::encode_stream_header(
        writer,
        {.id = alike.run.id, .offset = offset, .available = available, .may_fill_packet = true});
    // The last bytes may end the stream, or use up a window, which has consequences.
    if (!number_offset || !layout || layout->data_length == available) return false;
    if (!next_fixed_bit()) packet[0] &= static_cast<std::uint8_t>(~wire::kFixedBit);
    frame.kind = wire::SentFrameKind::kStream;
    frame.fin = false;
    frame.length = static_cast<std::uint32_t>(layout->data_length);
    frame.id = alike.run.id.value();
    frame.offset = offset;
    protection::PacketToSeal& to_seal = train.add(packet.size());
    to_seal.packet = packet.data();
    to_seal.packet_number_offset = static_cast<std::uint32_t>(*number_offset);
    to_seal.plaintext_end = static_cast<std::uint32_t>(packet.size() - kTagLength);
    to_seal.packet_number_length = static_cast<std::uint8_t>(number_length);
    to_seal.packet_number = alike.number;
    to_seal.elsewhere =
        streams_.view_or_copy(alike.run, offset, {writer.position(), layout->data_length});
    alike.written += layout->data_length;
    alike.number = alike.number.next();
    return true;
}

// What finish_packet() tells of one packet.
void Connection::finish_alike(const Train& train, const AlikePackets& alike,
                              std::span<const wire::SentFrame> frames, Instant now) {
    const std::uint64_t bytes = frames.size() * train.size;
    streams_.on_run_written(alike.run, alike.written);
    recovery_.on_train_sent({.space = kSpace,
                             .first = PacketNumber(alike.number.value() - frames.size()),
                             .bytes = static_cast<std::uint32_t>(train.size),
                             .ecn = train.ecn,
                             .path = status_.recovery_path,
                             .frames = frames},
                            now);
    paths_.active().ecn.on_packets_sent(kSpace, train.ecn == Ecn::kEct0, frames.size());
    controller_->on_packet_sent(now, bytes, recovery_.bytes_in_flight());
    if (config_.settings.pacing) pacer_.on_sent(now, bytes);
    counters_.packets_sent += frames.size();
    if (!std::exchange(timers_.idle_restarted_by_sending, true)) restart_idle_timer(now);
}

}  // namespace stoq::connection
