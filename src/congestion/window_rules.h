// What every window-based controller of RFC 9002 section 7 has in common.
#pragma once

#include <optional>

#include "congestion/controller.h"

namespace stoq::congestion {

//= 9002-7.2-1
std::uint64_t initial_window(const ControllerSettings& settings);

//= 9002-7.2-4
constexpr std::uint64_t minimum_window(std::uint32_t max_datagram_size) {
    return 2 * std::uint64_t{max_datagram_size};
}

// False when the window was not needed, so that its size says nothing and it must not grow.
bool may_grow(const AckEvent& event, std::uint64_t window, bool slow_start,
              std::uint32_t max_datagram_size);

// N * window / smoothed_rtt in bytes per second, N = 2 in slow start and 1.25 after; 0 when the
// round-trip time is zero.
std::uint64_t window_rate(std::uint64_t window, Duration smoothed_rtt, bool slow_start);

// The period in which a window is reduced only once: until a packet is acknowledged that was sent
// after the reduction. Also counts what was reported lost in it, to tell when all of it was in
// error.
class RecoveryPeriod {
public:
    bool contains(Instant sent_time) const { return started_at_ && sent_time <= *started_at_; }
    // No packet has been acknowledged yet that was sent after the reduction.
    bool is_open() const { return open_; }
    void start(Instant now);
    // Whether the newest of the acknowledged packets, sent then, belongs to the period.
    bool on_acknowledged(Instant sent_time);
    void forget() { *this = RecoveryPeriod(); }

    // Losses of the current period; `by_mark`: CE marks are never in error.
    void on_lost(std::uint32_t packets) { lost_packets_ += packets; }
    void on_marked() { undoable_ = false; }
    // True when the last loss of the period has been taken back.
    bool on_spurious(std::uint32_t packets, Instant latest_sent_time);

private:
    std::optional<Instant> started_at_;
    std::optional<Instant> previous_started_at_;
    std::uint32_t lost_packets_ = 0;
    bool undoable_ = true;
    bool open_ = false;
};

// "slow_start", "recovery" or "congestion_avoidance" (RFC 9002 section 7.3).
std::string_view window_state(bool slow_start, const RecoveryPeriod& recovery);

}  // namespace stoq::congestion
