#include "congestion/new_reno.h"

#include <algorithm>

namespace stoq::congestion {

NewReno::NewReno(const ControllerSettings& settings) : settings_(settings) {
    reset();
}

void NewReno::reset() {
    hystart_.reset();
    recovery_.forget();
    window_ = initial_window(settings_);
    slow_start_threshold_ = kNoWindowLimit;
    acked_in_avoidance_ = 0;
}

std::uint64_t NewReno::window() const {
    return std::min(window_, settings_.max_window);
}

std::uint64_t NewReno::pacing_rate(Duration smoothed_rtt) const {
    return window_rate(window(), smoothed_rtt, in_slow_start());
}

void NewReno::on_packet_sent(Instant, std::uint64_t, std::uint64_t) {}

void NewReno::on_acknowledged(const AckEvent& event) {
    if (recovery_.on_acknowledged(event.largest_acked_sent_time)) return;
    if (!may_grow(event, window(), in_slow_start(), settings_.max_datagram_size)) return;
    if (in_slow_start()) {
        grow_in_slow_start(event);
    } else {
        grow_in_avoidance(event);
    }
    // Growth beyond the limit would never be used, and would hide a later reduction.
    const std::uint64_t limit =
        std::max(settings_.max_window, minimum_window(settings_.max_datagram_size));
    window_ = std::min(window_, limit);
}

void NewReno::grow_in_slow_start(const AckEvent& event) {
    hystart_.on_acknowledged(event.now, event.largest_acked_sent_time, event.latest_rtt);
    window_ += event.acked_bytes / hystart_.growth_divisor();
    const bool first_slow_start = slow_start_threshold_ == kNoWindowLimit;
    if (first_slow_start && hystart_.phase() == HyStart::Phase::kDone) {
        slow_start_threshold_ = window_;
    }
}

void NewReno::grow_in_avoidance(const AckEvent& event) {
    //= 9002-7.3.3-1
    acked_in_avoidance_ += event.acked_bytes;
    if (acked_in_avoidance_ < window_) return;
    acked_in_avoidance_ -= window_;
    window_ += settings_.max_datagram_size;
}

void NewReno::on_lost(const LossEvent& event) {
    if (event.lost_packets == 0) return;
    on_congestion_event(event.now, event.latest_lost_sent_time);
    recovery_.on_lost(event.lost_packets);
    if (!event.persistent_congestion) return;
    //= 9002-7.6.2-5
    window_ = minimum_window(settings_.max_datagram_size);
    acked_in_avoidance_ = 0;
    recovery_.forget();
}

void NewReno::on_congestion_experienced(Instant now, Instant sent_time) {
    on_congestion_event(now, sent_time);
    recovery_.on_marked();
}

void NewReno::on_congestion_event(Instant now, Instant sent_time) {
    if (recovery_.contains(sent_time)) return;
    recovery_.start(now);
    hystart_.finish();
    undo_window_ = window_;
    undo_threshold_ = slow_start_threshold_;
    acked_in_avoidance_ = 0;
    //= 9002-7.3.1-1
    //= 9002-7.3.2-1
    //= 9002-7.3.2-2
    slow_start_threshold_ = std::max(window_ / 2, minimum_window(settings_.max_datagram_size));
    window_ = slow_start_threshold_;
}

void NewReno::on_spurious_loss(Instant, std::uint32_t packets, Instant latest_sent_time) {
    if (!recovery_.on_spurious(packets, latest_sent_time) || window_ >= undo_window_) return;
    window_ = undo_window_;
    slow_start_threshold_ = undo_threshold_;
}

void NewReno::on_datagram_size_changed(std::uint32_t max_datagram_size) {
    const bool untouched = window_ == initial_window(settings_);
    settings_.max_datagram_size = max_datagram_size;
    //= 9002-7.2-2
    //= 9002-7.2-3
    if (untouched) window_ = initial_window(settings_);
    window_ = std::max(window_, minimum_window(max_datagram_size));
}

void NewReno::enter_window(std::uint64_t window, std::uint64_t slow_start_threshold) {
    window_ = undo_window_ = window;
    slow_start_threshold_ = undo_threshold_ = slow_start_threshold;
    acked_in_avoidance_ = 0;
    if (slow_start_threshold == kNoWindowLimit) hystart_.reset();
}

}  // namespace stoq::congestion
