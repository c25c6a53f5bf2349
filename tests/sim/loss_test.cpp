// What has to work on bad paths, counted.
#include <gtest/gtest.h>

#include "sim/scenario.h"

namespace stoq::sim {
namespace {

// Runs `scenario` of every seed from `first` on, or of STOQ_SIM_SEED only.
template <typename MakeScenario>
void run_seeds(std::uint64_t first, std::size_t count, MakeScenario make) {
    if (const auto seed = wanted_seed()) {
        first = *seed;
        count = 1;
    }
    std::size_t failures = 0;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        const std::string wrong = check(make(seed));
        if (wrong.empty()) continue;
        ++failures;
        ADD_FAILURE() << "seed " << seed << ": " << wrong;
        if (failures >= 5) break;  // more would say nothing new
    }
    std::printf("seeds %llu to %llu: %zu failed\n", static_cast<unsigned long long>(first),
                static_cast<unsigned long long>(first + count - 1), failures);
}

Scenario lossy_handshake(std::uint64_t seed) {
    Scenario scenario = plain_scenario(seed, 100);
    scenario.up.loss = scenario.down.loss = 0.3;
    scenario.client.handshake_timeout = std::chrono::seconds(60);
    scenario.server.handshake_timeout = std::chrono::seconds(60);
    scenario.client.idle_timeout = std::chrono::seconds(120);
    scenario.server.idle_timeout = std::chrono::seconds(120);
    return scenario;
}

TEST(SimLoss, FiftyOfFiftyHandshakesCompleteWhenAThirdIsLostBothWays) {
    run_seeds(1000, wanted_runs(50), lossy_handshake);
}

Scenario disorderly_transfer(std::uint64_t seed) {
    SeededRandom random(seed);
    Scenario scenario = plain_scenario(seed, 0);
    scenario.plan.streams[0].request = draw(random, 20'000, 100'000);
    scenario.plan.streams[0].response = draw(random, 20'000, 100'000);
    for (LinkSettings* link : {&scenario.up, &scenario.down}) {
        link->delay = std::chrono::milliseconds(draw(random, 1, 50));
        link->loss = 0.05;
        link->reorder = 0.05;
        link->reorder_by = std::chrono::milliseconds(draw(random, 1, 30));
        link->duplication = 0.05;
    }
    return scenario;
}

class SimDisorder : public testing::TestWithParam<std::uint64_t> {};

TEST_P(SimDisorder, EveryTransferIsExactWithLossReorderingAndDuplication) {
    run_seeds(GetParam() * 1000, wanted_runs(250), disorderly_transfer);
}

INSTANTIATE_TEST_SUITE_P(Quarters, SimDisorder, testing::Values(10, 11, 12, 13));

}  // namespace
}  // namespace stoq::sim
