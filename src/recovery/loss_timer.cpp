// The timers of LossRecovery (RFC 9002 section 6.2 and appendix A.8).
#include <algorithm>

#include "recovery/loss_detection.h"

namespace stoq::recovery {
namespace {

// Beyond this the backoff is longer than any idle timeout.
constexpr std::uint32_t kMaxBackoffExponent = 16;
//= 9002-6.2.4-2
constexpr std::uint8_t kProbesPerTimeout = 2;

Duration with_backoff(Duration duration, std::uint32_t count) {
    return duration * (std::int64_t{1} << std::min(count, kMaxBackoffExponent));
}

}  // namespace

void LossRecovery::on_handshake_keys(Instant now) {
    handshake_keys_ = true;
    timer_restarted_at_ = now;
}

void LossRecovery::on_handshake_confirmed(Instant now) {
    handshake_confirmed_ = true;
    timer_restarted_at_ = now;
}

Duration LossRecovery::probe_timeout(PacketNumberSpace space) const {
    const bool delayed = space == PacketNumberSpace::kApplication;
    return rtt_.probe_timeout_base() + (delayed ? peer_max_ack_delay_ : Duration::zero());
}

bool LossRecovery::peer_completed_address_validation() const {
    return settings_.role == Role::kServer || handshake_acked_ || handshake_confirmed_;
}

bool LossRecovery::needs_anti_deadlock_probe() const {
    //= 9002-6.2.2.1-2
    return !peer_completed_address_validation() && timer_restarted_at_ != kNever &&
           !ack_eliciting_in_flight(PacketNumberSpace::kInitial) &&
           !ack_eliciting_in_flight(PacketNumberSpace::kHandshake);
}

const LossRecovery::Space* LossRecovery::earliest_loss() const {
    const auto earliest = std::ranges::min_element(spaces_, {}, &Space::loss_time);
    return earliest->loss_time == kNever ? nullptr : &*earliest;
}

LossRecovery::ProbeDeadline LossRecovery::probe_deadline() const {
    if (needs_anti_deadlock_probe()) {
        const auto space =
            handshake_keys_ ? PacketNumberSpace::kHandshake : PacketNumberSpace::kInitial;
        return {timer_restarted_at_ + with_backoff(probe_timeout(space), probe_timeout_count_),
                space};
    }
    ProbeDeadline earliest;
    for (std::size_t i = 0; i < kPacketNumberSpaceCount; ++i) {
        const auto space = static_cast<PacketNumberSpace>(i);
        if (!ack_eliciting_in_flight(space)) continue;
        //= 9002-6.2.1-3
        if (space == PacketNumberSpace::kApplication && !handshake_confirmed_) continue;
        const Duration wait = with_backoff(probe_timeout(space), probe_timeout_count_);
        const Instant at = spaces_[i].last_ack_eliciting_sent + wait;
        //= 9002-6.2.1-2
        if (at < earliest.at) earliest = {at, space};
    }
    return earliest;
}

Instant LossRecovery::timer() const {
    //= 9002-6.2.1-6
    if (const Space* space = earliest_loss()) return space->loss_time;
    //= 9002-6.2.2.1-1
    if (amplification_limited_) return kNever;
    return probe_deadline().at;
}

TimeoutOutcome LossRecovery::on_timeout(Instant now) {
    lost_.clear();
    lost_packets_.clear();
    TimeoutOutcome outcome;
    if (timer() > now) return outcome;
    if (const Space* late = earliest_loss()) {
        Space& space = spaces_[static_cast<std::size_t>(late - spaces_.data())];
        outcome.lost = detect_lost(space, now);
        outcome.space_of_lost = static_cast<PacketNumberSpace>(late - spaces_.data());
        retire(space, now);
        return outcome;
    }
    // Nothing is declared lost here.
    //= 9002-6.2-1
    fill_probes(probe_deadline().space, outcome);
    //= 9002-6.2.1-5
    ++probe_timeout_count_;
    timer_restarted_at_ = now;
    return outcome;
}

void LossRecovery::fill_probes(PacketNumberSpace space, TimeoutOutcome& outcome) const {
    if (needs_anti_deadlock_probe()) {
        //= 9002-6.2.2.1-3
        //= 9000-8.1-5
        outcome.probes[index_of(space)] = 1;
        return;
    }
    //= 9002-6.2.4-4
    for (std::size_t i = 0; i < kPacketNumberSpaceCount; ++i) {
        if (spaces_[i].ack_eliciting_in_flight > 0) outcome.probes[i] = 1;
    }
    //= 9002-6.2.4-1
    outcome.probes[index_of(space)] = kProbesPerTimeout;
}

std::span<const wire::SentFrame> LossRecovery::probe_frames(PacketNumberSpace space,
                                                            std::size_t max_packets) {
    lost_.clear();
    const SentPackets& packets = space_at(space).packets;
    for (std::uint64_t i = packets.begin(); i < packets.end() && max_packets > 0; ++i) {
        if (!packets[i].outstanding() || !packets[i].ack_eliciting || packets[i].mtu_probe)
            continue;
        packets.append_frames(packets[i], lost_);
        --max_packets;
    }
    return lost_.frames();
}

}  // namespace stoq::recovery
