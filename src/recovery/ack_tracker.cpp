#include "recovery/ack_tracker.h"

#include <algorithm>
#include <utility>

#include "wire/frame.h"
#include "wire/frame_encode.h"

namespace stoq::recovery {

namespace {

// That most batches of datagrams add; more of them cost an allocation.
constexpr std::size_t kRangesOfABatch = 8;

}  // namespace

AckTracker::AckTracker(PacketNumberSpace space) : space_(space) {}

void AckTracker::set_policy(Duration max_ack_delay, std::uint32_t threshold,
                            std::uint64_t reordering_threshold) {
    max_ack_delay_ = max_ack_delay;
    threshold_ = std::max<std::uint32_t>(threshold, 1);
    reordering_threshold_ = reordering_threshold;
}

bool AckTracker::is_duplicate(PacketNumber number) const {
    //= 9000-12.3-4
    //= 9000-13.2.3-4
    if (!received_.empty() && number.value() >= received_.back().end) return false;
    return number.value() < floor_ || received_.contains(number.value());
}

void AckTracker::on_packet_received(PacketNumber number, Instant now, Ecn ecn, bool ack_eliciting) {
    const std::uint64_t value = number.value();
    // All the room that most losses will ever want, before there are any; other spaces are short.
    if (received_.empty() && space_ == PacketNumberSpace::kApplication) {
        received_.reserve(kUsualRanges + kRangesOfABatch);
    }
    if (received_.empty() || value >= received_.back().end) {
        largest_received_at_ = now;
    } else {
        lowest_late_ = std::min(lowest_late_, value);
        late_until_ = received_.back().end - 1;
    }
    received_.insert(value, value + 1);
    trim(kMaxRanges);
    ack_floor_ = std::min(ack_floor_, value);
    //= 9000-13.4.1-1
    ++ecn_counts_[static_cast<std::size_t>(ecn)];
    const Ecn ecn_before = std::exchange(last_ecn_, ecn);
    //= 9000-13.2.1-4
    if (!ack_eliciting) return;
    // With rarer ACKs only the first mark of several is told at once (draft-ietf-quic-ack-frequency
    // section 6.3).
    if (threshold_ > 2 && ecn_before == Ecn::kCe) ecn = Ecn::kNotEct;

    if (unacknowledged_++ == 0) first_unacknowledged_at_ = now;
    //= 9000-13.2.2-1
    if (unacknowledged_ >= threshold_ || asks_for_immediate_ack(value, ecn)) ack_now_ = true;
    largest_ack_eliciting_ = std::max(largest_ack_eliciting_.value_or(value), value);
}

bool AckTracker::asks_for_immediate_ack(std::uint64_t number, Ecn ecn) const {
    //= 9000-13.2.1-2
    if (space_ != PacketNumberSpace::kApplication) return true;
    //= 9000-13.2.1-9
    if (ecn == Ecn::kCe) return true;
    if (reordering_threshold_ != 1) return is_beyond_reordering_threshold(number);
    if (!largest_ack_eliciting_ || number == *largest_ack_eliciting_ + 1) return false;
    //= 9000-13.2.1-8
    return number < *largest_ack_eliciting_ ||
           !received_.contains(*largest_ack_eliciting_, number + 1);
}

// Whether the sender can call a packet lost that is missing, or called one lost that came.
bool AckTracker::is_beyond_reordering_threshold(std::uint64_t number) const {
    if (reordering_threshold_ == 0) return false;
    std::uint64_t missing = 0;  // the lowest that no ACK of ours has let the sender call lost
    if (largest_reported_ && *largest_reported_ >= reordering_threshold_) {
        missing = *largest_reported_ - reordering_threshold_ + 1;
        if (number < missing) return true;
    }
    // As it is without losses: nothing is missing.
    if (received_.back().begin <= missing) return false;
    for (const Interval& interval : received_.intervals()) {
        if (interval.begin > missing) break;
        missing = std::max(missing, interval.end);
    }
    const std::uint64_t largest = std::max(largest_ack_eliciting_.value_or(number), number);
    return missing < largest && largest - missing >= reordering_threshold_;
}

Instant AckTracker::ack_deadline() const {
    if (!ack_pending()) return kNever;
    //= 9000-13.2.1-1
    return ack_now_ ? first_unacknowledged_at_ : first_unacknowledged_at_ + max_ack_delay_;
}

bool AckTracker::write_ack(wire::PayloadWriter& writer, Instant now,
                           std::uint8_t ack_delay_exponent) {
    if (!writer.can_record()) return false;
    std::span<const Interval> ranges = received_.intervals();
    while (!ranges.empty() && ranges.front().end <= ack_floor_) ranges = ranges.subspan(1);
    if (ranges.empty()) return false;

    //= 9000-13.2.5-1
    //= 9000-13.2.5-3
    const Duration waited = std::max(now - largest_received_at_, Duration::zero());
    const auto microseconds =
        static_cast<std::uint64_t>(std::chrono::floor<std::chrono::microseconds>(waited).count());
    const wire::EcnCounts counts = {ecn_counts_[static_cast<std::size_t>(Ecn::kEct0)],
                                    ecn_counts_[static_cast<std::size_t>(Ecn::kEct1)],
                                    ecn_counts_[static_cast<std::size_t>(Ecn::kCe)]};
    const wire::EcnCounts* reported = counts == wire::EcnCounts{} ? nullptr : &counts;
    //= 9000-13.2.3-1
    //= 9000-13.2.3-6
    const std::uint64_t delay = microseconds >> ack_delay_exponent;
    if (wire::encode_ack(writer.bytes(), ranges, delay, reported) == 0) return false;
    writer.record_ack(received_.back().end - 1);
    largest_reported_ = received_.back().end - 1;
    //= 9000-13.2.1-3
    ack_now_ = false;
    unacknowledged_ = 0;
    trim(kUsualRanges);
    return true;
}

void AckTracker::trim(std::size_t most) {
    if (received_.count() <= most) return;
    floor_ = received_.intervals()[received_.count() - most - 1].end;
    received_.trim_front(most);
}

void AckTracker::on_ack_acknowledged(std::uint64_t largest) {
    //= 9000-13.2.3-2
    if (largest > late_until_) lowest_late_ = UINT64_MAX;
    ack_floor_ = std::max(ack_floor_, std::min(largest + 1, lowest_late_));
}

std::optional<PacketNumber> AckTracker::largest_received() const {
    //= 9000-13.2.3-5
    if (received_.empty()) return std::nullopt;
    return PacketNumber(received_.back().end - 1);
}

}  // namespace stoq::recovery
