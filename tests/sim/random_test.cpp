// Random scenarios: every byte arrives exactly once and in order, or the connection ends with the
// error that the scenario explains. Repeat one with STOQ_SIM_SEED=n, run more with STOQ_SIM_RUNS=n.
#include <map>

#include <gtest/gtest.h>

#include "sim/scenario.h"

namespace stoq::sim {
namespace {

class SimRandom : public testing::TestWithParam<std::uint64_t> {};

TEST_P(SimRandom, EveryByteArrivesOnceOrTheErrorIsExplained) {
    std::uint64_t first = GetParam() * 1'000'000;
    std::uint64_t count = wanted_runs(256);
    if (const auto seed = wanted_seed()) {
        first = *seed;
        count = 1;
    }
    std::size_t failures = 0;
    for (std::uint64_t seed = first; seed < first + count && failures < 5; ++seed) {
        const std::string wrong = check(random_scenario(seed));
        if (wrong.empty()) continue;
        ++failures;
        ADD_FAILURE() << "seed " << seed << ": " << wrong;
    }
    std::printf("seeds %llu to %llu: %zu failed\n", static_cast<unsigned long long>(first),
                static_cast<unsigned long long>(first + count - 1), failures);
}

// That 0-RTT data is offered says nothing of what becomes of it.
TEST(SimRandomScenarios, OfferEarlyDataThatIsTakenAndThatIsNot) {
    std::map<EarlyDataState, std::size_t> seen;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        World world(random_scenario(seed));
        world.start();
        world.run_transfer();
        const auto info = world.client_host().endpoint().info(world.client_connection());
        if (info) ++seen[info->early_data];
    }
    EXPECT_GE(seen[EarlyDataState::kAccepted], 5u);
    EXPECT_GE(seen[EarlyDataState::kRejected], 3u);
    EXPECT_GE(seen[EarlyDataState::kNone], 50u);
}

INSTANTIATE_TEST_SUITE_P(Eighths, SimRandom, testing::Values(1, 2, 3, 4, 5, 6, 7, 8));

}  // namespace
}  // namespace stoq::sim
