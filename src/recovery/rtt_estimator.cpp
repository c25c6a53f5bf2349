#include "recovery/rtt_estimator.h"

#include <algorithm>

namespace stoq::recovery {

void RttEstimator::reset(Duration initial_rtt) {
    latest_ = min_ = Duration::zero();
    smoothed_ = initial_rtt;
    variation_ = initial_rtt / 2;
    first_sample_at_.reset();
}

void RttEstimator::on_sample(Duration latest, Duration ack_delay, Instant now) {
    latest_ = std::max(latest, Duration(1));  // a minimum of zero would make rates infinite
    if (!first_sample_at_) {
        first_sample_at_ = now;
        min_ = smoothed_ = latest_;
        variation_ = latest_ / 2;
        return;
    }
    //= 9002-5.2-1
    min_ = std::min(min_, latest_);
    //= 9002-5.3-6
    const Duration adjusted = latest_ >= min_ + ack_delay ? latest_ - ack_delay : latest_;
    const Duration deviation = std::chrono::abs(smoothed_ - adjusted);
    variation_ = (3 * variation_ + deviation) / 4;
    smoothed_ = (7 * smoothed_ + adjusted) / 8;
}

Duration RttEstimator::probe_timeout_base() const {
    //= 9002-6.2.1-1
    return smoothed_ + std::max(4 * variation_, kGranularity);
}

Duration RttEstimator::loss_delay() const {
    //= 9002-6.1.2-4
    const Duration delay = std::max(latest_, smoothed_) * 9 / 8;
    //= 9002-6.1.2-2
    //= 9002-6.1.2-5
    return std::max(delay, kGranularity);
}

}  // namespace stoq::recovery
