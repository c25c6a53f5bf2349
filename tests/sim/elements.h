// The elements of simulated links. Probabilities are per datagram, sizes are UDP payload bytes.
#pragma once

#include <algorithm>
#include <functional>

#include "sim/element.h"
#include "stoq/random.h"

namespace stoq::sim {

// True with the given probability.
bool happens(SeededRandom& random, double probability);
// Uniform in [low, high].
std::uint64_t draw(SeededRandom& random, std::uint64_t low, std::uint64_t high);

// Propagation: everything takes `delay`, plus up to `jitter` more. Jitter overtakes, so it
// reorders; so does holding a datagram back for `reorder_by`.
class Delay final : public Element {
public:
    struct Settings {
        Duration delay{};
        Duration jitter{};
        double reorder = 0;
        Duration reorder_by{};
    };
    Delay(const Settings& settings, std::uint64_t seed) : settings_(settings), random_(seed) {}
    void process(InFlight in, std::vector<InFlight>& out) override;

private:
    Settings settings_;
    SeededRandom random_;
};

// A bottleneck with a queue that drops what does not fit (drop-tail) and, when `mark_above` is not
// zero, sets CE on ECN-capable datagrams that find more than that many bytes waiting.
class Bottleneck final : public Element {
public:
    struct Settings {
        std::uint64_t bits_per_second = 0;
        std::uint64_t queue_bytes = 0;
        std::uint64_t mark_above = 0;
    };
    explicit Bottleneck(const Settings& settings) : settings_(settings) {}
    void process(InFlight in, std::vector<InFlight>& out) override;

    // How long a datagram that arrives now has to wait.
    Duration backlog(Instant now) const { return std::max(busy_until_ - now, Duration::zero()); }
    std::uint64_t bits_per_second() const { return settings_.bits_per_second; }
    void set_bits_per_second(std::uint64_t rate) { settings_.bits_per_second = rate; }

private:
    Settings settings_;
    Instant busy_until_{};
};

// Independent losses.
class Loss final : public Element {
public:
    Loss(double probability, std::uint64_t seed) : probability_(probability), random_(seed) {}
    void process(InFlight in, std::vector<InFlight>& out) override;

private:
    double probability_;
    SeededRandom random_;
};

// Gilbert's model: in the bad state everything is lost. Time ends that state too, or a few probes
// that are sent ever more rarely would meet it for minutes.
class BurstLoss final : public Element {
public:
    BurstLoss(double enter, double leave, std::uint64_t seed)
        : enter_(enter), leave_(leave), random_(seed) {}
    void process(InFlight in, std::vector<InFlight>& out) override;

private:
    double enter_;
    double leave_;
    bool bad_ = false;
    Instant bad_since_{};
    SeededRandom random_;
};

class Duplication final : public Element {
public:
    Duplication(double probability, std::uint64_t seed)
        : probability_(probability), random_(seed) {}
    void process(InFlight in, std::vector<InFlight>& out) override;

private:
    double probability_;
    SeededRandom random_;
};

// Sends again, `after` so long, what passes before `until`.
class Replay final : public Element {
public:
    Replay(Duration after, Instant until) : after_(after), until_(until) {}
    void process(InFlight in, std::vector<InFlight>& out) override;

private:
    Duration after_;
    Instant until_;
};

// Flips one to eight bits anywhere in the datagram.
class Corruption final : public Element {
public:
    Corruption(double probability, std::uint64_t seed) : probability_(probability), random_(seed) {}
    void process(InFlight in, std::vector<InFlight>& out) override;

private:
    double probability_;
    SeededRandom random_;
};

// Datagrams longer than this vanish, as behind a tunnel that sends no ICMP.
class MtuLimit final : public Element {
public:
    explicit MtuLimit(std::size_t size) : size_(size) {}
    void process(InFlight in, std::vector<InFlight>& out) override;

private:
    std::size_t size_;
};

// From `from` on the path is narrower: an MTU black hole opens.
class Narrowing final : public Element {
public:
    Narrowing(Instant from, std::size_t size) : from_(from), limit_(size) {}
    void process(InFlight in, std::vector<InFlight>& out) override;

private:
    Instant from_;
    MtuLimit limit_;
};

// A router that clears ECN fields.
class Bleach final : public Element {
public:
    void process(InFlight in, std::vector<InFlight>& out) override;
};

// Everything that may be marked is marked, from `from` until `until`.
class CongestionStorm final : public Element {
public:
    CongestionStorm(Instant from, Instant until) : from_(from), until_(until) {}
    void process(InFlight in, std::vector<InFlight>& out) override;

private:
    Instant from_;
    Instant until_;
};

// Nothing gets through from `from` until `until`.
class Blackhole final : public Element {
public:
    Blackhole(Instant from, Instant until) : from_(from), until_(until) {}
    void process(InFlight in, std::vector<InFlight>& out) override;

private:
    Instant from_;
    Instant until_;
};

// Drops exactly those for which `drop(index, datagram)` says so; indices start at 0.
class ScriptedDrop final : public Element {
public:
    using Predicate = std::function<bool(std::size_t index, const Datagram& datagram)>;
    explicit ScriptedDrop(Predicate drop) : drop_(std::move(drop)) {}
    void process(InFlight in, std::vector<InFlight>& out) override;

private:
    Predicate drop_;
    std::size_t index_ = 0;
};

// Shows every datagram that passes to a function, which may change it.
class Tap final : public Element {
public:
    using Function = std::function<void(InFlight&)>;
    explicit Tap(Function function) : function_(std::move(function)) {}
    void process(InFlight in, std::vector<InFlight>& out) override;

private:
    Function function_;
};

// A network address translator in front of one host. It has one mapping at a time, and forgets the
// previous one completely: what is still sent there is lost.
class Nat {
public:
    Nat(const Address& inside, const Address& outside) : inside_(inside) {
        mappings_.push_back({Instant::min(), outside});
    }
    // From `at` on, the host has another address outside. Call in the order of time.
    void rebind(Instant at, const Address& outside) { mappings_.push_back({at, outside}); }
    const Address& outside(Instant now) const;

    // For the pipes of the two directions. The translator has to outlive them.
    std::unique_ptr<Element> outward();
    std::unique_ptr<Element> inward();

private:
    struct Mapping {
        Instant from;
        Address outside;
    };
    Address inside_;
    std::vector<Mapping> mappings_;
};

}  // namespace stoq::sim
