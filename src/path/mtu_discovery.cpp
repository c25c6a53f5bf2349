#include "path/mtu_discovery.h"

#include <algorithm>

namespace stoq::path {

MtuDiscovery::MtuDiscovery(const MtuSettings& settings)
    //= 9000-14.3-1
    : current_(std::clamp(settings.initial_size, kBaseDatagramSize, kMaxDatagramSize)),
      cap_(std::clamp(settings.max_size, current_, kMaxDatagramSize)),
      raise_interval_(settings.raise_interval) {
    upper_ = cap_;
}

MtuOutcome MtuDiscovery::limit(std::size_t max_size) {
    cap_ = std::min(cap_, std::max(max_size, kBaseDatagramSize));
    upper_ = std::min(upper_, cap_);
    candidate_ = 0;
    probes_lost_ = 0;
    if (current_ <= cap_) return {};
    current_ = cap_;
    return {.changed = true, .black_hole = false};
}

void MtuDiscovery::enable() {
    enabled_ = true;
}

// --- Search ---

std::optional<std::size_t> MtuDiscovery::probe_size_to_send(std::size_t room, Instant now) {
    if (!enabled_ || probe_outstanding_) return std::nullopt;
    if (cap_ > room) limit(std::max(room, current_));
    if (now >= raise_at_) {
        raise_at_ = kNever;
        upper_ = cap_;
    }
    if (!worth_probing()) return std::nullopt;
    if (candidate_ == 0) candidate_ = next_candidate();
    return candidate_;
}

// The largest size first: it works on most paths, and then the search is over. After that halves.
std::size_t MtuDiscovery::next_candidate() const {
    return upper_ == cap_ ? cap_ : (current_ + upper_ + 1) / 2;
}

void MtuDiscovery::on_probe_sent(std::size_t size) {
    candidate_ = size;
    largest_probed_ = std::max(largest_probed_, size);
    probe_outstanding_ = true;
}

MtuOutcome MtuDiscovery::on_probe_acked(std::size_t size, Instant now) {
    probe_outstanding_ = false;
    if (size == candidate_) {
        candidate_ = 0;
        probes_lost_ = 0;
    }
    // A late acknowledgement of a probe that was given up is as good as any; one of another path
    // says nothing about this one.
    if (size <= current_ || size > cap_ || size > largest_probed_) return {};
    current_ = size;
    upper_ = std::max(upper_, size);
    forget_suspicion();
    complete_search_if_done(now);
    return {.changed = true, .black_hole = false};
}

void MtuDiscovery::on_probe_lost(std::size_t size, Instant now) {
    //= 9000-14.4-1
    if (!probe_outstanding_) return;
    probe_outstanding_ = false;
    if (size != candidate_ || ++probes_lost_ < kMaxProbes) return;
    upper_ = candidate_ - 1;
    candidate_ = 0;
    probes_lost_ = 0;
    complete_search_if_done(now);
}

void MtuDiscovery::complete_search_if_done(Instant now) {
    if (worth_probing()) return;
    upper_ = std::max(upper_, current_);
    raise_at_ = cap_ >= current_ + kGranularity ? now + raise_interval_ : kNever;
}

// --- Black holes ---

void MtuDiscovery::on_datagram_acked(std::size_t size, Instant sent_at) {
    if (size >= current_) newest_full_acked_ = std::max(newest_full_acked_, sent_at);
    if (suspicious_size_ == 0 || sent_at < suspicious_since_) return;
    if (size >= suspicious_size_) {
        forget_suspicion();
    } else {
        smaller_arrived_ = true;
    }
}

MtuOutcome MtuDiscovery::on_datagram_lost(std::size_t size, Instant sent_at, Instant now) {
    // A full-sized datagram that left later did arrive: this loss has nothing to do with size.
    if (size <= kBaseDatagramSize || newest_full_acked_ >= sent_at) return {};
    if (suspicious_size_ == 0) suspicious_since_ = sent_at;
    suspicious_size_ = suspicious_size_ == 0 ? size : std::min(suspicious_size_, size);
    // One burst is one episode, however many datagrams and ACK frames it takes to see all of it.
    if (sent_at > episode_end_) {
        ++episodes_;
        episode_end_ = now;
    }
    if (episodes_ < kBlackHoleEpisodes || !smaller_arrived_) return {};
    return fall_back();
}

MtuOutcome MtuDiscovery::fall_back() {
    const bool changed = current_ != kBaseDatagramSize;
    current_ = kBaseDatagramSize;
    // Search at once: where the suspicion was wrong the first probe repairs it.
    upper_ = cap_;
    candidate_ = 0;
    largest_probed_ = 0;
    probes_lost_ = 0;
    probe_outstanding_ = false;
    raise_at_ = kNever;
    newest_full_acked_ = Instant::min();
    forget_suspicion();
    return {.changed = changed, .black_hole = changed};
}

void MtuDiscovery::forget_suspicion() {
    suspicious_size_ = 0;
    suspicious_since_ = Instant::min();
    episode_end_ = Instant::min();
    episodes_ = 0;
    smaller_arrived_ = false;
}

std::size_t MtuDiscovery::size_for_probe_timeout(std::uint32_t pto_count) const {
    return pto_count >= 2 ? kBaseDatagramSize : current_;
}

}  // namespace stoq::path
