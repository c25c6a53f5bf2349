// BBR version 3 (draft-ietf-ccwg-bbr): sends at the rate that the path delivers, and keeps as much
// in flight as that needs, instead of filling queues until they overflow.
//
//     Startup -> Drain -> ProbeDown -> ProbeCruise -> ProbeRefill -> ProbeUp -> ProbeDown ...
//                             any of them -> ProbeRtt -> ProbeCruise (or Startup)
//
// It holds two models of the path. The long-term one is what probing found: the largest delivery
// rate, the smallest round-trip time, and how much in flight met too much loss. The short-term one
// is a caution: lowered by loss between probes, and thrown away before the next probe.
// bbr.cpp has the model and what follows from it, bbr_states.cpp the states.
//
// Differences from the draft, whose pseudo-code works packet by packet: losses are told once per
// ACK, so the burst that crossed the limit is all that was lost at once; CE marks, to which the
// draft gives no response, count as a loss of the round in which they are reported.
#pragma once

#include <optional>

#include "congestion/bbr_filters.h"
#include "congestion/controller.h"
#include "congestion/window_rules.h"

namespace stoq::congestion {

class Bbr final : public Controller {
public:
    enum class State : std::uint8_t {
        kStartup,
        kDrain,
        kProbeDown,
        kProbeCruise,
        kProbeRefill,
        kProbeUp,
        kProbeRtt,
    };

    explicit Bbr(const ControllerSettings& settings);

    void on_packet_sent(Instant now, std::uint64_t bytes, std::uint64_t bytes_in_flight) override;
    void on_acknowledged(const AckEvent& event) override;
    void on_lost(const LossEvent& event) override;
    void on_congestion_experienced(Instant now, Instant sent_time) override;
    void on_spurious_loss(Instant now, std::uint32_t packets, Instant latest_sent_time) override;
    void on_datagram_size_changed(std::uint32_t max_datagram_size) override;
    void set_max_window(std::uint64_t bytes) override { settings_.max_window = bytes; }
    // Its model of the path learns from what the jump delivers; the window follows from that.
    void enter_window(std::uint64_t, std::uint64_t) override {}
    void reset() override;

    std::uint64_t window() const override;
    bool in_slow_start() const override { return state_ == State::kStartup; }
    std::uint64_t pacing_rate(Duration smoothed_rtt) const override;
    // BBR has none.
    std::uint64_t slow_start_threshold() const override { return kNoWindowLimit; }
    std::string_view name() const override { return "bbr"; }

    std::string_view state_name() const override;

    State state() const { return state_; }
    // Bytes per second that the path is thought to deliver.
    std::uint64_t bandwidth() const { return bandwidth_; }

private:
    // What is thought to be safe; kNoWindowLimit where nothing is known against more.
    struct Bounds {
        std::uint64_t short_term_bandwidth = kNoWindowLimit;
        std::uint64_t short_term_flight = kNoWindowLimit;
        std::uint64_t long_term_flight = kNoWindowLimit;
    };
    // What arrived in the last round trip, and what was lost in it.
    struct Latest {
        std::uint64_t rate = 0;
        std::uint64_t delivered = 0;
        std::uint64_t flight_bytes = 0;    // when the newest acknowledged packet left
        std::uint64_t loss_round_end = 0;  // total delivered at which the round of losses ends
        std::uint32_t lost_ranges = 0;
        bool round_start = false;  // this ACK ends a round of losses
        bool loss = false;
    };
    // What the acknowledgements that arrive mean for probing.
    enum class Feedback : std::uint8_t { kNone, kRefilling, kStarting, kProbing, kStopping };
    struct Cycle {
        Instant started_at{};
        Duration wait{};  // until the next probe, at the latest
        std::uint64_t rounds_since_probe = 0;
        std::uint64_t acked = 0;  // towards the next raise of the long-term bound
        std::uint64_t acked_per_raise = kNoWindowLimit;
        std::uint32_t rounds_up = 0;
        Feedback feedback = Feedback::kNone;
        bool probe_sample = false;  // acknowledged packets were sent while probing
        bool too_high = false;      // the last probe met too much loss
        bool cautious = false;      // the last probe was ended early, for that reason
    };
    struct RttProbe {
        Instant done_at = kNever;  // kNever: what is in flight has not fallen yet
        bool round_done = false;
        // Samples of packets sent before this much was delivered are held down by the probe.
        std::uint64_t limited_until = 0;
    };
    struct Recovery {
        RecoveryPeriod period;
        bool active = false;
        std::uint64_t prior_window = 0;  // before it, or before a probe of the round-trip time
        // For when the losses turn out to be none: the state that they ended, and what was safe.
        std::optional<State> ended_state;
        Bounds prior_bounds;
    };

    // --- The model, bbr.cpp ---
    void update_latest(const AckEvent& event, bool app_limited);
    void adapt_to_loss();
    void advance_latest(const AckEvent& event);
    void note_loss();
    void enter_recovery(Instant now);
    void save_window();
    void restore_window();
    void set_pacing_rate(double gain);
    void set_window(const AckEvent& event);
    std::uint64_t window_bound() const;
    std::uint64_t bandwidth_delay_product(std::uint64_t bandwidth, double gain) const;
    std::uint64_t wanted_flight(std::uint64_t bytes) const;
    std::uint64_t flight_with_headroom() const;
    std::uint64_t target_flight() const;
    std::uint64_t least_window() const { return 4 * std::uint64_t{settings_.max_datagram_size}; }
    std::uint64_t probe_rtt_window() const;
    bool is_window_limited(const AckEvent& event) const;

    // --- The states, bbr_states.cpp ---
    bool probing_bandwidth() const;  // in one of the four states of ProbeBW
    bool accelerating() const;
    void update_state(const AckEvent& event, bool app_limited);
    static bool is_loss_too_high(std::uint64_t lost, std::uint64_t flight);
    static std::uint64_t flight_at_loss(const LossEvent& event);
    void check_startup(const AckEvent& event);
    void on_startup_too_high();
    void check_drain(const AckEvent& event);
    void update_probe_cycle(const AckEvent& event, bool app_limited);
    bool adapt_long_term(const AckEvent& event, bool app_limited);
    void raise_long_term(const AckEvent& event);
    bool is_time_to_probe(Instant now) const;
    bool is_time_to_cruise(const AckEvent& event) const;
    bool is_time_to_go_down(const AckEvent& event);
    void start_down(Instant now);
    void start_refill();
    void start_up(const AckEvent& event);
    void raise_slope();
    void check_probe_rtt(const AckEvent& event);
    void hold_probe_rtt(const AckEvent& event);
    void end_probe_rtt_if_done(Instant now);
    void on_flight_too_high(Instant now, std::uint64_t flight, bool app_limited);
    void resume_ended_state();
    std::uint64_t next_random();

    ControllerSettings settings_;
    State state_ = State::kStartup;
    std::uint64_t window_ = 0;
    std::uint64_t pacing_rate_ = 0;  // 0: no round trip has been measured
    std::uint64_t bandwidth_ = 0;
    std::uint64_t total_delivered_ = 0;
    MaxBandwidth max_bandwidth_;
    RoundCounter rounds_;
    MinimumRtt min_rtt_;
    AckAggregation aggregation_;
    FullPipe full_pipe_;
    Bounds bounds_;
    Latest latest_;
    Cycle cycle_;
    RttProbe rtt_probe_;
    Recovery recovery_;
    std::uint64_t drain_round_ = 0;  // round in which Drain began
    std::uint64_t random_ = 0;
    bool idle_restart_ = false;
};

}  // namespace stoq::congestion
