#include "congestion/cubic.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stoq::congestion {
namespace {

constexpr double kBeta = 0.7;                             // RFC 9438 section 4.6
constexpr double kC = 0.4;                                // segments per second cubed, section 5
constexpr double kAlpha = 3 * (1 - kBeta) / (1 + kBeta);  // section 4.3
constexpr double kInfinite = std::numeric_limits<double>::infinity();

double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

Cubic::Cubic(const ControllerSettings& settings) : settings_(settings) {
    reset();
}

void Cubic::reset() {
    hystart_.reset();
    recovery_.forget();
    curve_ = {};
    curve_.window = static_cast<double>(initial_window(settings_));
    curve_.slow_start_threshold = kInfinite;
    undo_ = curve_;
    paused_since_ = kNever;
}

double Cubic::least_window() const {
    return static_cast<double>(minimum_window(settings_.max_datagram_size));
}

std::uint64_t Cubic::window() const {
    return std::min(static_cast<std::uint64_t>(curve_.window), settings_.max_window);
}

std::uint64_t Cubic::slow_start_threshold() const {
    if (curve_.slow_start_threshold == kInfinite) return kNoWindowLimit;
    return static_cast<std::uint64_t>(curve_.slow_start_threshold);
}

std::uint64_t Cubic::pacing_rate(Duration smoothed_rtt) const {
    return window_rate(window(), smoothed_rtt, in_slow_start());
}

// Time without anything in flight does not count (RFC 9438 section 5.8).
void Cubic::on_packet_sent(Instant now, std::uint64_t bytes, std::uint64_t bytes_in_flight) {
    const bool was_idle = bytes == bytes_in_flight;
    if (!was_idle || curve_.epoch_start == kNever || paused_since_ != kNever) return;
    curve_.epoch_start += now - std::max(acknowledged_at_, curve_.epoch_start);
    acknowledged_at_ = now;
}

void Cubic::on_acknowledged(const AckEvent& event) {
    acknowledged_at_ = event.now;
    if (recovery_.on_acknowledged(event.largest_acked_sent_time)) return;
    if (!may_grow(event, window(), in_slow_start(), settings_.max_datagram_size)) {
        if (paused_since_ == kNever) paused_since_ = event.now;
        return;
    }
    resume(event.now);
    if (in_slow_start()) {
        grow_in_slow_start(event);
    } else {
        grow_in_avoidance(event);
    }
    // Growth beyond the limit would never be used, and would hide a later reduction.
    const double limit = static_cast<double>(settings_.max_window);
    curve_.window = std::min(curve_.window, std::max(limit, least_window()));
}

// The time of the curve stands still while the window is not needed (RFC 9438 section 4.2).
void Cubic::resume(Instant now) {
    if (paused_since_ != kNever && curve_.epoch_start != kNever) {
        curve_.epoch_start += now - paused_since_;
    }
    paused_since_ = kNever;
}

void Cubic::grow_in_slow_start(const AckEvent& event) {
    hystart_.on_acknowledged(event.now, event.largest_acked_sent_time, event.latest_rtt);
    curve_.window +=
        static_cast<double>(event.acked_bytes) / static_cast<double>(hystart_.growth_divisor());
    const bool first_slow_start = curve_.slow_start_threshold == kInfinite;
    if (!first_slow_start || hystart_.phase() != HyStart::Phase::kDone) return;
    // Section 4.10: no loss has shown where the limit is; start from here with K = 0.
    curve_.slow_start_threshold = curve_.prior_window = curve_.max_window = curve_.window;
}

void Cubic::start_epoch(Instant now) {
    curve_.epoch_start = now;
    curve_.reno_window = curve_.window;
    if (curve_.max_window <= curve_.window) {
        curve_.max_window = curve_.window;
        curve_.k = 0;
    } else {
        curve_.k = std::cbrt((curve_.max_window - curve_.window) / (kC * segment()));
    }
}

double Cubic::cubic_window(double time) const {
    const double distance = time - curve_.k;
    return kC * segment() * distance * distance * distance + curve_.max_window;
}

void Cubic::grow_in_avoidance(const AckEvent& event) {
    if (curve_.epoch_start == kNever) start_epoch(event.now);
    const double time = seconds(event.now - curve_.epoch_start);
    const double acked = static_cast<double>(event.acked_bytes);
    double& window = curve_.window;

    // Section 4.3: what Reno would have.
    const double alpha = curve_.reno_window >= curve_.prior_window ? 1.0 : kAlpha;
    curve_.reno_window += alpha * segment() * acked / window;
    if (cubic_window(time) < curve_.reno_window) {
        window = std::max(window, curve_.reno_window);
        return;
    }
    // Sections 4.2, 4.4 and 4.5: in one round trip the window is to reach the target.
    const double aim = cubic_window(time + seconds(event.smoothed_rtt));
    const double target = std::clamp(aim, window, 1.5 * window);
    window += (target - window) * acked / window;
}

void Cubic::on_lost(const LossEvent& event) {
    if (event.lost_packets == 0) return;
    on_congestion_event(event.now, event.latest_lost_sent_time);
    recovery_.on_lost(event.lost_packets);
    if (event.persistent_congestion) collapse();
}

void Cubic::on_congestion_experienced(Instant now, Instant sent_time) {
    on_congestion_event(now, sent_time);
    recovery_.on_marked();
}

void Cubic::on_congestion_event(Instant now, Instant sent_time) {
    if (recovery_.contains(sent_time)) return;
    recovery_.start(now);
    hystart_.finish();
    undo_ = curve_;
    const double before = curve_.window;
    // Section 4.7: a limit lower than the last one makes room for others.
    const bool falling = before < curve_.max_window;
    curve_.max_window = falling ? before * (1 + kBeta) / 2 : before;
    curve_.prior_window = before;
    // The window stands for the flight: it does not grow beyond what is used.
    curve_.window = std::max(before * kBeta, least_window());
    curve_.slow_start_threshold = curve_.window;
    curve_.epoch_start = kNever;
    paused_since_ = kNever;
}

void Cubic::collapse() {
    //= 9002-7.6.2-5
    curve_.window = least_window();
    curve_.max_window = 0;  // section 4.8: the next epoch starts with K = 0
    curve_.epoch_start = kNever;
    recovery_.forget();
}

void Cubic::on_spurious_loss(Instant, std::uint32_t packets, Instant latest_sent_time) {
    if (!recovery_.on_spurious(packets, latest_sent_time)) return;
    // Section 4.9.2.
    if (curve_.window < curve_.prior_window) curve_ = undo_;
}

void Cubic::on_datagram_size_changed(std::uint32_t max_datagram_size) {
    const bool untouched = window() == initial_window(settings_);
    settings_.max_datagram_size = max_datagram_size;
    //= 9002-7.2-2
    //= 9002-7.2-3
    if (untouched) curve_.window = static_cast<double>(initial_window(settings_));
    curve_.window = std::max(curve_.window, least_window());
}

void Cubic::enter_window(std::uint64_t window, std::uint64_t slow_start_threshold) {
    curve_ = {};
    curve_.window = curve_.prior_window = curve_.max_window = static_cast<double>(window);
    curve_.slow_start_threshold = slow_start_threshold == kNoWindowLimit
                                      ? kInfinite
                                      : static_cast<double>(slow_start_threshold);
    undo_ = curve_;
    if (slow_start_threshold == kNoWindowLimit) hystart_.reset();
}

}  // namespace stoq::congestion
