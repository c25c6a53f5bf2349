#include "congestion/bbr_filters.h"

#include <algorithm>

namespace stoq::congestion {
namespace {

constexpr double kGrowth = 1.25;
constexpr std::uint32_t kRoundsWithoutGrowth = 3;

}  // namespace

void MaxBandwidth::on_sample(std::uint64_t rate, bool app_limited) {
    // What the application did not fill says only that the path carries at least this much.
    if (rate == 0 || (app_limited && rate < this->rate())) return;
    current_ = std::max(current_, rate);
}

void MaxBandwidth::advance() {
    // A cycle without a sample says nothing: the old value stays.
    if (current_ == 0) return;
    previous_ = current_;
    current_ = 0;
}

void RoundCounter::on_acknowledged(std::uint64_t prior_delivered, std::uint64_t total_delivered) {
    started_ = prior_delivered >= end_;
    if (!started_) return;
    restart(total_delivered);
    ++count_;
}

void MinimumRtt::on_sample(Instant now, Duration rtt) {
    probe_due_ = known() && now > recent_at_ + kProbeInterval;
    if (rtt > Duration::zero() && (rtt < recent_ || probe_due_)) {
        recent_ = rtt;
        recent_at_ = now;
    }
    if (recent_ < minimum_ || now > minimum_at_ + kFilterLength) {
        minimum_ = recent_;
        minimum_at_ = recent_at_;
    }
}

void AckAggregation::restart(Instant now) {
    started_at_ = now;
    delivered_ = 0;
}

void AckAggregation::open_round(std::uint64_t round) {
    const std::uint64_t passed = std::min<std::uint64_t>(round - round_, kRounds);
    for (std::uint64_t i = 0; i < passed; ++i) largest_[(round - i) % kRounds] = 0;
    round_ = round;
}

void AckAggregation::on_acknowledged(const Sample& sample) {
    open_round(sample.round);
    const auto expected_by_now = [&] {
        const double seconds = std::chrono::duration<double>(sample.now - started_at_).count();
        return static_cast<std::uint64_t>(static_cast<double>(sample.bandwidth) * seconds);
    };
    if (delivered_ <= expected_by_now()) restart(sample.now);
    delivered_ += sample.acked_bytes;
    const std::uint64_t expected = std::min(expected_by_now(), delivered_);
    std::uint64_t& largest = largest_[sample.round % kRounds];
    largest = std::max(largest, std::min(delivered_ - expected, sample.limit));
}

std::uint64_t AckAggregation::bytes(std::size_t rounds) const {
    std::uint64_t largest = 0;
    const std::uint64_t counted = std::min<std::uint64_t>({rounds, kRounds, round_ + 1});
    for (std::uint64_t i = 0; i < counted; ++i) {
        largest = std::max(largest, largest_[(round_ - i) % kRounds]);
    }
    return largest;
}

void FullPipe::restart(std::uint64_t baseline) {
    baseline_ = baseline;
    rounds_without_growth_ = 0;
    full_now_ = false;
}

void FullPipe::on_round(std::uint64_t rate) {
    if (full_now_) return;
    if (static_cast<double>(rate) >= static_cast<double>(baseline_) * kGrowth) {
        restart(rate);
        return;
    }
    full_now_ = ++rounds_without_growth_ >= kRoundsWithoutGrowth;
    reached_ = reached_ || full_now_;
}

}  // namespace stoq::congestion
