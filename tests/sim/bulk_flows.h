// Several connections that send without end through one bottleneck, and what becomes of them.
#pragma once

#include <memory>
#include <vector>

#include "sim/elements.h"
#include "sim/simulation.h"

namespace stoq::sim {

struct BulkFlow {
    CongestionAlgorithm congestion = CongestionAlgorithm::kCubic;
    Duration starts_after{};
};

struct BulkScenario {
    std::uint64_t seed = 1;
    std::vector<BulkFlow> flows{BulkFlow{}};
    std::uint64_t bits_per_second = 10'000'000;
    Duration round_trip = std::chrono::milliseconds(20);  // without the queue
    double queue_products = 1;  // the queue takes so many bandwidth-delay products
    double loss = 0;            // at random, before the queue
    std::uint64_t mark_above = 0;
    Duration warm_up = std::chrono::seconds(5);
    Duration measured = std::chrono::seconds(10);
};

struct BulkResult {
    double utilisation = 0;  // payload delivered in the measured time, share of what the link takes
    double fairness = 0;     // Jain's index over the flows, 1: all alike
    double mean_queue_ms = 0;
    double loss_share = 0;       // packets declared lost, of those sent, in the whole time
    std::vector<double> shares;  // of what was delivered, by flow
};

// The network can be changed between two stretches of time.
class BulkWorld {
public:
    explicit BulkWorld(const BulkScenario& scenario);
    ~BulkWorld();

    void run_for(Duration duration);
    // Begins to count anew.
    void restart_counts();
    BulkResult result() const;

    Bottleneck& bottleneck() { return bottleneck_; }
    ConnectionStatistics statistics(std::size_t flow) const;

private:
    class Sender;
    class Receiver;

    BulkScenario scenario_;
    Simulation simulation_;
    Bottleneck bottleneck_;
    Host& server_;
    std::unique_ptr<Receiver> receiver_;
    std::vector<std::unique_ptr<Sender>> senders_;
    Instant counted_since_{};
    double queue_seconds_ = 0;  // sum of the samples
    std::uint64_t samples_ = 0;
};

// Warm-up, then measurement.
BulkResult run_bulk(const BulkScenario& scenario);

}  // namespace stoq::sim
