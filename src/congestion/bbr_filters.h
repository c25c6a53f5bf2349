// What BBR measures about a path: each class watches one signal and forgets it in its own time.
// Section titles are those of draft-ietf-ccwg-bbr.
#pragma once

#include <array>
#include <cstdint>

#include "stoq/types.h"

namespace stoq::congestion {

// Rates are bytes per second.

// BBR.max_bw: the largest delivery rate of this probing cycle and of the one before.
class MaxBandwidth {
public:
    void on_sample(std::uint64_t rate, bool app_limited);
    // A cycle is over: what was measured two cycles ago is forgotten.
    void advance();
    std::uint64_t rate() const { return current_ > previous_ ? current_ : previous_; }

private:
    std::uint64_t current_ = 0;
    std::uint64_t previous_ = 0;
};

// Round trips in terms of packets: one ends when a packet is acknowledged that was sent after it
// had begun, however long that takes.
class RoundCounter {
public:
    // `prior_delivered`: what had been delivered when the newest acknowledged packet was sent.
    void on_acknowledged(std::uint64_t prior_delivered, std::uint64_t total_delivered);
    // The current round ends with the acknowledgement of what is sent from now on.
    void restart(std::uint64_t total_delivered) { end_ = total_delivered; }

    std::uint64_t count() const { return count_; }
    // The acknowledgement that was told last began a round.
    bool started() const { return started_; }

private:
    std::uint64_t end_ = 0;
    std::uint64_t count_ = 0;
    bool started_ = false;
};

// BBR.min_rtt, over ten seconds, and when it has to be measured anew with an empty queue.
class MinimumRtt {
public:
    static constexpr Duration kFilterLength = std::chrono::seconds(10);
    static constexpr Duration kProbeInterval = std::chrono::seconds(5);

    // `rtt` is zero when there was no sample.
    void on_sample(Instant now, Duration rtt);
    // A probe has just been made: the next is due an interval later.
    void on_probed(Instant now) { recent_at_ = now; }

    // Duration::max() before the first sample.
    Duration rtt() const { return minimum_; }
    bool known() const { return minimum_ != Duration::max(); }
    // Nothing as small was seen for an interval.
    bool probe_due() const { return probe_due_; }

private:
    Duration recent_ = Duration::max();  // BBR.probe_rtt_min_delay
    Instant recent_at_{};
    Duration minimum_ = Duration::max();
    Instant minimum_at_{};
    bool probe_due_ = false;
};

// BBR.extra_acked: how many more bytes arrive at once than the bandwidth explains, because
// acknowledgements or packets are collected on the way. The largest of the last rounds.
class AckAggregation {
public:
    static constexpr std::size_t kRounds = 10;

    struct Sample {
        Instant now;
        std::uint64_t acked_bytes = 0;
        std::uint64_t bandwidth = 0;
        std::uint64_t limit = 0;  // a sample is not larger than this
        std::uint64_t round = 0;
    };

    void restart(Instant now);
    void on_acknowledged(const Sample& sample);
    // Over the last `rounds` round trips, the current one included; at most kRounds.
    std::uint64_t bytes(std::size_t rounds) const;

private:
    void open_round(std::uint64_t round);

    std::array<std::uint64_t, kRounds> largest_{};  // by round, modulo kRounds
    std::uint64_t round_ = 0;
    Instant started_at_{};
    std::uint64_t delivered_ = 0;  // since then
};

// Whether sending faster still brings more: "full" after three rounds in which the delivery rate
// did not grow by a quarter.
class FullPipe {
public:
    // Looks again, from a rate that is known.
    void restart(std::uint64_t baseline = 0);
    // At the beginning of each round, for samples that the application did not limit.
    void on_round(std::uint64_t rate);
    // The path is known to be full for another reason.
    void set_reached() { reached_ = true; }
    // It was not: Startup begins again.
    void forget() { reached_ = false; }

    bool full_now() const { return full_now_; }
    // Has ever been full.
    bool reached() const { return reached_; }

private:
    std::uint64_t baseline_ = 0;
    std::uint32_t rounds_without_growth_ = 0;
    bool full_now_ = false;
    bool reached_ = false;
};

}  // namespace stoq::congestion
