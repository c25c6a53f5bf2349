// BBR's states: when it accelerates, cruises, slows down, and measures the round-trip time.
#include <algorithm>
#include <utility>

#include "congestion/bbr.h"

namespace stoq::congestion {
namespace {

constexpr double kBeta = 0.7;
constexpr double kLossThreshold = 0.02;  // BBR.LossThresh
constexpr std::uint32_t kStartupLostRanges = 6;
constexpr std::uint64_t kDrainRounds = 3;
constexpr std::uint64_t kRenoRounds = 63;  // leaves room for Reno and CUBIC on short paths
constexpr std::uint32_t kMaxRoundsUp = 30;
constexpr Duration kProbeRttDuration = std::chrono::milliseconds(200);
constexpr Duration kLeastProbeWait = std::chrono::seconds(2);
constexpr std::uint64_t kProbeWaitRange = 1'000'000'000;  // nanoseconds

}  // namespace

// IsInflightTooHigh()
bool Bbr::is_loss_too_high(std::uint64_t lost, std::uint64_t flight) {
    return static_cast<double>(lost) > static_cast<double>(flight) * kLossThreshold;
}

// InflightAtLoss(): at which part of the burst that was lost the losses crossed the limit.
std::uint64_t Bbr::flight_at_loss(const LossEvent& event) {
    const double burst = static_cast<double>(std::min(event.lost_bytes, event.flight_bytes));
    const double flight_before = static_cast<double>(event.flight_bytes) - burst;
    const double lost_before = static_cast<double>(event.lost_since_sent) - burst;
    const double part = (kLossThreshold * flight_before - lost_before) / (1 - kLossThreshold);
    return static_cast<std::uint64_t>(flight_before + std::clamp(part, 0.0, burst));
}

bool Bbr::probing_bandwidth() const {
    return state_ == State::kProbeDown || state_ == State::kProbeCruise ||
           state_ == State::kProbeRefill || state_ == State::kProbeUp;
}

// IsProbingBW()
bool Bbr::accelerating() const {
    return state_ == State::kStartup || state_ == State::kProbeRefill || state_ == State::kProbeUp;
}

// The middle of UpdateModelAndState().
void Bbr::update_state(const AckEvent& event, bool app_limited) {
    if (rounds_.started() && !app_limited) full_pipe_.on_round(event.delivery_rate);
    check_startup(event);
    check_drain(event);
    if (full_pipe_.reached()) update_probe_cycle(event, app_limited);
    min_rtt_.on_sample(event.now, event.latest_rtt);
    check_probe_rtt(event);
}

// --- Startup and Drain ---------------------------------------------------------------------------

// CheckStartupDone(), CheckStartupHighLoss()
void Bbr::check_startup(const AckEvent& event) {
    if (state_ != State::kStartup) return;
    const bool high_loss = latest_.round_start && recovery_.active &&
                           latest_.lost_ranges >= kStartupLostRanges &&
                           is_loss_too_high(event.lost_since_sent, event.flight_bytes);
    if (high_loss && !full_pipe_.reached()) on_startup_too_high();
    if (!full_pipe_.reached()) return;
    state_ = State::kDrain;
    drain_round_ = rounds_.count();
}

void Bbr::on_startup_too_high() {
    full_pipe_.set_reached();
    recovery_.ended_state = State::kStartup;
    bounds_.long_term_flight =
        std::max({bandwidth_delay_product(bandwidth_, 1), latest_.delivered, least_window()});
}

// CheckDrainDone()
void Bbr::check_drain(const AckEvent& event) {
    if (state_ != State::kDrain) return;
    const std::uint64_t in_flight = event.bytes_in_flight_before - event.acked_bytes;
    const bool drained = in_flight <= wanted_flight(bandwidth_delay_product(bandwidth_, 1));
    if (drained || rounds_.count() > drain_round_ + kDrainRounds) start_down(event.now);
}

// --- ProbeBW -------------------------------------------------------------------------------------

// UpdateProbeBWCyclePhase()
void Bbr::update_probe_cycle(const AckEvent& event, bool app_limited) {
    if (adapt_long_term(event, app_limited)) return;
    switch (state_) {
        case State::kProbeDown:
        case State::kProbeCruise:
            if (is_time_to_probe(event.now)) return start_refill();
            if (is_time_to_cruise(event)) state_ = State::kProbeCruise;
            return;
        case State::kProbeRefill:
            if (rounds_.started()) start_up(event);
            return;
        case State::kProbeUp:
            if (!is_time_to_go_down(event)) return;
            cycle_.too_high = false;
            return start_down(event.now);
        case State::kStartup:
        case State::kDrain:
        case State::kProbeRtt: return;
    }
}

// AdaptLongTermModel(). True when it has changed the state.
bool Bbr::adapt_long_term(const AckEvent& event, bool app_limited) {
    if (cycle_.feedback == Feedback::kStarting && rounds_.started()) {
        cycle_.feedback = Feedback::kProbing;
    }
    if (cycle_.feedback == Feedback::kStopping && rounds_.started()) {
        cycle_.probe_sample = false;
        cycle_.feedback = Feedback::kNone;
        if (probing_bandwidth() && !app_limited) max_bandwidth_.advance();
        if (probing_bandwidth() && cycle_.cautious && !cycle_.too_high) {
            start_refill();
            return true;
        }
    }
    if (is_loss_too_high(event.lost_since_sent, event.flight_bytes)) return false;
    std::uint64_t& bound = bounds_.long_term_flight;
    if (bound == kNoWindowLimit) return false;
    bound = std::max(bound, event.flight_bytes);
    if (state_ == State::kProbeUp) raise_long_term(event);
    return false;
}

// ProbeInflightLongtermUpward()
void Bbr::raise_long_term(const AckEvent& event) {
    if (!is_window_limited(event) || window_ < bounds_.long_term_flight) return;
    cycle_.acked += event.acked_bytes;
    const std::uint64_t raises = cycle_.acked / cycle_.acked_per_raise;
    cycle_.acked -= raises * cycle_.acked_per_raise;
    bounds_.long_term_flight += raises * settings_.max_datagram_size;
    if (rounds_.started()) raise_slope();
}

// RaiseInflightLongtermSlope(): twice as many datagrams as in the round before.
void Bbr::raise_slope() {
    const std::uint64_t growth = std::uint64_t{1} << cycle_.rounds_up;
    cycle_.rounds_up = std::min(cycle_.rounds_up + 1, kMaxRoundsUp);
    cycle_.acked_per_raise = std::max<std::uint64_t>(window_ / growth, settings_.max_datagram_size);
}

// IsTimeToProbeBW()
bool Bbr::is_time_to_probe(Instant now) const {
    const std::uint64_t reno_rounds = target_flight() / settings_.max_datagram_size;
    return now > cycle_.started_at + cycle_.wait ||
           cycle_.rounds_since_probe >= std::min(reno_rounds, kRenoRounds);
}

bool Bbr::is_time_to_cruise(const AckEvent& event) const {
    const std::uint64_t in_flight = event.bytes_in_flight_before - event.acked_bytes;
    return in_flight <= flight_with_headroom() &&
           in_flight <= wanted_flight(bandwidth_delay_product(max_bandwidth_.rate(), 1));
}

bool Bbr::is_time_to_go_down(const AckEvent& event) {
    const std::uint64_t in_flight = event.bytes_in_flight_before - event.acked_bytes;
    if (cycle_.too_high && in_flight >= bounds_.long_term_flight) {
        cycle_.cautious = true;
        return true;
    }
    if (is_window_limited(event) && window_ >= bounds_.long_term_flight) {
        full_pipe_.restart(event.delivery_rate);  // held back by the bound, not by the path
        return false;
    }
    return full_pipe_.full_now();
}

// StartProbeBW_DOWN(), PickProbeWait()
void Bbr::start_down(Instant now) {
    latest_.loss = false;
    latest_.rate = latest_.delivered = 0;
    cycle_.acked_per_raise = kNoWindowLimit;
    cycle_.rounds_since_probe = next_random() & 1;
    cycle_.wait =
        kLeastProbeWait + Duration(static_cast<std::int64_t>(next_random() % kProbeWaitRange));
    cycle_.started_at = now;
    cycle_.feedback = Feedback::kStopping;
    rounds_.restart(total_delivered_);
    state_ = State::kProbeDown;
}

// StartProbeBW_REFILL()
void Bbr::start_refill() {
    bounds_.short_term_bandwidth = bounds_.short_term_flight = kNoWindowLimit;
    cycle_.rounds_up = 0;
    cycle_.acked = 0;
    cycle_.cautious = false;
    cycle_.feedback = Feedback::kRefilling;
    rounds_.restart(total_delivered_);
    state_ = State::kProbeRefill;
}

// StartProbeBW_UP()
void Bbr::start_up(const AckEvent& event) {
    cycle_.probe_sample = true;
    cycle_.feedback = Feedback::kStarting;
    rounds_.restart(total_delivered_);
    full_pipe_.restart(event.delivery_rate);
    state_ = State::kProbeUp;
    raise_slope();
}

// HandleInflightTooHigh()
void Bbr::on_flight_too_high(Instant now, std::uint64_t flight, bool app_limited) {
    cycle_.too_high = true;
    cycle_.probe_sample = false;  // one answer for each probe
    if (!app_limited) {
        const auto target =
            static_cast<std::uint64_t>(static_cast<double>(target_flight()) * kBeta);
        bounds_.long_term_flight = std::max(flight, target);
    }
    if (state_ != State::kProbeUp) return;
    recovery_.ended_state = State::kProbeUp;
    start_down(now);
}

// The end of HandleSpuriousLossDetection().
void Bbr::resume_ended_state() {
    const std::optional<State> ended = std::exchange(recovery_.ended_state, std::nullopt);
    if (!ended || state_ == *ended) return;
    if (*ended == State::kStartup) full_pipe_.forget();
    if (state_ == State::kProbeRtt) return;
    if (*ended == State::kStartup) {
        state_ = State::kStartup;
    } else {
        start_refill();
    }
}

// --- ProbeRTT ------------------------------------------------------------------------------------

// CheckProbeRTT()
void Bbr::check_probe_rtt(const AckEvent& event) {
    if (state_ != State::kProbeRtt && min_rtt_.probe_due() && !idle_restart_) {
        save_window();
        state_ = State::kProbeRtt;
        rtt_probe_.done_at = kNever;
        cycle_.feedback = Feedback::kStopping;
        rounds_.restart(total_delivered_);
    }
    if (state_ == State::kProbeRtt) hold_probe_rtt(event);
    idle_restart_ = false;
}

// HandleProbeRTT()
void Bbr::hold_probe_rtt(const AckEvent& event) {
    const std::uint64_t in_flight = event.bytes_in_flight_before - event.acked_bytes;
    rtt_probe_.limited_until = std::max<std::uint64_t>(total_delivered_ + in_flight, 1);
    if (rtt_probe_.done_at == kNever) {
        if (in_flight > probe_rtt_window()) return;
        rtt_probe_.done_at = event.now + kProbeRttDuration;
        rtt_probe_.round_done = false;
        rounds_.restart(total_delivered_);
        return;
    }
    if (rounds_.started()) rtt_probe_.round_done = true;
    if (rtt_probe_.round_done) end_probe_rtt_if_done(event.now);
}

// CheckProbeRTTDone(), ExitProbeRTT()
void Bbr::end_probe_rtt_if_done(Instant now) {
    if (rtt_probe_.done_at == kNever || now <= rtt_probe_.done_at) return;
    min_rtt_.on_probed(now);
    restore_window();
    bounds_.short_term_bandwidth = bounds_.short_term_flight = kNoWindowLimit;
    if (full_pipe_.reached()) {
        start_down(now);
        state_ = State::kProbeCruise;
    } else {
        state_ = State::kStartup;
    }
}

// A linear congruential sequence: probes of different connections must not fall together.
std::uint64_t Bbr::next_random() {
    constexpr std::uint64_t kMultiplier = 6364136223846793005;
    constexpr std::uint64_t kIncrement = 1442695040888963407;
    random_ = random_ * kMultiplier + kIncrement;
    return random_ >> 33;
}

std::string_view Bbr::state_name() const {
    switch (state_) {
        case State::kStartup: return "startup";
        case State::kDrain: return "drain";
        case State::kProbeDown: return "probe_down";
        case State::kProbeCruise: return "probe_cruise";
        case State::kProbeRefill: return "probe_refill";
        case State::kProbeUp: return "probe_up";
        case State::kProbeRtt: break;
    }
    return "probe_rtt";
}

}  // namespace stoq::congestion
