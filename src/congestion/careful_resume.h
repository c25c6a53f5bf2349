// Careful resume (RFC 9959): on a path that an earlier connection knew, half of what was in flight
// then may be in flight after one round trip, paced, and what that does to the path decides.
//
// Stands before another controller, which is told of everything and decides in the end.
#pragma once

#include "congestion/controller.h"
#include "stoq/path_memory.h"

namespace stoq::congestion {

class CarefulResume final : public Controller {
public:
    // The names of the RFC, sections 3 and 4.
    enum class Phase : std::uint8_t {
        kReconnaissance,  // the initial window tells whether this is the path that it was
        kUnvalidated,     // the jump is being sent
        kValidating,      // ... and is being acknowledged
        kSafeRetreat,     // ... and was too much
        kNormal,
    };

    CarefulResume(std::unique_ptr<Controller> inner, const ControllerSettings& settings,
                  const PathMemory& memory);

    Phase phase() const { return phase_; }

    void on_packet_sent(Instant now, std::uint64_t bytes, std::uint64_t bytes_in_flight) override;
    void on_acknowledged(const AckEvent& event) override;
    void on_lost(const LossEvent& event) override;
    void on_congestion_experienced(Instant now, Instant sent_time) override;
    void on_spurious_loss(Instant now, std::uint32_t packets, Instant latest_sent_time) override;
    void on_datagram_size_changed(std::uint32_t max_datagram_size) override;
    void set_max_window(std::uint64_t bytes) override;
    void enter_window(std::uint64_t window, std::uint64_t slow_start_threshold) override;
    void reset() override;

    std::uint64_t window() const override;
    bool in_slow_start() const override { return inner_->in_slow_start(); }
    std::uint64_t pacing_rate(Duration smoothed_rtt) const override;
    std::uint64_t slow_start_threshold() const override { return inner_->slow_start_threshold(); }
    std::string_view name() const override { return inner_->name(); }
    std::string_view state_name() const override;

private:
    void reconnoitre(const AckEvent& event);
    void end_jump(const AckEvent& event);
    void on_congestion();
    bool is_of_the_jump(Instant sent_time) const { return sent_time >= jump_begun_; }

    std::unique_ptr<Controller> inner_;
    PathMemory memory_;
    std::uint64_t first_window_;
    std::uint64_t max_window_;
    Phase phase_ = Phase::kReconnaissance;
    std::uint64_t acked_ = 0;      // in the first phase
    std::uint64_t pipe_size_ = 0;  // what the path is known to take: PipeSize of the RFC
    Instant jump_begun_ = kNever;
    Instant jump_last_sent_ = kNever;
};

}  // namespace stoq::congestion
