// A second connection over a path that the first one has measured.
#include <gtest/gtest.h>

#include "sim/scenario.h"

namespace stoq::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// 50 Mbit/s and 100 ms: 625 kB are in flight when the path is full.
Scenario long_path(std::uint64_t response) {
    Scenario scenario = plain_scenario(1, 0);
    scenario.plan.streams = {{.request = 100, .response = response}};
    scenario.plan.max_write = scenario.plan.max_read = 256 * 1024;
    scenario.up.delay = scenario.down.delay = milliseconds(50);
    scenario.down.bits_per_second = 50'000'000;
    scenario.down.queue_bytes = 600'000;
    scenario.server_endpoint.persistent_key.fill(7);
    return scenario;
}

struct Outcome {
    double seconds = 0;
    std::string token;
    std::uint64_t lost = 0;
    std::optional<PathMemory> memory;  // of the server
};

Outcome transfer(const Scenario& scenario, const std::string& token) {
    World world(scenario);
    ClientConfig config = client_config(scenario.client);
    config.token = token;
    ConnectionHandle server{};
    world.start(config);
    const Instant begun = world.simulation().now();
    EXPECT_TRUE(world.run_transfer()) << world.describe();
    EXPECT_EQ(world.failure(), "");
    server = world.server().connection();
    Outcome outcome;
    outcome.seconds = std::chrono::duration<double>(world.simulation().now() - begun).count();
    world.simulation().run_for(seconds(1));
    outcome.token = world.client_host().endpoint().address_token(world.client_connection()).value();
    outcome.lost = world.server_host().endpoint().statistics(server).value().packets_lost;
    outcome.memory = world.server_host().endpoint().path_memory(server).value();
    return outcome;
}

// A server that starts again with the same key, on a clock that begins anew.
TEST(SimCarefulResume, ATokenEndsByTheWallClockWhateverProcessMadeIt) {
    Scenario scenario = long_path(20'000'000);
    scenario.server_endpoint.clock_origin = std::chrono::hours(1'000'000);
    const Outcome first = transfer(scenario, "");
    Scenario again = long_path(1'000'000);
    again.server_endpoint.clock_origin = std::chrono::hours(1'000'000 + 23);
    const Outcome in_time = transfer(again, first.token);
    again.server_endpoint.clock_origin = std::chrono::hours(1'000'000 + 25);
    const Outcome late = transfer(again, first.token);
    EXPECT_LT(in_time.seconds, 0.75 * late.seconds);
    EXPECT_DOUBLE_EQ(late.seconds, transfer(again, "").seconds);
}

TEST(SimCarefulResume, TheTokenOfAServerSparesTheSecondConnectionSlowStart) {
    const Outcome first = transfer(long_path(20'000'000), "");
    ASSERT_TRUE(first.memory);
    EXPECT_GT(first.memory->congestion_window, 400'000u);
    const Scenario again = long_path(1'000'000);
    const Outcome plain = transfer(again, "");
    const Outcome resumed = transfer(again, first.token);
    EXPECT_LT(resumed.seconds, 0.75 * plain.seconds) << plain.seconds;
    EXPECT_EQ(resumed.lost, 0u);
}

TEST(SimCarefulResume, ASwitchTurnsItOff) {
    const Outcome first = transfer(long_path(20'000'000), "");
    Scenario again = long_path(1'000'000);
    again.server.careful_resume = false;
    EXPECT_DOUBLE_EQ(transfer(again, first.token).seconds, transfer(again, "").seconds);
}

// A tenth of the rate is left, and a short queue: the jump overflows it, and is taken back.
TEST(SimCarefulResume, OnAPathThatHasBecomeSlowItRetreats) {
    const Outcome first = transfer(long_path(20'000'000), "");
    Scenario slow = long_path(2'000'000);
    slow.down.bits_per_second = 5'000'000;
    slow.down.queue_bytes = 60'000;
    const Outcome plain = transfer(slow, "");
    const Outcome resumed = transfer(slow, first.token);
    EXPECT_GT(resumed.lost, 0u);
    EXPECT_LT(resumed.seconds, 1.5 * plain.seconds) << plain.seconds;
}

// A client that sends remembers for itself.
TEST(SimCarefulResume, AClientResumesFromItsOwnMemory) {
    Scenario scenario = long_path(100);
    std::swap(scenario.up, scenario.down);
    const auto upload = [&](std::uint64_t bytes, std::optional<PathMemory> memory) {
        scenario.plan.streams = {{.request = bytes, .response = 100}};
        World world(scenario);
        ClientConfig config = client_config(scenario.client);
        config.path_memory = memory;
        world.start(config);
        EXPECT_TRUE(world.run_transfer()) << world.describe();
        const auto end = world.simulation().now() - Simulation::kStart;
        return std::pair(
            end, world.client_host().endpoint().path_memory(world.client_connection()).value());
    };
    const auto [first, memory] = upload(20'000'000, std::nullopt);
    ASSERT_TRUE(memory);
    const auto [plain, none] = upload(1'000'000, std::nullopt);
    const auto [resumed, some] = upload(1'000'000, memory);
    EXPECT_LT(resumed, plain * 3 / 4);
}

}  // namespace
}  // namespace stoq::sim
