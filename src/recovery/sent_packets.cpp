#include "recovery/sent_packets.h"

#include <algorithm>

#include "base/check.h"

namespace stoq::recovery {

SentPackets::SentPackets(std::size_t initial_capacity)
    : packets_(initial_capacity), frames_(initial_capacity) {}

PacketNumber SentPackets::next_number(RandomSource& random) {
    if (skip_at_ == 0) {
        skip_at_ = end() + skip_period_ / 2 + random.next_uint64() % skip_period_;
        skip_period_ = std::min(2 * skip_period_, kLastSkipPeriod);
    }
    return PacketNumber(end() == skip_at_ ? end() + 1 : end());
}

SentPacket& SentPackets::on_sent(const OutgoingPacket& packet, Instant now) {
    //= 9000-12.3-1
    //= 9000-12.3-2
    STOQ_CHECK(packet.number.value() >= end() && packet.number.value() <= end() + 1);
    STOQ_CHECK(packet.frames.size() <= UINT8_MAX);
    if (packet.number.value() > end()) {
        last_skipped_ = end();
        packets_.emplace_back().state = SentPacket::State::kSkipped;
    }
    if (packet.number.value() > skip_at_) skip_at_ = 0;
    SentPacket& entry = packets_.emplace_back();
    entry.time_sent = now;
    entry.first_frame = frames_.end_position();
    entry.bytes = packet.bytes;
    entry.frame_count = static_cast<std::uint8_t>(packet.frames.size());
    entry.path = packet.path;
    entry.ecn = packet.ecn;
    entry.state = SentPacket::State::kOutstanding;
    entry.ack_eliciting = packet.ack_eliciting;
    entry.in_flight = packet.in_flight;
    entry.mtu_probe = packet.mtu_probe;
    for (const wire::SentFrame& frame : packet.frames) frames_.emplace_back() = frame;
    // The first losses of a flight break its acknowledged numbers into ranges: there is room for
    // them as soon as there is for the packets, so that nothing grows at that moment.
    acked_.reserve(std::min(packets_.capacity(), kReservedRanges));
    return entry;
}

SentPacket& SentPackets::on_sent(const OutgoingTrain& train, const wire::SentFrame& frame,
                                 Instant now) {
    SentPacket& entry = packets_.emplace_back();
    entry.time_sent = now;
    entry.first_frame = frames_.end_position();
    entry.bytes = train.bytes;
    entry.frame_count = 1;
    entry.path = train.path;
    entry.ecn = train.ecn;
    entry.state = SentPacket::State::kOutstanding;
    entry.ack_eliciting = entry.in_flight = true;
    frames_.emplace_back() = frame;
    return entry;
}

void SentPackets::append_frames(const SentPacket& packet, FrameList& list) const {
    for (std::uint64_t i = 0; i < packet.frame_count; ++i) {
        list.add(frames_[packet.first_frame + i]);
    }
}

std::uint64_t SentPackets::distance(std::uint64_t number, std::uint64_t later) const {
    const bool skipped_between = last_skipped_ > number && last_skipped_ < later;
    return later - number - (skipped_between ? 1 : 0);
}

Interval SentPackets::unacknowledged(std::uint64_t from, std::uint64_t end) const {
    const Interval gap = acked_.first_gap(from);
    return {std::min(gap.begin, end), std::min(gap.end, end)};
}

bool SentPackets::retirable(const SentPacket& packet, Instant lost_horizon) const {
    switch (packet.state) {
        case SentPacket::State::kUnused:
        case SentPacket::State::kSkipped:
        case SentPacket::State::kAcknowledged: return true;
        case SentPacket::State::kLost: return !packet.in_flight || packet.time_sent < lost_horizon;
        case SentPacket::State::kOutstanding: break;
    }
    return !packet.in_flight && size() > kSilentBacklog;
}

std::optional<std::uint64_t> SentPackets::retire(Instant lost_horizon) {
    std::optional<std::uint64_t> highest_acked;
    while (!packets_.empty() && retirable(packets_.front(), lost_horizon)) {
        const SentPacket& packet = packets_.front();
        if (packet.state == SentPacket::State::kAcknowledged) highest_acked = begin();
        for (int i = 0; i < packet.frame_count; ++i) frames_.pop_front();
        packets_.pop_front();
    }
    acked_.erase(0, begin());
    return highest_acked;
}

void SentPackets::clear() {
    packets_.clear();
    frames_.clear();
    acked_.clear();
}

}  // namespace stoq::recovery
