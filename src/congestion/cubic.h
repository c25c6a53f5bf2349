// CUBIC (RFC 9438), with HyStart++ for the first slow start.
//
// Windows are kept in bytes, and in double precision where the RFC's formulas need fractions.
#pragma once

#include "congestion/controller.h"
#include "congestion/hystart.h"
#include "congestion/window_rules.h"

namespace stoq::congestion {

class Cubic final : public Controller {
public:
    explicit Cubic(const ControllerSettings& settings);

    void on_packet_sent(Instant now, std::uint64_t bytes, std::uint64_t bytes_in_flight) override;
    void on_acknowledged(const AckEvent& event) override;
    void on_lost(const LossEvent& event) override;
    void on_congestion_experienced(Instant now, Instant sent_time) override;
    void on_spurious_loss(Instant now, std::uint32_t packets, Instant latest_sent_time) override;
    void on_datagram_size_changed(std::uint32_t max_datagram_size) override;
    void set_max_window(std::uint64_t bytes) override { settings_.max_window = bytes; }
    void enter_window(std::uint64_t window, std::uint64_t slow_start_threshold) override;
    void reset() override;

    std::uint64_t window() const override;
    bool in_slow_start() const override { return curve_.window < curve_.slow_start_threshold; }
    std::uint64_t pacing_rate(Duration smoothed_rtt) const override;
    std::uint64_t slow_start_threshold() const override;
    std::string_view name() const override { return "cubic"; }
    std::string_view state_name() const override {
        return window_state(in_slow_start(), recovery_);
    }

private:
    // The variables of RFC 9438 section 4.1.2, in bytes and seconds: what an undo restores.
    struct Curve {
        double window = 0;                // cwnd
        double slow_start_threshold = 0;  // ssthresh
        double prior_window = 0;          // cwnd_prior
        double max_window = 0;            // W_max
        double k = 0;                     // K, seconds
        double reno_window = 0;           // W_est
        Instant epoch_start = kNever;     // t_epoch; kNever: no epoch has begun
    };

    void on_congestion_event(Instant now, Instant sent_time);
    void collapse();
    void start_epoch(Instant now);
    void grow_in_slow_start(const AckEvent& event);
    void grow_in_avoidance(const AckEvent& event);
    void resume(Instant now);
    // W_cubic, `time` seconds into the epoch.
    double cubic_window(double time) const;
    double least_window() const;
    double segment() const { return settings_.max_datagram_size; }

    ControllerSettings settings_;
    HyStart hystart_;
    RecoveryPeriod recovery_;
    Curve curve_;
    Curve undo_;
    Instant paused_since_ = kNever;  // growth has stopped for want of data
    Instant acknowledged_at_{};      // the last time
};

}  // namespace stoq::congestion
