// Silence, lost tails, idle timeouts and keep-alive.
#include <gtest/gtest.h>

#include "sim/scenario.h"

namespace stoq::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kForever = std::chrono::hours(24 * 365);

Duration elapsed(World& world) {
    return world.simulation().now() - Simulation::kStart;
}

TEST(SimTime, ATransferSurvivesTwoSecondsOfSilence) {
    Scenario scenario = plain_scenario(1, 500'000);
    scenario.silence = Silence{milliseconds(60), milliseconds(2060)};
    EXPECT_EQ(check(scenario), "");
}

TEST(SimTime, WhenNothingEverComesBackTheHandshakeTimesOut) {
    Scenario scenario = plain_scenario(2, 100);
    scenario.silence = Silence{Duration::zero(), kForever};
    scenario.client.handshake_timeout = seconds(5);
    World world(scenario);
    world.start();
    ASSERT_TRUE(world.run([&] { return world.client().closed().has_value(); }));
    EXPECT_EQ(world.client().closed()->kind, CloseKind::kHandshakeTimeout);
    EXPECT_EQ(elapsed(world), seconds(5));
}

// Whichever single datagram is lost, its loss is made good within a few round trips: by packets
// behind it, or by a probe when there are none.
class SimTailLoss : public testing::TestWithParam<std::size_t> {};

TEST_P(SimTailLoss, AnySingleLossIsRepaired) {
    for (const bool up : {true, false}) {
        Scenario scenario = plain_scenario(3, 6'000);
        World world(scenario);
        Host& host = up ? world.client_host() : world.server_host();
        host.uplink().add_front(std::make_unique<ScriptedDrop>(
            [](std::size_t index, const Datagram&) { return index == GetParam(); }));
        world.start();
        ASSERT_TRUE(world.run_transfer())
            << "datagram " << GetParam() << (up ? " up " : " down ") << world.describe();
        EXPECT_LE(elapsed(world), milliseconds(1500)) << world.describe();
        EXPECT_TRUE(world.run_close(1, "")) << world.describe();
    }
}

INSTANTIATE_TEST_SUITE_P(Datagrams, SimTailLoss, testing::Range<std::size_t>(0, 16));

// The client's Finished is lost twice while 1-RTT data, which the server cannot acknowledge yet,
// fills the window.
TEST(SimTime, AFullWindowDoesNotHoldUpTheEndOfTheHandshake) {
    World world(plain_scenario(8, 100'000));
    bool dropped_again = false;
    world.client_host().uplink().add_front(
        std::make_unique<ScriptedDrop>([&](std::size_t index, const Datagram& datagram) {
            if (index <= 2) return index == 2;
            const bool handshake = (datagram.bytes[0] & 0xf0) == 0xe0;
            return handshake && !std::exchange(dropped_again, true);
        }));
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    EXPECT_TRUE(dropped_again);
    EXPECT_LE(elapsed(world), milliseconds(2'000)) << world.describe();
}

TEST(SimTime, WithoutTrafficBothSidesForgetTheConnectionAfterTheShorterTimeout) {
    Scenario scenario = plain_scenario(4, 1'000);
    scenario.client.idle_timeout = seconds(5);
    scenario.server.idle_timeout = seconds(30);
    World world(scenario);
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    const Duration quiet_from = elapsed(world);
    ASSERT_TRUE(world.run([&] { return world.both_closed(); })) << world.describe();
    EXPECT_EQ(world.client().closed()->kind, CloseKind::kIdleTimeout);
    EXPECT_EQ(world.server().closed()->kind, CloseKind::kIdleTimeout);
    EXPECT_GE(elapsed(world), seconds(5));
    EXPECT_LE(elapsed(world), quiet_from + milliseconds(5'500));
}

TEST(SimTime, WhenThePathDiesDuringATransferBothSidesTimeOut) {
    Scenario scenario = plain_scenario(5, 4'000'000);
    scenario.up.bits_per_second = scenario.down.bits_per_second = 10'000'000;
    scenario.up.queue_bytes = scenario.down.queue_bytes = 100'000;
    scenario.silence = Silence{milliseconds(500), kForever};
    scenario.client.idle_timeout = scenario.server.idle_timeout = seconds(20);
    World world(scenario);
    world.start();
    EXPECT_FALSE(world.run_transfer());
    ASSERT_TRUE(world.run([&] { return world.both_closed(); })) << world.describe();
    EXPECT_EQ(world.client().closed()->kind, CloseKind::kIdleTimeout);
    EXPECT_EQ(world.server().closed()->kind, CloseKind::kIdleTimeout);
    EXPECT_LE(elapsed(world), seconds(25));
}

TEST(SimTime, KeepAliveKeepsAConnectionThatHasNothingToSay) {
    Scenario scenario = plain_scenario(6, 1'000);
    scenario.client.idle_timeout = scenario.server.idle_timeout = seconds(5);
    scenario.client.keep_alive_interval = seconds(2);
    World world(scenario);
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    world.simulation().run_for(seconds(300));
    EXPECT_FALSE(world.client().closed());
    EXPECT_FALSE(world.server().closed());
    EXPECT_TRUE(world.run_close(7, "enough")) << world.describe();
    EXPECT_EQ(world.server().closed()->kind, CloseKind::kPeerApplication);
}

TEST(SimTime, AConnectionWithoutIdleTimeoutStays) {
    Scenario scenario = plain_scenario(7, 1'000);
    scenario.client.idle_timeout = scenario.server.idle_timeout = Duration::zero();
    World world(scenario);
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    world.simulation().run_for(std::chrono::hours(24));
    EXPECT_FALSE(world.client().closed());
    EXPECT_FALSE(world.server().closed());
}

}  // namespace
}  // namespace stoq::sim
