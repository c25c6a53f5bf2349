// BBR's model of the path, and the rate and window that follow from it. Comments name the functions
// of the draft's pseudo-code.
#include "congestion/bbr.h"

#include <algorithm>

namespace stoq::congestion {
namespace {

constexpr double kBeta = 0.7;
constexpr double kHeadroom = 0.15;
constexpr double kPacingMargin = 0.99;
constexpr double kStartupPacingGain = 2.77;
constexpr double kProbeRttGain = 0.5;
constexpr std::uint64_t kGreatestQuantum = 64 * 1024;

struct Gains {
    double pacing;
    double window;
};

constexpr Gains gains_of(Bbr::State state) {
    switch (state) {
        case Bbr::State::kStartup: return {kStartupPacingGain, 2};
        case Bbr::State::kDrain: return {0.5, 2};
        case Bbr::State::kProbeDown: return {0.9, 2};
        case Bbr::State::kProbeUp: return {1.25, 2.25};
        case Bbr::State::kProbeRtt: return {1, kProbeRttGain};
        case Bbr::State::kProbeCruise:
        case Bbr::State::kProbeRefill: break;
    }
    return {1, 2};
}

std::uint64_t scaled(std::uint64_t value, double factor) {
    return static_cast<std::uint64_t>(static_cast<double>(value) * factor);
}

double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

Bbr::Bbr(const ControllerSettings& settings) : settings_(settings) {
    reset();
}

// OnInit()
void Bbr::reset() {
    state_ = State::kStartup;
    window_ = initial_window(settings_);
    pacing_rate_ = bandwidth_ = total_delivered_ = drain_round_ = 0;
    max_bandwidth_ = {};
    rounds_ = {};
    min_rtt_ = {};
    aggregation_ = {};
    full_pipe_ = {};
    bounds_ = {};
    latest_ = {};
    cycle_ = {};
    rtt_probe_ = {};
    recovery_ = {};
    random_ = settings_.seed;
    idle_restart_ = false;
}

std::uint64_t Bbr::window() const {
    return std::min(window_, settings_.max_window);
}

// InitPacingRate(), until a bandwidth is known.
std::uint64_t Bbr::pacing_rate(Duration smoothed_rtt) const {
    if (pacing_rate_ != 0 || smoothed_rtt <= Duration::zero()) return pacing_rate_;
    return scaled(window_, kStartupPacingGain / seconds(smoothed_rtt));
}

// HandleRestartFromIdle()
void Bbr::on_packet_sent(Instant now, std::uint64_t bytes, std::uint64_t bytes_in_flight) {
    if (bytes_in_flight != bytes || total_delivered_ == 0) return;
    idle_restart_ = true;
    aggregation_.restart(now);
    if (probing_bandwidth()) set_pacing_rate(1);
    if (state_ == State::kProbeRtt) end_probe_rtt_if_done(now);
}

// UpdateOnACK()
void Bbr::on_acknowledged(const AckEvent& event) {
    const bool app_limited = event.app_limited || event.prior_delivered < rtt_probe_.limited_until;
    total_delivered_ = event.total_delivered;
    if (pacing_rate_ == 0) pacing_rate_ = pacing_rate(event.smoothed_rtt);

    update_latest(event, app_limited);
    if (latest_.round_start) adapt_to_loss();
    aggregation_.on_acknowledged({.now = event.now,
                                  .acked_bytes = event.acked_bytes,
                                  .bandwidth = bandwidth_,
                                  .limit = window_,
                                  .round = rounds_.count()});
    update_state(event, app_limited);
    advance_latest(event);
    bandwidth_ = std::min(max_bandwidth_.rate(), bounds_.short_term_bandwidth);

    set_pacing_rate(gains_of(state_).pacing);
    set_window(event);
}

// UpdateLatestDeliverySignals(), UpdateMaxBw()
void Bbr::update_latest(const AckEvent& event, bool app_limited) {
    const std::uint64_t delivered = event.total_delivered - event.prior_delivered;
    latest_.rate = std::max(latest_.rate, event.delivery_rate);
    latest_.delivered = std::max(latest_.delivered, delivered);
    latest_.flight_bytes = event.flight_bytes;
    latest_.round_start = event.prior_delivered >= latest_.loss_round_end;
    if (latest_.round_start) latest_.loss_round_end = event.total_delivered;

    rounds_.on_acknowledged(event.prior_delivered, event.total_delivered);
    if (rounds_.started()) ++cycle_.rounds_since_probe;
    max_bandwidth_.on_sample(event.delivery_rate, app_limited);
}

// AdaptLowerBoundsFromCongestion(): once in a round trip with losses, towards what arrived in it.
void Bbr::adapt_to_loss() {
    if (latest_.loss && !accelerating()) {
        if (bounds_.short_term_bandwidth == kNoWindowLimit) {
            bounds_.short_term_bandwidth = max_bandwidth_.rate();
        }
        if (bounds_.short_term_flight == kNoWindowLimit) bounds_.short_term_flight = window_;
        bounds_.short_term_bandwidth =
            std::max(latest_.rate, scaled(bounds_.short_term_bandwidth, kBeta));
        bounds_.short_term_flight =
            std::max(latest_.delivered, scaled(bounds_.short_term_flight, kBeta));
    }
    latest_.loss = false;
}

// AdvanceLatestDeliverySignals()
void Bbr::advance_latest(const AckEvent& event) {
    if (!latest_.round_start) return;
    latest_.rate = event.delivery_rate;
    latest_.delivered = event.total_delivered - event.prior_delivered;
    latest_.lost_ranges = 0;
}

// --- Losses --------------------------------------------------------------------------------------

// NoteLoss()
void Bbr::note_loss() {
    if (!latest_.loss) {
        latest_.loss_round_end = total_delivered_;
        save_window();
        recovery_.ended_state.reset();
        recovery_.prior_bounds = bounds_;
    }
    latest_.loss = true;
}

void Bbr::enter_recovery(Instant now) {
    if (recovery_.active) return;
    recovery_.active = true;
    recovery_.period.start(now);
}

// SaveCwnd()
void Bbr::save_window() {
    const bool lowered = recovery_.active || state_ == State::kProbeRtt;
    recovery_.prior_window = lowered ? std::max(recovery_.prior_window, window_) : window_;
}

// RestoreCwnd()
void Bbr::restore_window() {
    window_ = std::max(window_, recovery_.prior_window);
}

// HandleLostPacket(), for all that one ACK or timer found lost.
void Bbr::on_lost(const LossEvent& event) {
    if (event.lost_packets == 0) return;
    total_delivered_ = event.total_delivered;
    note_loss();
    enter_recovery(event.now);
    recovery_.period.on_lost(event.lost_packets);
    latest_.lost_ranges += event.lost_ranges;
    if (cycle_.probe_sample && is_loss_too_high(event.lost_since_sent, event.flight_bytes)) {
        on_flight_too_high(event.now, flight_at_loss(event), event.app_limited);
    }
    if (!event.persistent_congestion) return;
    //= 9002-7.6.2-5
    window_ = minimum_window(settings_.max_datagram_size);
}

void Bbr::on_congestion_experienced(Instant now, Instant sent_time) {
    if (recovery_.period.contains(sent_time)) return;
    note_loss();
    recovery_.period.start(now);
    recovery_.period.on_marked();
    recovery_.active = true;
    if (state_ == State::kStartup) {
        on_startup_too_high();
    } else if (cycle_.probe_sample) {
        on_flight_too_high(now, latest_.flight_bytes, false);
    }
}

// HandleSpuriousLossDetection()
void Bbr::on_spurious_loss(Instant, std::uint32_t packets, Instant latest_sent_time) {
    if (!recovery_.period.on_spurious(packets, latest_sent_time)) return;
    restore_window();
    latest_.loss = false;
    full_pipe_.restart();
    const Bounds& prior = recovery_.prior_bounds;
    bounds_.short_term_bandwidth =
        std::max(bounds_.short_term_bandwidth, prior.short_term_bandwidth);
    bounds_.short_term_flight = std::max(bounds_.short_term_flight, prior.short_term_flight);
    bounds_.long_term_flight = std::max(bounds_.long_term_flight, prior.long_term_flight);
    resume_ended_state();
}

// --- Rate and window -----------------------------------------------------------------------------

// SetPacingRateWithGain(): before the pipe was full once, the rate does not fall.
void Bbr::set_pacing_rate(double gain) {
    const std::uint64_t rate = scaled(bandwidth_, gain * kPacingMargin);
    if (full_pipe_.reached() || rate > pacing_rate_) pacing_rate_ = rate;
}

// BDPMultiple()
std::uint64_t Bbr::bandwidth_delay_product(std::uint64_t bandwidth, double gain) const {
    if (!min_rtt_.known()) return initial_window(settings_);
    return scaled(bandwidth, gain * seconds(min_rtt_.rtt()));
}

// QuantizationBudget(): what trains of datagrams need on top.
std::uint64_t Bbr::wanted_flight(std::uint64_t bytes) const {
    const std::uint64_t datagram = settings_.max_datagram_size;
    const std::uint64_t quantum =
        std::clamp<std::uint64_t>(pacing_rate_ / 1000, 2 * datagram, kGreatestQuantum);
    bytes = std::max({bytes, quantum, least_window()});
    return state_ == State::kProbeUp ? bytes + 2 * datagram : bytes;
}

// InflightWithHeadroom()
std::uint64_t Bbr::flight_with_headroom() const {
    const std::uint64_t bound = bounds_.long_term_flight;
    if (bound == kNoWindowLimit) return bound;
    const std::uint64_t headroom =
        std::max<std::uint64_t>(settings_.max_datagram_size, scaled(bound, kHeadroom));
    return std::max(bound - std::min(bound, headroom), least_window());
}

// TargetInflight()
std::uint64_t Bbr::target_flight() const {
    return std::min(bandwidth_delay_product(bandwidth_, 1), window_);
}

// ProbeRTTCwnd()
std::uint64_t Bbr::probe_rtt_window() const {
    return std::max(bandwidth_delay_product(bandwidth_, kProbeRttGain), least_window());
}

bool Bbr::is_window_limited(const AckEvent& event) const {
    return event.bytes_in_flight_before + settings_.max_datagram_size > window_;
}

// SetCwnd()
void Bbr::set_window(const AckEvent& event) {
    if (recovery_.active && !recovery_.period.contains(event.largest_acked_sent_time)) {
        recovery_.active = false;
        restore_window();
    }
    const std::size_t rounds = full_pipe_.reached() ? AckAggregation::kRounds : 1;
    const std::uint64_t wanted = wanted_flight(
        bandwidth_delay_product(bandwidth_, gains_of(state_).window) + aggregation_.bytes(rounds));
    if (full_pipe_.reached()) {
        window_ = std::min(window_ + event.acked_bytes, wanted);
    } else if (window_ < wanted || total_delivered_ < initial_window(settings_)) {
        window_ += event.acked_bytes;
    }
    window_ = std::max(window_, least_window());
    if (state_ == State::kProbeRtt) window_ = std::min(window_, probe_rtt_window());
    window_ = std::min(window_, window_bound());
}

// BoundCwndForModel()
std::uint64_t Bbr::window_bound() const {
    std::uint64_t bound = kNoWindowLimit;
    if (state_ == State::kProbeCruise || state_ == State::kProbeRtt) {
        bound = flight_with_headroom();
    } else if (probing_bandwidth()) {
        bound = bounds_.long_term_flight;
    }
    return std::max(std::min(bound, bounds_.short_term_flight), least_window());
}

void Bbr::on_datagram_size_changed(std::uint32_t max_datagram_size) {
    const bool untouched = window_ == initial_window(settings_);
    settings_.max_datagram_size = max_datagram_size;
    //= 9002-7.2-2
    //= 9002-7.2-3
    if (untouched) window_ = initial_window(settings_);
    window_ = std::max(window_, minimum_window(max_datagram_size));
}

}  // namespace stoq::congestion
