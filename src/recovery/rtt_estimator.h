// RttEstimator: what is known of one path's round-trip time (RFC 9002 section 5).
#pragma once

#include <optional>

#include "stoq/types.h"

namespace stoq::recovery {

// Timers are not finer than this (RFC 9002 section 6.1.2).
inline constexpr Duration kGranularity = std::chrono::milliseconds(1);
//= 9002-6.2.2-2
inline constexpr Duration kDefaultInitialRtt = std::chrono::milliseconds(333);

class RttEstimator {
public:
    explicit RttEstimator(Duration initial_rtt = kDefaultInitialRtt) { reset(initial_rtt); }

    // Forgets everything: a new path, or a new guess before the first sample.
    void reset(Duration initial_rtt);

    // A sample, taken at `now`. `ack_delay` is what the peer says it waited, already limited to its
    // max_ack_delay where that applies; it is subtracted only where the result is plausible.
    void on_sample(Duration latest, Duration ack_delay, Instant now);

    // The old minimum may belong to a route that is gone (RFC 9002 section 5.2).
    void on_persistent_congestion() { min_ = latest_; }

    bool has_sample() const { return first_sample_at_.has_value(); }
    // When the first sample of this path was taken.
    std::optional<Instant> first_sample_at() const { return first_sample_at_; }

    Duration latest() const { return latest_; }      // zero before the first sample
    Duration min() const { return min_; }            // zero before the first sample
    Duration smoothed() const { return smoothed_; }  // the initial guess before the first sample
    Duration variation() const { return variation_; }

    // smoothed_rtt + max(4 * rttvar, kGranularity): a probe timeout before max_ack_delay and
    // backoff are added (RFC 9002 section 6.2.1).
    Duration probe_timeout_base() const;

    // How long after a later packet was acknowledged an earlier one counts as lost (RFC 9002
    // section 6.1.2): 9/8 of the larger of latest and smoothed, at least kGranularity.
    Duration loss_delay() const;

private:
    Duration latest_{};
    Duration min_{};
    Duration smoothed_{};
    Duration variation_{};
    std::optional<Instant> first_sample_at_;
};

}  // namespace stoq::recovery
