// What the congestion controllers make of a bottleneck, alone and with each other.
#include <gtest/gtest.h>

#include "sim/bulk_flows.h"

namespace stoq::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string describe(const BulkResult& result) {
    std::string text = "utilisation " + std::to_string(result.utilisation) + ", queue " +
                       std::to_string(result.mean_queue_ms) + " ms, loss " +
                       std::to_string(result.loss_share) + ", fairness " +
                       std::to_string(result.fairness) + ", shares";
    for (const double share : result.shares) text += " " + std::to_string(share);
    return text;
}

std::string name_of(const testing::TestParamInfo<CongestionAlgorithm>& info) {
    switch (info.param) {
        case CongestionAlgorithm::kNewReno: return "NewReno";
        case CongestionAlgorithm::kCubic: return "Cubic";
        case CongestionAlgorithm::kBbr: break;
    }
    return "Bbr";
}

class SimCongestion : public testing::TestWithParam<CongestionAlgorithm> {};

INSTANTIATE_TEST_SUITE_P(All, SimCongestion,
                         testing::Values(CongestionAlgorithm::kNewReno, CongestionAlgorithm::kCubic,
                                         CongestionAlgorithm::kBbr),
                         name_of);

TEST_P(SimCongestion, OneFlowFillsABottleneckWithAQueueOfOneProduct) {
    for (const auto rate : {1'000'000u, 10'000'000u, 100'000'000u}) {
        const BulkResult result =
            run_bulk({.flows = {{GetParam()}}, .bits_per_second = rate, .measured = seconds(5)});
        EXPECT_GT(result.utilisation, 0.85) << rate << " bit/s: " << describe(result);
        // What waited for a hole that was filled in the window counts in it too.
        EXPECT_LE(result.utilisation, 1.05) << rate << " bit/s: " << describe(result);
    }
}

TEST_P(SimCongestion, FlowsOfOneKindShareFairly) {
    const BulkResult result = run_bulk({.flows = std::vector<BulkFlow>(4, BulkFlow{GetParam()}),
                                        .bits_per_second = 40'000'000,
                                        .warm_up = seconds(10),
                                        .measured = seconds(30)});
    EXPECT_GT(result.utilisation, 0.85) << describe(result);
    EXPECT_GT(result.fairness, 0.85) << describe(result);
}

TEST_P(SimCongestion, ALateFlowGetsItsShare) {
    const BulkResult result = run_bulk({.flows = {{GetParam()}, {GetParam(), seconds(5)}},
                                        .bits_per_second = 20'000'000,
                                        .warm_up = seconds(25),
                                        .measured = seconds(30)});
    EXPECT_GT(result.shares[1], 0.25) << describe(result);
}

TEST_P(SimCongestion, MarksInsteadOfLossKeepTheQueueShort) {
    const BulkScenario plain{.flows = {{GetParam()}}, .queue_products = 8};
    BulkScenario marked = plain;
    marked.mark_above = 20'000;
    const BulkResult without = run_bulk(plain);
    const BulkResult with = run_bulk(marked);
    EXPECT_GT(with.utilisation, 0.7) << describe(with);
    EXPECT_LE(with.mean_queue_ms, without.mean_queue_ms) << describe(without) << describe(with);
    EXPECT_LT(with.mean_queue_ms, 25) << describe(with);
}

TEST_P(SimCongestion, FollowsARateThatFallsAndRisesTenfold) {
    BulkWorld world({.flows = {{GetParam()}}, .bits_per_second = 50'000'000});
    world.run_for(seconds(5));
    world.bottleneck().set_bits_per_second(5'000'000);
    world.run_for(seconds(10));
    world.restart_counts();
    world.run_for(seconds(5));
    const BulkResult low = world.result();
    EXPECT_GT(low.utilisation, 0.8) << describe(low);
    world.bottleneck().set_bits_per_second(50'000'000);
    world.run_for(seconds(15));
    world.restart_counts();
    world.run_for(seconds(5));
    const BulkResult high = world.result();
    EXPECT_GT(high.utilisation, 0.75) << describe(high);
}

// 12.5 MB are in flight on such a path: windows and buffers have to grow with it.
TEST(SimCubic, FillsALongFastPath) {
    BulkWorld world({.flows = {{CongestionAlgorithm::kCubic}},
                     .bits_per_second = 1'000'000'000,
                     .round_trip = milliseconds(100)});
    world.run_for(seconds(3));
    world.restart_counts();
    world.run_for(seconds(2));
    EXPECT_GT(world.result().utilisation, 0.8) << describe(world.result());
}

TEST(SimBbr, KeepsADeepQueueShortWhereCubicFillsIt) {
    BulkScenario scenario{.flows = {{CongestionAlgorithm::kBbr}}, .queue_products = 10};
    const BulkResult bbr = run_bulk(scenario);
    scenario.flows = {{CongestionAlgorithm::kCubic}};
    const BulkResult cubic = run_bulk(scenario);
    EXPECT_GT(bbr.utilisation, 0.9) << describe(bbr);
    EXPECT_LT(bbr.mean_queue_ms, 20) << describe(bbr);
    EXPECT_GT(cubic.mean_queue_ms, 2 * bbr.mean_queue_ms) << describe(cubic);
}

// Of several runs: where the losses fall makes a difference of a fifth.
double mean_utilisation_with_loss(CongestionAlgorithm algorithm) {
    constexpr std::uint64_t kRuns = 8;
    double sum = 0;
    for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
        sum += run_bulk({.seed = seed,
                         .flows = {{algorithm}},
                         .bits_per_second = 50'000'000,
                         .round_trip = milliseconds(40),
                         .loss = 0.01})
                   .utilisation;
    }
    return sum / kRuns;
}

TEST(SimBbr, RandomLossOfOnePercentCostsLittle) {
    const double bbr = mean_utilisation_with_loss(CongestionAlgorithm::kBbr);
    const double cubic = mean_utilisation_with_loss(CongestionAlgorithm::kCubic);
    EXPECT_GT(bbr, 0.7);
    EXPECT_GT(bbr, 2 * cubic) << "CUBIC: " << cubic;
}

TEST(SimBbr, LeavesCubicAShareAndKeepsOne) {
    for (const double products : {1.0, 2.0}) {
        const BulkResult result =
            run_bulk({.flows = {{CongestionAlgorithm::kBbr}, {CongestionAlgorithm::kCubic}},
                      .bits_per_second = 20'000'000,
                      .queue_products = products,
                      .warm_up = seconds(15),
                      .measured = seconds(45)});
        EXPECT_GT(result.shares[0], 0.15) << products << ": " << describe(result);
        EXPECT_GT(result.shares[1], 0.15) << products << ": " << describe(result);
    }
}

}  // namespace
}  // namespace stoq::sim
