#include "recovery/loss_detection.h"

#include <algorithm>

#include "base/check.h"
#include "wire/frame.h"
#include "wire/frame_table.h"

namespace stoq::recovery {
namespace {

//= 9002-6.1.1-1
//= 9002-6.1.1-2
constexpr std::uint32_t kLeastPacketThreshold = 3;
//= 9002-7.6.1-1
constexpr int kPersistentCongestionThreshold = 3;
// How often, in round trips, a packet that was declared lost may still arrive and be noticed.
constexpr int kLostPacketRoundTrips = 2;
// Packets in a row that the peer need not acknowledge, before should_elicit_ack().
constexpr std::uint32_t kSilentRun = 32;
constexpr std::uint64_t kMaxPacketNumber = (std::uint64_t{1} << 62) - 1;

TransportError unsent_packet_acknowledged(const wire::AckFrame& ack) {
    const auto type = ack.ecn ? wire::frame_type::kAckEcn : wire::frame_type::kAck;
    return {.code = TransportErrorCode::kProtocolViolation,
            .reason = Reason::kAckOfUnsentPacket,
            .frame_type = static_cast<std::uint32_t>(type)};
}

}  // namespace

LossRecovery::LossRecovery(const RecoverySettings& settings)
    : settings_(settings), rtt_(settings.initial_rtt) {
    settings_.packet_threshold = std::max(settings_.packet_threshold, kLeastPacketThreshold);
}

PacketNumber LossRecovery::next_packet_number(PacketNumberSpace space, RandomSource& random) {
    return space_at(space).packets.next_number(random);
}

void LossRecovery::on_packet_sent(const OutgoingPacket& packet, Instant now) {
    Space& space = space_at(packet.space);
    STOQ_CHECK(!space.discarded);
    SentPacket& sent = space.packets.on_sent(packet, now);
    if (sent.ack_eliciting) {
        ++space.ack_eliciting_in_flight;
        space.last_ack_eliciting_sent = now;
        space.silent_packets = 0;
    } else {
        ++space.silent_packets;
    }
    if (sent.in_flight) {
        //= 9002-6.2.1-4
        timer_restarted_at_ = now;
        if (sent.path != path_) return;
        delivery_.on_sent(sent, bytes_in_flight_);
        //= 9002-7.5-2
        bytes_in_flight_ += sent.bytes;
    } else if (space.packets.size() > SentPackets::kSilentBacklog) {
        retire(space, now);
    }
}

void LossRecovery::on_train_sent(const OutgoingTrain& train, Instant now) {
    Space& space = space_at(train.space);
    STOQ_CHECK(!space.discarded && train.first.value() == space.packets.end());
    STOQ_CHECK(train.frames.size() <= room_for_train(train.space));
    const bool counts = train.path == path_;
    for (const wire::SentFrame& frame : train.frames) {
        SentPacket& sent = space.packets.on_sent(train, frame, now);
        if (!counts) continue;
        delivery_.on_sent(sent, bytes_in_flight_);
        bytes_in_flight_ += sent.bytes;
    }
    space.ack_eliciting_in_flight += static_cast<std::uint32_t>(train.frames.size());
    space.last_ack_eliciting_sent = now;
    space.silent_packets = 0;
    timer_restarted_at_ = now;
}

std::uint64_t LossRecovery::room_for_train(PacketNumberSpace space) const {
    const SentPackets& packets = space_at(space).packets;
    if (!has_room(space)) return 0;
    return std::min({packets.unskipped_numbers(), kMaxPacketNumber - packets.end(),
                     std::uint64_t{settings_.max_tracked_packets - packets.size()}});
}

bool LossRecovery::has_room(PacketNumberSpace space) const {
    const SentPackets& packets = space_at(space).packets;
    //= 9000-12.3-3
    return packets.size() < settings_.max_tracked_packets && packets.end() < kMaxPacketNumber;
}

bool LossRecovery::should_elicit_ack(PacketNumberSpace space, Instant now) const {
    const Space& sent = space_at(space);
    //= 9000-13.2.1-7
    return sent.silent_packets >= kSilentRun &&
           now - sent.last_ack_eliciting_sent >= rtt_.smoothed();
}

TransportResult<AckOutcome> LossRecovery::on_ack_received(PacketNumberSpace number_space,
                                                          const wire::AckFrame& ack,
                                                          Duration ack_delay, Instant now) {
    Space& space = space_at(number_space);
    acked_.clear();
    lost_.clear();
    lost_packets_.clear();
    AckOutcome outcome;
    if (space.discarded) return outcome;
    outcome.bytes_in_flight_before = bytes_in_flight_;
    const std::uint64_t largest = ack.largest.value();
    const bool largest_is_new = space.packets.may_be_new(largest);
    if (!acknowledge_all(space, ack, outcome, now)) {
        return std::unexpected(unsent_packet_acknowledged(ack));
    }
    outcome.largest_advanced = !space.largest_acked || largest > *space.largest_acked;
    if (outcome.largest_advanced) space.largest_acked = largest;
    outcome.acked = acked_.frames();
    if (outcome.newly_acked == 0) return outcome;

    //= 9002-5.1-1
    //= 9002-5.1-2
    if (largest_is_new && outcome.any_ack_eliciting && space.packets[largest].path == path_) {
        update_rtt(number_space, space.packets[largest], ack_delay, now);
        outcome.rtt_updated = true;
    }
    outcome.delivery = delivery_.finish(rtt_.min());
    outcome.lost = detect_lost(space, now);
    reset_probe_timeouts(number_space);
    timer_restarted_at_ = now;
    retire(space, now);
    return outcome;
}

bool LossRecovery::acknowledge_all(Space& space, const wire::AckFrame& ack, AckOutcome& outcome,
                                   Instant now) {
    //= 9000-13.1-2
    if (ack.largest.value() >= space.packets.end()) return false;
    for (const wire::AckRange& range : ack.ranges) {
        const Interval numbers{range.smallest.value(), range.largest.value() + 1};
        if (!acknowledge_range(space, numbers, outcome, now)) return false;
    }
    return true;
}

bool LossRecovery::acknowledge_range(Space& space, Interval range, AckOutcome& outcome,
                                     Instant now) {
    if (space.packets.holds_last_skipped(range)) return false;
    std::uint64_t from = std::max(range.begin, space.packets.begin());
    while (from < range.end) {
        const Interval fresh = space.packets.unacknowledged(from, range.end);
        for (std::uint64_t number = fresh.begin; number < fresh.end; ++number) {
            if (!acknowledge(space, number, outcome, now)) return false;
        }
        space.packets.mark_acknowledged(fresh.begin, fresh.end);
        from = std::max(fresh.end, from + 1);
    }
    return true;
}

bool LossRecovery::acknowledge(Space& space, std::uint64_t number, AckOutcome& outcome,
                               Instant now) {
    SentPacket& packet = space.packets[number];
    if (packet.state == SentPacket::State::kSkipped) return false;
    const bool was_lost = packet.state == SentPacket::State::kLost;
    packet.state = SentPacket::State::kAcknowledged;

    ++outcome.newly_acked;
    outcome.any_ack_eliciting |= packet.ack_eliciting;
    if (packet.ecn == Ecn::kEct0) ++outcome.acked_ect0;
    if (packet.ecn == Ecn::kEct1) ++outcome.acked_ect1;
    if (packet.path == path_ && packet.time_sent >= outcome.largest_acked_sent_time) {
        outcome.largest_acked_sent_time = packet.time_sent;
        outcome.app_limited = packet.app_limited;
    }
    space.latest_acked_sent = std::max(space.latest_acked_sent, packet.time_sent);
    space.packets.append_frames(packet, acked_);

    if (!was_lost) {
        leave_flight(space, packet);
        if (packet.in_flight && packet.path == path_) count_acknowledged(packet, outcome, now);
        return true;
    }
    space.lost_run.on_acknowledged(number);
    if (packet.in_flight && !packet.mtu_probe && packet.path == path_) {
        ++outcome.spurious_packets;
        outcome.spurious_sent_time = std::max(outcome.spurious_sent_time, packet.time_sent);
    }
    return true;
}

void LossRecovery::count_acknowledged(const SentPacket& packet, AckOutcome& outcome, Instant now) {
    ++outcome.acked_packets;
    outcome.acked_bytes += packet.bytes;
    outcome.largest_packet.note(packet.bytes, packet.time_sent);
    delivery_.on_acknowledged(packet, now);
}

void LossRecovery::update_rtt(PacketNumberSpace space, const SentPacket& largest,
                              Duration ack_delay, Instant now) {
    //= 9002-5.3-3
    if (space == PacketNumberSpace::kInitial) ack_delay = Duration::zero();
    //= 9002-5.3-1
    //= 9002-5.3-4
    //= 9002-5.3-5
    if (handshake_confirmed_) ack_delay = std::min(ack_delay, peer_max_ack_delay_);
    rtt_.on_sample(now - largest.time_sent, ack_delay, now);
}

void LossRecovery::reset_probe_timeouts(PacketNumberSpace space) {
    if (space == PacketNumberSpace::kHandshake) handshake_acked_ = true;
    if (peer_completed_address_validation()) probe_timeout_count_ = 0;
}

LossInfo LossRecovery::detect_lost(Space& space, Instant now) {
    LossInfo info;
    space.loss_time = kNever;
    if (!space.largest_acked) return info;
    const Duration loss_delay = rtt_.loss_delay();
    const std::uint64_t end = *space.largest_acked;
    std::uint64_t number = std::max(space.first_outstanding, space.packets.begin());
    std::optional<std::uint64_t> first_kept;
    // Later packets were sent later, so the first one in flight that is kept ends the walk.
    while (number < end && space.loss_time == kNever) {
        const Interval gap = space.packets.unacknowledged(number, end);
        for (number = gap.begin; number < gap.end; ++number) {
            const SentPacket& packet = space.packets[number];
            if (!packet.outstanding()) continue;
            if (is_lost(space, number, now - loss_delay)) {
                declare_lost(space, number, info);
                continue;
            }
            if (!first_kept) first_kept = number;
            if (!packet.in_flight) continue;
            //= 9002-6.1.2-3
            space.loss_time = packet.time_sent + loss_delay;
            break;
        }
    }
    space.first_outstanding = first_kept.value_or(std::max(number, space.first_outstanding));
    info.frames = lost_.frames();
    info.each = lost_packets_;
    return info;
}

bool LossRecovery::is_lost(const Space& space, std::uint64_t number, Instant lost_send_time) const {
    // Whatever was sent before it: no loss is ignored.
    //= 9002-7.4-2
    //= 9002-6.1.2-1
    return space.packets[number].time_sent <= lost_send_time ||
           space.packets.distance(number, *space.largest_acked) >= settings_.packet_threshold;
}

void LossRecovery::declare_lost(Space& space, std::uint64_t number, LossInfo& info) {
    SentPacket& packet = space.packets[number];
    packet.state = SentPacket::State::kLost;
    space.packets.append_frames(packet, lost_);
    leave_flight(space, packet);
    if (settings_.list_losses) {
        lost_packets_.push_back(
            {PacketNumber(number), packet.bytes,
             space.packets.distance(number, *space.largest_acked) < settings_.packet_threshold,
             packet.mtu_probe});
    }
    if (!packet.in_flight || packet.path != path_ || packet.mtu_probe) return;
    if (info.packets == 0 || number != info.last_number + 1) ++info.ranges;
    ++info.packets;
    if (packet.ecn == Ecn::kEct0) ++info.marked;
    info.bytes += packet.bytes;
    info.latest_sent_time = std::max(info.latest_sent_time, packet.time_sent);
    info.largest.note(packet.bytes, packet.time_sent);
    delivery_.on_lost(packet.bytes);
    info.last_number = number;
    info.flight_bytes = packet.flight_bytes;
    info.lost_since_sent = delivery_.lost_since(packet);
    info.app_limited = packet.app_limited;
    //= 9002-7.6.2-1
    if (packet.ack_eliciting) extend_lost_run(space, number, info);
}

void LossRecovery::extend_lost_run(Space& space, std::uint64_t number, LossInfo& info) {
    const SentPacket& packet = space.packets[number];
    //= 9002-7.6.2-2
    if (!rtt_.has_sample() || packet.time_sent <= *rtt_.first_sample_at()) return;
    LostRun& run = space.lost_run;
    const bool contiguous =
        run.open &&
        space.packets.unacknowledged(run.last + 1, number).length() == number - (run.last + 1);
    run.extend(number, packet.time_sent, contiguous);
    const Duration limit =
        kPersistentCongestionThreshold * (rtt_.probe_timeout_base() + peer_max_ack_delay_);
    if (run.duration() <= limit) return;
    //= 9002-7.6.2-3
    if (acknowledged_elsewhere(space, run.first_sent, run.last_sent)) return;
    run.open = false;
    info.persistent_congestion = true;
    //= 9002-5.2-2
    rtt_.on_persistent_congestion();
}

bool LossRecovery::acknowledged_elsewhere(const Space& own, Instant from, Instant to) const {
    const auto between = [&](Instant sent) { return sent > from && sent < to; };
    for (const Space& space : spaces_) {
        if (&space == &own) continue;
        if (between(space.latest_acked_sent)) return true;
        for (std::uint64_t i = space.packets.begin(); i < space.packets.end(); ++i) {
            const SentPacket& packet = space.packets[i];
            const bool acked = packet.state == SentPacket::State::kAcknowledged;
            if (acked && between(packet.time_sent)) return true;
        }
    }
    return false;
}

void LossRecovery::leave_flight(Space& space, const SentPacket& packet) {
    if (packet.ack_eliciting) --space.ack_eliciting_in_flight;
    if (packet.in_flight && packet.path == path_) bytes_in_flight_ -= packet.bytes;
}

void LossRecovery::retire(Space& space, Instant now) {
    const Instant lost_horizon = now - kLostPacketRoundTrips * rtt_.probe_timeout_base();
    const auto highest_acked = space.packets.retire(lost_horizon);
    // What was acknowledged behind the run can no longer be seen when the next packet is lost.
    if (highest_acked && *highest_acked > space.lost_run.last) space.lost_run.open = false;
}

void LossRecovery::discard_space(PacketNumberSpace number_space, Instant now) {
    Space& space = space_at(number_space);
    if (space.discarded) return;
    forget_packets(space, now);
    space.packets = SentPackets(2);
    space.discarded = true;
}

std::span<const wire::SentFrame> LossRecovery::abandon_packets(PacketNumberSpace number_space,
                                                               Instant now) {
    Space& space = space_at(number_space);
    lost_.clear();
    for (std::uint64_t i = space.packets.begin(); i < space.packets.end(); ++i) {
        const SentPacket& packet = space.packets[i];
        if (packet.outstanding()) space.packets.append_frames(packet, lost_);
    }
    forget_packets(space, now);
    return lost_.frames();
}

void LossRecovery::forget_packets(Space& space, Instant now) {
    for (std::uint64_t i = space.packets.begin(); i < space.packets.end(); ++i) {
        //= 9002-6.4-1
        if (space.packets[i].outstanding()) leave_flight(space, space.packets[i]);
    }
    space.packets.clear();
    space.first_outstanding = space.packets.end();
    //= 9002-6.2.2-4
    space.loss_time = kNever;
    space.lost_run = {};
    probe_timeout_count_ = 0;
    timer_restarted_at_ = now;
}

void LossRecovery::on_path_changed(std::uint8_t path, Duration initial_rtt, Instant now) {
    path_ = path;
    rtt_.reset(initial_rtt);
    delivery_ = DeliveryRate();
    bytes_in_flight_ = 0;
    probe_timeout_count_ = 0;
    timer_restarted_at_ = now;
    for (Space& space : spaces_) {
        space.lost_run = {};
        for (std::uint64_t i = space.packets.begin(); i < space.packets.end(); ++i) {
            const SentPacket& packet = space.packets[i];
            if (!packet.outstanding() || !packet.in_flight || packet.path != path) continue;
            bytes_in_flight_ += packet.bytes;
        }
    }
}

bool LossRecovery::ack_eliciting_in_flight(PacketNumberSpace space) const {
    return space_at(space).ack_eliciting_in_flight > 0;
}

std::optional<PacketNumber> LossRecovery::largest_acked(PacketNumberSpace space) const {
    const auto& largest = space_at(space).largest_acked;
    return largest ? std::optional(PacketNumber(*largest)) : std::nullopt;
}

}  // namespace stoq::recovery
