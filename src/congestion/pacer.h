// Pacer: spreads a window over a round trip (RFC 9002 section 7.7). A token bucket of bytes.
//
// Bursts of one quantum are let through, because a train of datagrams costs one system call; on
// slow paths that is two datagrams, since what comes in bursts finds the queue full that others
// share with it. When nothing is in flight bursts of ten are let through as well: they are what a
// request or its answer is made of.
//
// A timer that fires late must not cost throughput: for the time between the moment that
// next_send() named and the moment of the call, up to `kTimerSlack`, the bucket fills beyond the
// quantum.
#pragma once

#include <cstdint>

#include "stoq/types.h"

namespace stoq::congestion {

class Pacer {
public:
    static constexpr Duration kTimerSlack = std::chrono::milliseconds(1);

    explicit Pacer(std::uint32_t max_datagram_size);

    // Bytes per second, of Controller::pacing_rate(); 0 lets everything through.
    void set_rate(Instant now, std::uint64_t bytes_per_second);
    void on_datagram_size_changed(std::uint32_t max_datagram_size);

    // Nothing is in flight.
    void on_idle();
    // Bytes that may leave now. Ask once per train, and fill datagrams until it is used up.
    std::uint64_t budget(Instant now);
    bool can_send(Instant now, std::uint64_t bytes) { return budget(now) >= bytes; }
    // When `bytes`, or a quantum if that is less, may leave: the deadline for the timer.
    Instant next_send(Instant now, std::uint64_t bytes);
    // Also for packets that were sent without asking (probes): the bucket goes into debt, by a
    // quantum at most.
    void on_sent(Instant now, std::uint64_t bytes);

    std::uint64_t quantum() const { return quantum_; }
    std::uint64_t rate() const { return rate_; }

private:
    void refill(Instant now);
    void update_quantum();
    double bytes_in(Duration time) const;

    std::uint32_t max_datagram_size_;
    std::uint64_t rate_ = 0;
    std::uint64_t quantum_ = 0;
    double tokens_ = 0;  // bytes; fractions matter when the bucket is asked often
    Instant refilled_at_{};
    Instant waiting_until_ = kNever;  // the moment that next_send() named, while it is awaited
};

}  // namespace stoq::congestion
