// The thinnest exchanges: a good path, a handshake, some bytes.
#include <gtest/gtest.h>

#include "sim/scenario.h"
#include "support/test_credentials.h"

namespace stoq::sim {
namespace {

TEST(SimHandshake, OnAGoodPathBothSidesAreEstablishedWithinTwoRoundTrips) {
    const Scenario scenario = plain_scenario(1, 0);
    World world(scenario);
    world.start();
    ASSERT_TRUE(world.run([&] { return world.both_established(); })) << world.describe();
    EXPECT_LE(world.simulation().now() - Simulation::kStart, std::chrono::milliseconds(40));
    const ConnectionInfo info =
        world.client_host().endpoint().info(world.client_connection()).value();
    EXPECT_EQ(info.application_protocol, "test");
    EXPECT_EQ(info.key_exchange_group, "X25519MLKEM768");
    EXPECT_EQ(info.version, 1u);
}

TEST(SimHandshake, TimesWithoutAnEndDoNotEndAtOnce) {
    Scenario scenario = plain_scenario(8, 1'000);
    for (Settings* settings : {&scenario.client, &scenario.server}) {
        settings->handshake_timeout = settings->idle_timeout = Duration::max();
        settings->keep_alive_interval = Duration::max();
    }
    scenario.server_endpoint.retry = RetryPolicy::kAlways;
    scenario.server_endpoint.retry_token_lifetime = Duration::max();
    scenario.server_endpoint.new_token_lifetime = Duration::max();
    World world(scenario);
    world.start();
    EXPECT_TRUE(world.run_transfer()) << world.describe();
    EXPECT_EQ(world.failure(), "");
    EXPECT_FALSE(world.client().closed());
}

TEST(SimHandshake, NothingAtAllCanBeTransferred) {
    EXPECT_EQ(check(plain_scenario(2, 0)), "");
}

TEST(SimHandshake, AByteCanBeTransferred) {
    EXPECT_EQ(check(plain_scenario(3, 1)), "");
}

TEST(SimHandshake, AMebibyteCrossesInBothDirections) {
    EXPECT_EQ(check(plain_scenario(4, 1024 * 1024)), "");
}

// A ClientHello that is one packet: the first copy and the first of the two probes get lost.
TEST(SimHandshake, EitherProbeBringsTheClientHelloAgain) {
    const Scenario scenario = plain_scenario(6, 0);
    Credentials credentials = *client_config({}).credentials;
    credentials.groups = "X25519";
    ClientConfig config = client_config(scenario.client);
    config.credentials = std::make_shared<const Credentials>(credentials);
    World world(scenario);
    world.client_host().uplink().add(std::make_unique<ScriptedDrop>(
        [](std::size_t index, const Datagram&) { return index < 2; }));
    world.start(config);
    ASSERT_TRUE(world.run([&] { return world.both_established(); })) << world.describe();
    // One timeout of three times the initial RTT of 333 ms, and what a handshake takes without
    // loss.
    EXPECT_LE(world.simulation().now() - Simulation::kStart, std::chrono::milliseconds(999 + 40));
}

// What the pacer holds back of a flight does not wait for the peer's next acknowledgment.
TEST(SimHandshake, PacingCostsALongChainNoRoundTrips) {
    const PemIdentity leaf = test::make_pem();
    std::string chain(leaf.certificate());
    for (int i = 0; i < 90; ++i) chain += test::make_pem().certificate();
    const auto taken = [&](bool pacing) {
        Scenario scenario = plain_scenario(7, 0);
        scenario.server.pacing = pacing;
        ServerConfig config = server_config(scenario.server);
        config.credentials.identities = {Identity::from_pem(chain, leaf.key()).value()};
        Credentials credentials = *client_config({}).credentials;
        credentials.trust = Trust::ca_pem(leaf.certificate()).value();
        ClientConfig client = client_config(scenario.client);
        client.credentials = std::make_shared<const Credentials>(credentials);
        World world(scenario);
        world.start(client);
        EXPECT_TRUE(world.server_host().endpoint().listen(config));
        EXPECT_TRUE(world.run([&] { return world.both_established(); })) << world.describe();
        return world.simulation().now() - Simulation::kStart;
    };
    constexpr auto kRoundTrip = std::chrono::milliseconds(20);
    EXPECT_LT(taken(true), taken(false) + kRoundTrip);
}

TEST(SimHandshake, OverABottleneckTheRateIsUsed) {
    Scenario scenario = plain_scenario(5, 4 * 1024 * 1024);
    scenario.plan.streams[0].response = 0;
    for (LinkSettings* link : {&scenario.up, &scenario.down}) {
        link->bits_per_second = 20'000'000;
        link->queue_bytes = 60'000;
    }
    World world(scenario);
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    // 4 MiB at 20 Mbit/s take 1.7 s; half of the rate is the least.
    EXPECT_LE(world.simulation().now() - Simulation::kStart, std::chrono::milliseconds(3400))
        << world.describe();
}

}  // namespace
}  // namespace stoq::sim
