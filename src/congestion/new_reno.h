// NewReno as RFC 9002 section 7 describes it.
#pragma once

#include "congestion/controller.h"
#include "congestion/hystart.h"
#include "congestion/window_rules.h"

namespace stoq::congestion {

class NewReno final : public Controller {
public:
    explicit NewReno(const ControllerSettings& settings);

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
    bool in_slow_start() const override { return window_ < slow_start_threshold_; }
    std::uint64_t pacing_rate(Duration smoothed_rtt) const override;
    std::uint64_t slow_start_threshold() const override { return slow_start_threshold_; }
    std::string_view name() const override { return "newreno"; }
    std::string_view state_name() const override {
        return window_state(in_slow_start(), recovery_);
    }

private:
    void on_congestion_event(Instant now, Instant sent_time);
    void grow_in_slow_start(const AckEvent& event);
    void grow_in_avoidance(const AckEvent& event);

    ControllerSettings settings_;
    HyStart hystart_;
    RecoveryPeriod recovery_;
    std::uint64_t window_ = 0;
    std::uint64_t slow_start_threshold_ = kNoWindowLimit;
    std::uint64_t acked_in_avoidance_ = 0;  // towards the next datagram of growth
    // The state before the latest reduction, for when the losses turn out to be none.
    std::uint64_t undo_window_ = 0;
    std::uint64_t undo_threshold_ = kNoWindowLimit;
};

}  // namespace stoq::congestion
