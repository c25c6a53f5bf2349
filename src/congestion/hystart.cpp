#include "congestion/hystart.h"

#include <algorithm>

namespace stoq::congestion {
namespace {

// RFC 9406 section 4.3.
constexpr Duration kLeastThreshold = std::chrono::milliseconds(4);
constexpr Duration kGreatestThreshold = std::chrono::milliseconds(16);
constexpr std::uint32_t kSamplesNeeded = 8;
constexpr std::uint32_t kConservativeRounds = 5;

}  // namespace

void HyStart::start_round(Instant now) {
    started_ = true;
    round_started_at_ = now;
    last_round_min_ = current_round_min_;
    current_round_min_ = Duration::max();
    samples_ = 0;
}

void HyStart::on_acknowledged(Instant now, Instant largest_acked_sent_time, Duration latest_rtt) {
    if (phase_ == Phase::kDone) return;
    if (!started_ || largest_acked_sent_time >= round_started_at_) {
        const bool counts = phase_ == Phase::kConservative;
        if (counts && ++conservative_rounds_ == kConservativeRounds) {
            phase_ = Phase::kDone;
            return;
        }
        start_round(now);
    }
    if (latest_rtt <= Duration::zero()) return;
    current_round_min_ = std::min(current_round_min_, latest_rtt);
    if (++samples_ >= kSamplesNeeded) check_delay_increase();
}

void HyStart::check_delay_increase() {
    if (phase_ == Phase::kConservative) {
        if (current_round_min_ < baseline_min_) phase_ = Phase::kSlowStart;
        return;
    }
    if (last_round_min_ == Duration::max()) return;
    const Duration threshold = std::clamp(last_round_min_ / 8, kLeastThreshold, kGreatestThreshold);
    if (current_round_min_ < last_round_min_ + threshold) return;
    baseline_min_ = current_round_min_;
    conservative_rounds_ = 0;
    phase_ = Phase::kConservative;
}

}  // namespace stoq::congestion
