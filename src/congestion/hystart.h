// HyStart: leaves slow start before it overruns the queue (HyStart++, RFC 9406).
//
// A round is one round trip: it ends with the first acknowledgement of a packet sent after it
// began. If a round's smallest RTT is clearly above that of the round before, conservative slow
// start begins; if it persists for five rounds, slow start is over; if the RTT falls again, the
// alarm was false and slow start goes on.
#pragma once

#include <cstdint>

#include "stoq/types.h"

namespace stoq::congestion {

class HyStart {
public:
    enum class Phase : std::uint8_t { kSlowStart, kConservative, kDone };

    // One ACK during slow start. `latest_rtt` is zero when it gave no sample.
    void on_acknowledged(Instant now, Instant largest_acked_sent_time, Duration latest_rtt);

    Phase phase() const { return phase_; }
    // What to divide the growth of slow start by.
    std::uint64_t growth_divisor() const { return phase_ == Phase::kConservative ? 4 : 1; }
    // Slow start has ended for another reason; HyStart++ is for the first one only.
    void finish() { phase_ = Phase::kDone; }
    void reset() { *this = HyStart(); }

private:
    void start_round(Instant now);
    void check_delay_increase();

    Phase phase_ = Phase::kSlowStart;
    bool started_ = false;
    std::uint32_t samples_ = 0;  // RTT samples in this round
    std::uint32_t conservative_rounds_ = 0;
    Instant round_started_at_{};
    Duration last_round_min_ = Duration::max();
    Duration current_round_min_ = Duration::max();
    Duration baseline_min_ = Duration::max();  // of the round that raised the alarm
};

}  // namespace stoq::congestion
