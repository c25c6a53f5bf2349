#include "sim/elements.h"

#include <algorithm>

namespace stoq::sim {

bool happens(SeededRandom& random, double probability) {
    constexpr double kRange = 9007199254740992.0;  // 2^53
    return static_cast<double>(random.next() >> 11) < probability * kRange;
}

std::uint64_t draw(SeededRandom& random, std::uint64_t low, std::uint64_t high) {
    return low + random.next() % (high - low + 1);
}

void Delay::process(InFlight in, std::vector<InFlight>& out) {
    in.at += settings_.delay;
    if (settings_.jitter > Duration::zero()) {
        const auto most = static_cast<std::uint64_t>(settings_.jitter.count());
        in.at += Duration(static_cast<std::int64_t>(draw(random_, 0, most)));
    }
    if (happens(random_, settings_.reorder)) in.at += settings_.reorder_by;
    out.push_back(std::move(in));
}

void Bottleneck::process(InFlight in, std::vector<InFlight>& out) {
    const double seconds = std::chrono::duration<double>(backlog(in.at)).count();
    const auto queued =
        static_cast<std::uint64_t>(seconds * static_cast<double>(settings_.bits_per_second) / 8);
    if (queued + in.datagram.bytes.size() > settings_.queue_bytes) return;
    const bool capable = in.datagram.ecn == Ecn::kEct0 || in.datagram.ecn == Ecn::kEct1;
    if (capable && settings_.mark_above > 0 && queued > settings_.mark_above) {
        in.datagram.ecn = Ecn::kCe;
    }
    const auto nanoseconds =
        in.datagram.bytes.size() * 8 * 1'000'000'000u / settings_.bits_per_second;
    busy_until_ = std::max(busy_until_, in.at) + Duration(static_cast<std::int64_t>(nanoseconds));
    in.at = busy_until_;
    out.push_back(std::move(in));
}

void Loss::process(InFlight in, std::vector<InFlight>& out) {
    if (!happens(random_, probability_)) out.push_back(std::move(in));
}

void BurstLoss::process(InFlight in, std::vector<InFlight>& out) {
    constexpr Duration kLongestBurst = std::chrono::milliseconds(200);
    if (bad_) {
        bad_ = !happens(random_, leave_) && in.at - bad_since_ < kLongestBurst;
    } else if (happens(random_, enter_)) {
        bad_ = true;
        bad_since_ = in.at;
    }
    if (!bad_) out.push_back(std::move(in));
}

void Duplication::process(InFlight in, std::vector<InFlight>& out) {
    if (happens(random_, probability_)) out.push_back(in);
    out.push_back(std::move(in));
}

void Replay::process(InFlight in, std::vector<InFlight>& out) {
    if (in.at < until_) out.push_back({in.datagram, in.at + after_});
    out.push_back(std::move(in));
}

void Corruption::process(InFlight in, std::vector<InFlight>& out) {
    if (!in.datagram.bytes.empty() && happens(random_, probability_)) {
        for (std::uint64_t flips = draw(random_, 1, 8); flips > 0; --flips) {
            const std::uint64_t bit = draw(random_, 0, in.datagram.bytes.size() * 8 - 1);
            std::uint8_t& byte = in.datagram.bytes[bit / 8];
            byte = static_cast<std::uint8_t>(byte ^ (1u << (bit % 8)));
        }
    }
    out.push_back(std::move(in));
}

void MtuLimit::process(InFlight in, std::vector<InFlight>& out) {
    if (in.datagram.bytes.size() <= size_) out.push_back(std::move(in));
}

void Narrowing::process(InFlight in, std::vector<InFlight>& out) {
    if (in.at < from_) {
        out.push_back(std::move(in));
    } else {
        limit_.process(std::move(in), out);
    }
}

void Bleach::process(InFlight in, std::vector<InFlight>& out) {
    in.datagram.ecn = Ecn::kNotEct;
    out.push_back(std::move(in));
}

void CongestionStorm::process(InFlight in, std::vector<InFlight>& out) {
    const bool marks = in.at >= from_ && in.at < until_;
    if (marks && in.datagram.ecn != Ecn::kNotEct) in.datagram.ecn = Ecn::kCe;
    out.push_back(std::move(in));
}

void Blackhole::process(InFlight in, std::vector<InFlight>& out) {
    if (in.at < from_ || in.at >= until_) out.push_back(std::move(in));
}

void ScriptedDrop::process(InFlight in, std::vector<InFlight>& out) {
    if (!drop_(index_++, in.datagram)) out.push_back(std::move(in));
}

void Tap::process(InFlight in, std::vector<InFlight>& out) {
    function_(in);
    out.push_back(std::move(in));
}

const Address& Nat::outside(Instant now) const {
    const Mapping* current = &mappings_.front();
    for (const Mapping& mapping : mappings_) {
        if (mapping.from <= now) current = &mapping;
    }
    return current->outside;
}

std::unique_ptr<Element> Nat::outward() {
    return std::make_unique<Tap>([this](InFlight& in) {
        if (in.datagram.source == inside_) in.datagram.source = outside(in.at);
    });
}

std::unique_ptr<Element> Nat::inward() {
    // What is not for the current mapping keeps its destination, where nobody is.
    return std::make_unique<Tap>([this](InFlight& in) {
        if (in.datagram.destination == outside(in.at)) in.datagram.destination = inside_;
    });
}

}  // namespace stoq::sim
