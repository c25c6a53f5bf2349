#include "congestion/careful_resume.h"

#include <algorithm>

#include "congestion/window_rules.h"

namespace stoq::congestion {
namespace {

constexpr std::uint64_t kJumpDivisor = 2;  // section 3.3: at most half of what was saved
// Section 3.2: a path whose round-trip time is that far from the saved one is another path.
constexpr int kShorterPath = 2;
constexpr int kLongerPath = 10;
// After a retreat slow start ends at this share of what the path took, in percent.
constexpr std::uint64_t kRetreatThreshold = 70;

}  // namespace

CarefulResume::CarefulResume(std::unique_ptr<Controller> inner, const ControllerSettings& settings,
                             const PathMemory& memory)
    : inner_(std::move(inner)),
      memory_(memory),
      first_window_(initial_window(settings)),
      max_window_(settings.max_window) {}

void CarefulResume::on_packet_sent(Instant now, std::uint64_t bytes,
                                   std::uint64_t bytes_in_flight) {
    inner_->on_packet_sent(now, bytes, bytes_in_flight);
    if (phase_ == Phase::kUnvalidated) jump_last_sent_ = now;
}

void CarefulResume::on_acknowledged(const AckEvent& event) {
    inner_->on_acknowledged(event);
    if (phase_ == Phase::kNormal) return;
    if (phase_ == Phase::kReconnaissance) return reconnoitre(event);
    pipe_size_ += event.acked_bytes;
    if (phase_ == Phase::kUnvalidated) {
        if (is_of_the_jump(event.largest_acked_sent_time)) end_jump(event);
        return;
    }
    if (event.largest_acked_sent_time < jump_last_sent_) return;
    if (phase_ == Phase::kSafeRetreat) {
        const std::uint64_t threshold = pipe_size_ / 100 * kRetreatThreshold;
        inner_->enter_window(inner_->window(), std::max(inner_->window(), threshold));
    }
    phase_ = Phase::kNormal;
}

// The whole initial window has to arrive, in a time like that of the earlier connection, and there
// must be more to send than the window allows.
void CarefulResume::reconnoitre(const AckEvent& event) {
    acked_ += event.acked_bytes;
    const Duration rtt = event.latest_rtt;
    const bool other_path = rtt != Duration::zero() && (rtt < memory_.round_trip / kShorterPath ||
                                                        rtt > memory_.round_trip * kLongerPath);
    const std::uint64_t jump = memory_.congestion_window / kJumpDivisor;
    if (other_path || inner_->window() >= jump) {
        phase_ = Phase::kNormal;
        return;
    }
    if (acked_ < first_window_ || event.app_limited) return;
    phase_ = Phase::kUnvalidated;
    pipe_size_ = event.bytes_in_flight_before - event.acked_bytes;
    jump_begun_ = jump_last_sent_ = event.now;
}

// The first packet of the jump has arrived: no more is sent than is in flight until all of it has.
void CarefulResume::end_jump(const AckEvent& event) {
    const std::uint64_t in_flight = event.bytes_in_flight_before - event.acked_bytes;
    const bool used = in_flight > std::max(pipe_size_, first_window_);
    phase_ = used ? Phase::kValidating : Phase::kNormal;
    inner_->enter_window(std::max({pipe_size_, first_window_, in_flight}),
                         inner_->slow_start_threshold());
}

void CarefulResume::on_lost(const LossEvent& event) {
    inner_->on_lost(event);
    if (event.persistent_congestion) {
        // The window has collapsed, below what a retreat would leave.
        phase_ = Phase::kNormal;
    } else if (event.lost_packets > 0) {
        on_congestion();
    }
}

void CarefulResume::on_congestion_experienced(Instant now, Instant sent_time) {
    inner_->on_congestion_experienced(now, sent_time);
    on_congestion();
}

void CarefulResume::on_congestion() {
    if (phase_ == Phase::kReconnaissance) phase_ = Phase::kNormal;
    if (phase_ != Phase::kUnvalidated && phase_ != Phase::kValidating) return;
    phase_ = Phase::kSafeRetreat;
    const std::uint64_t window = std::max(pipe_size_ / 2, first_window_);
    inner_->enter_window(window, window);
}

void CarefulResume::on_spurious_loss(Instant now, std::uint32_t packets, Instant latest_sent_time) {
    // What would be restored is the window of before the retreat.
    if (phase_ == Phase::kSafeRetreat) return;
    inner_->on_spurious_loss(now, packets, latest_sent_time);
}

void CarefulResume::on_datagram_size_changed(std::uint32_t max_datagram_size) {
    inner_->on_datagram_size_changed(max_datagram_size);
}

void CarefulResume::set_max_window(std::uint64_t bytes) {
    max_window_ = bytes;
    inner_->set_max_window(bytes);
}

void CarefulResume::enter_window(std::uint64_t window, std::uint64_t slow_start_threshold) {
    inner_->enter_window(window, slow_start_threshold);
}

void CarefulResume::reset() {
    // A Retry comes before anything is acknowledged; the path is still the same.
    if (acked_ > 0) phase_ = Phase::kNormal;
    inner_->reset();
}

std::uint64_t CarefulResume::window() const {
    if (phase_ != Phase::kUnvalidated) return inner_->window();
    const std::uint64_t jump = memory_.congestion_window / kJumpDivisor;
    return std::max(inner_->window(), std::min(jump, max_window_));
}

std::uint64_t CarefulResume::pacing_rate(Duration smoothed_rtt) const {
    if (phase_ != Phase::kUnvalidated) return inner_->pacing_rate(smoothed_rtt);
    // Spread over a round trip (section 4.3), and not faster.
    return window_rate(window(), smoothed_rtt, false) / 5 * 4;
}

std::string_view CarefulResume::state_name() const {
    switch (phase_) {
        case Phase::kUnvalidated: return "unvalidated";
        case Phase::kValidating: return "validating";
        case Phase::kSafeRetreat: return "safe_retreat";
        case Phase::kReconnaissance:
        case Phase::kNormal: break;
    }
    return inner_->state_name();
}

}  // namespace stoq::congestion
