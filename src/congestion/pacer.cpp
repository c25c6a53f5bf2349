#include "congestion/pacer.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stoq::congestion {
namespace {

// A receiver acknowledges two at a time, and thereby asks for the next two.
constexpr std::uint64_t kLeastBurstDatagrams = 2;
//= 9002-7.7-3
constexpr std::uint64_t kDatagramsWhenIdle = 10;
// What one system call takes; a path that fills it within half a millisecond can absorb it.
//= 9002-7.7-4
constexpr std::uint64_t kGreatestBurstDatagrams = 44;
constexpr double kBurstSeconds = 0.0005;

}  // namespace

Pacer::Pacer(std::uint32_t max_datagram_size) : max_datagram_size_(max_datagram_size) {
    update_quantum();
    on_idle();
}

void Pacer::update_quantum() {
    const auto within = static_cast<std::uint64_t>(static_cast<double>(rate_) * kBurstSeconds);
    quantum_ = std::clamp(within, kLeastBurstDatagrams * max_datagram_size_,
                          kGreatestBurstDatagrams * max_datagram_size_);
}

void Pacer::set_rate(Instant now, std::uint64_t bytes_per_second) {
    if (bytes_per_second == rate_) return;
    refill(now);
    rate_ = bytes_per_second;
    update_quantum();
}

void Pacer::on_datagram_size_changed(std::uint32_t max_datagram_size) {
    max_datagram_size_ = max_datagram_size;
    update_quantum();
}

void Pacer::on_idle() {
    tokens_ = std::max(tokens_, static_cast<double>(kDatagramsWhenIdle * max_datagram_size_));
}

double Pacer::bytes_in(Duration time) const {
    return static_cast<double>(rate_) * std::chrono::duration<double>(time).count();
}

void Pacer::refill(Instant now) {
    if (rate_ == 0) {
        on_idle();
    } else if (now > refilled_at_) {
        auto capacity = static_cast<double>(quantum_);
        const Duration late = now > waiting_until_ ? now - waiting_until_ : Duration::zero();
        capacity += bytes_in(std::min(late, kTimerSlack));
        // What is left of an idle start stays until it is used.
        const double refilled = std::min(tokens_ + bytes_in(now - refilled_at_), capacity);
        tokens_ = std::max(tokens_, refilled);
    }
    refilled_at_ = std::max(refilled_at_, now);
}

std::uint64_t Pacer::budget(Instant now) {
    if (rate_ == 0) return std::numeric_limits<std::uint64_t>::max();
    refill(now);
    return tokens_ > 0 ? static_cast<std::uint64_t>(tokens_) : 0;
}

Instant Pacer::next_send(Instant now, std::uint64_t bytes) {
    if (rate_ == 0) return now;
    refill(now);
    const double missing = static_cast<double>(std::min(bytes, quantum_)) - tokens_;
    if (missing <= 0) return now;
    const double nanoseconds = std::ceil(missing * 1e9 / static_cast<double>(rate_)) + 1;
    // Never further away than an hour, which keeps the conversion in range.
    const double bounded = std::min(nanoseconds, 3600e9);
    waiting_until_ = now + Duration(static_cast<std::int64_t>(bounded));
    return waiting_until_;
}

void Pacer::on_sent(Instant now, std::uint64_t bytes) {
    refill(now);
    waiting_until_ = kNever;
    //= 9002-7.7-2
    tokens_ = std::max(tokens_ - static_cast<double>(bytes), -static_cast<double>(quantum_));
}

}  // namespace stoq::congestion
