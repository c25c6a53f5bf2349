// What paths do to a connection: rebinding, MTU, ECN, limits before validation, hostile copies.
#include <gtest/gtest.h>

#include "sim/scenario.h"

namespace stoq::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

void add_bottleneck(Scenario& scenario, std::uint64_t bits_per_second, std::uint64_t queue) {
    for (LinkSettings* link : {&scenario.up, &scenario.down}) {
        link->bits_per_second = bits_per_second;
        link->queue_bytes = queue;
    }
}

ConnectionStatistics client_statistics(World& world) {
    return world.client_host().endpoint().statistics(world.client_connection()).value();
}

class SimRebinding : public testing::TestWithParam<bool> {};

TEST_P(SimRebinding, TheServerFollowsAClientWhoseAddressOutsideChanges) {
    Scenario scenario = plain_scenario(1, 2'000'000);
    scenario.plan.streams[0].response_waits = false;
    add_bottleneck(scenario, 20'000'000, 100'000);
    scenario.rebindings = {{milliseconds(200), GetParam()}, {milliseconds(500), GetParam()}};
    World world(scenario);
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    const ConnectionInfo info =
        world.server_host().endpoint().info(world.server().connection()).value();
    EXPECT_EQ(to_string(info.remote), to_string(world.nat().outside(world.simulation().now())));
    EXPECT_NE(info.remote, client_address());
    ASSERT_TRUE(world.run_close(42, "done")) << world.describe();
    EXPECT_EQ(world.server().closed()->kind, CloseKind::kPeerApplication);
}

INSTANTIATE_TEST_SUITE_P(PortAndAddress, SimRebinding, testing::Bool());

TEST(SimPath, DiscoveryFindsTheLargestDatagramThatIsAllowed) {
    World world(plain_scenario(2, 1'000'000));
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    EXPECT_EQ(client_statistics(world).datagram_size, 1452u) << world.describe();
}

// What the datapath can send at all is the end of the search, not the end of searching.
TEST(SimPath, DiscoveryStaysBelowWhatTheSenderHasRoomFor) {
    Scenario scenario = plain_scenario(4, 3'000'000);
    scenario.up.mtu = scenario.down.mtu = 65'535;
    scenario.client.max_datagram_size = scenario.server.max_datagram_size = 65'527;
    World world(scenario);
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    EXPECT_EQ(client_statistics(world).datagram_size, 65'507u) << world.describe();
}

TEST(SimPath, DiscoveryStaysBelowWhatThePathDrops) {
    Scenario scenario = plain_scenario(3, 1'000'000);
    scenario.up.mtu = scenario.down.mtu = 1300;
    World world(scenario);
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    world.simulation().run_for(seconds(5));
    EXPECT_LE(client_statistics(world).datagram_size, 1300u) << world.describe();
    EXPECT_GE(client_statistics(world).datagram_size, 1260u) << world.describe();
}

TEST(SimPath, MarksReduceTheWindowBeforeAnythingIsLost) {
    std::array<ConnectionStatistics, 2> counts;
    std::array<bool, 2> completed{};
    for (const bool marked : {false, true}) {
        Scenario scenario = plain_scenario(4, 8'000'000);
        scenario.plan.streams[0].response = 0;
        scenario.client.congestion = CongestionAlgorithm::kNewReno;
        add_bottleneck(scenario, 20'000'000, 50'000'000);
        if (marked) scenario.up.mark_above = 30'000;
        World world(scenario);
        world.start();
        completed[marked] = world.run_transfer();
        counts[marked] = client_statistics(world);
    }
    ASSERT_TRUE(completed[0] && completed[1]);
    EXPECT_EQ(counts[0].packets_lost, 0u);
    EXPECT_EQ(counts[1].packets_lost, 0u);
    EXPECT_LT(counts[1].congestion_window, counts[0].congestion_window / 2);
    EXPECT_LT(counts[1].smoothed_rtt, counts[0].smoothed_rtt);
}

// Counts what a server sends to a client that falls silent after `datagrams` datagrams. The
// ClientHello takes two; the third would validate the client's address.
struct Amplification {
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
};

Amplification amplification_of(std::size_t datagrams) {
    Scenario scenario = plain_scenario(5, 100);
    scenario.server.handshake_timeout = seconds(120);
    scenario.server.idle_timeout = seconds(240);
    World world(scenario);
    Amplification counts;
    world.client_host().uplink().add(std::make_unique<ScriptedDrop>(
        [datagrams](std::size_t index, const Datagram&) { return index >= datagrams; }));
    world.client_host().uplink().add(
        std::make_unique<Tap>([&](InFlight& in) { counts.received += in.datagram.bytes.size(); }));
    world.server_host().uplink().add(std::make_unique<Tap>([&](InFlight& in) {
        counts.sent += in.datagram.bytes.size();
        EXPECT_LE(counts.sent, 3 * counts.received);
    }));
    world.start();
    world.simulation().run_for(seconds(300));
    return counts;
}

//= test 9000-8-1
TEST(SimPath, AnUnvalidatedClientGetsAtMostThreeTimesWhatItSent) {
    for (const std::size_t datagrams : {1, 2}) {
        const Amplification counts = amplification_of(datagrams);
        EXPECT_LE(counts.sent, 3 * counts.received) << datagrams;
        EXPECT_GT(counts.sent, 0u) << datagrams;
    }
    // With the whole ClientHello there is more to send, again and again, than the limit allows.
    const Amplification whole = amplification_of(2);
    EXPECT_GT(whole.sent, 2 * whole.received);
}

// Copies of the client's datagrams, some of them damaged, from the client's address and from
// elsewhere: nothing comes of them.
TEST(SimPath, ReplayedTruncatedDamagedAndRandomDatagramsChangeNothing) {
    Scenario scenario = plain_scenario(6, 300'000);
    World world(scenario);
    SeededRandom random(scenario.seed);
    const auto attack = [&](InFlight& in) {
        for (const Address& source : {in.datagram.source, host_address(66, 666)}) {
            const Duration later = milliseconds(1 + draw(random, 0, 30));
            Datagram copy = in.datagram;
            copy.source = source;
            world.simulation().inject(copy, in.at + later);
            Datagram truncated = copy;
            truncated.bytes.resize(draw(random, 0, copy.bytes.size() - 1));
            world.simulation().inject(truncated, in.at);
            Datagram damaged = copy;
            damaged.bytes[draw(random, 0, copy.bytes.size() - 1)] ^= 0x40;
            world.simulation().inject(damaged, in.at);
            Datagram noise = copy;
            random.fill(noise.bytes);
            world.simulation().inject(noise, in.at);
        }
    };
    world.client_host().uplink().add(std::make_unique<Tap>(attack));
    world.server_host().uplink().add(std::make_unique<Tap>(attack));
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    const ConnectionInfo info =
        world.server_host().endpoint().info(world.server().connection()).value();
    EXPECT_EQ(to_string(info.remote), to_string(client_address()));
    EXPECT_EQ(world.server_host().endpoint().statistics().connections_now, 1u);
    ASSERT_TRUE(world.run_close(42, "done")) << world.describe();
    EXPECT_EQ(world.server().closed()->kind, CloseKind::kPeerApplication);
}

// What is in flight on a path without delay waits in the peer's socket buffer.
TEST(SimPath, AShortPathIsNotFilledBeyondWhatASocketHolds) {
    Scenario scenario = plain_scenario(31, 20'000'000);
    scenario.up.delay = scenario.down.delay = std::chrono::microseconds(20);
    for (Settings* settings : {&scenario.client, &scenario.server}) {
        settings->initial_stream_window = settings->max_stream_window = 64 << 20;
        settings->initial_connection_window = settings->max_connection_window = 64 << 20;
        settings->initial_send_buffer_per_stream = 16 << 20;
    }
    World world(scenario);
    world.start();
    std::uint64_t most = 0;
    EXPECT_TRUE(world.run([&] {
        const auto statistics =
            world.client_host().endpoint().statistics(world.client_connection());
        if (statistics) most = std::max(most, statistics->bytes_in_flight);
        return world.client().complete() && world.server().complete();
    })) << world.describe();
    EXPECT_GT(most, 256u << 10);
    EXPECT_LE(most, 512u << 10);
}

}  // namespace
}  // namespace stoq::sim
