#include "congestion/window_rules.h"

#include <algorithm>

namespace stoq::congestion {
namespace {

// RFC 9002 section 7.2 allows ten datagrams up to 14720 bytes; other counts in proportion.
constexpr std::uint64_t kInitialBytesPerDatagram = 1472;
//= 9002-7.7-1
constexpr double kGainInSlowStart = 2.0;
constexpr double kGain = 1.25;

}  // namespace

std::uint64_t initial_window(const ControllerSettings& settings) {
    const std::uint64_t datagram = settings.max_datagram_size;
    const std::uint64_t limit =
        std::max(kInitialBytesPerDatagram * settings.initial_window_datagrams, 2 * datagram);
    const std::uint64_t wanted = datagram * settings.initial_window_datagrams;
    return std::max(std::min(wanted, limit), minimum_window(settings.max_datagram_size));
}

bool may_grow(const AckEvent& event, std::uint64_t window, bool slow_start,
              std::uint32_t max_datagram_size) {
    //= 9002-7.8-2
    if (!event.app_limited) return true;
    //= 9002-7.8-1
    // A window that doubles per round trip was needed if half of it was.
    // Otherwise it was needed if no datagram fitted any more.
    if (slow_start) return 2 * event.bytes_in_flight_before >= window;
    return event.bytes_in_flight_before + max_datagram_size > window;
}

std::uint64_t window_rate(std::uint64_t window, Duration smoothed_rtt, bool slow_start) {
    if (smoothed_rtt <= Duration::zero()) return 0;
    const double seconds = std::chrono::duration<double>(smoothed_rtt).count();
    const double gain = slow_start ? kGainInSlowStart : kGain;
    return static_cast<std::uint64_t>(gain * static_cast<double>(window) / seconds);
}

void RecoveryPeriod::start(Instant now) {
    previous_started_at_ = started_at_;
    started_at_ = now;
    lost_packets_ = 0;
    undoable_ = open_ = true;
}

bool RecoveryPeriod::on_acknowledged(Instant sent_time) {
    open_ = contains(sent_time);
    return open_;
}

bool RecoveryPeriod::on_spurious(std::uint32_t packets, Instant latest_sent_time) {
    const bool older = previous_started_at_ && latest_sent_time <= *previous_started_at_;
    if (lost_packets_ == 0 || older) return false;
    lost_packets_ -= std::min(lost_packets_, packets);
    if (lost_packets_ != 0 || !undoable_) return false;
    open_ = false;
    return true;
}

std::string_view window_state(bool slow_start, const RecoveryPeriod& recovery) {
    if (recovery.is_open()) return "recovery";
    return slow_start ? "slow_start" : "congestion_avoidance";
}

}  // namespace stoq::congestion
