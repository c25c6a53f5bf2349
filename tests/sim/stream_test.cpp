// Streams under tight limits, and keys that change meanwhile.
#include <gtest/gtest.h>

#include "sim/scenario.h"

namespace stoq::sim {
namespace {

TEST(SimStreams, WindowsOfAKilobyteSlowATransferDownAndDoNotStopIt) {
    Scenario scenario = plain_scenario(1, 50'000);
    for (Settings* settings : {&scenario.client, &scenario.server}) {
        settings->initial_stream_window = settings->max_stream_window = 1'000;
        settings->initial_connection_window = settings->max_connection_window = 1'000;
    }
    EXPECT_EQ(check(scenario), "");
}

TEST(SimStreams, WindowsOfAKilobyteHoldForManyStreamsWithLoss) {
    Scenario scenario = plain_scenario(2, 3'000);
    scenario.plan.streams.resize(20, scenario.plan.streams[0]);
    scenario.up.loss = scenario.down.loss = 0.05;
    for (Settings* settings : {&scenario.client, &scenario.server}) {
        settings->initial_stream_window = settings->max_stream_window = 1'000;
        settings->initial_connection_window = settings->max_connection_window = 2'000;
    }
    EXPECT_EQ(check(scenario), "");
}

TEST(SimStreams, AThousandStreamsPassALimitOfTen) {
    for (const auto directionality :
         {Directionality::kBidirectional, Directionality::kUnidirectional}) {
        Scenario scenario = plain_scenario(3, 100);
        scenario.plan.streams[0].directionality = directionality;
        scenario.plan.streams.resize(1000, scenario.plan.streams[0]);
        scenario.server.max_bidirectional_streams = 10;
        scenario.server.max_unidirectional_streams = 10;
        EXPECT_EQ(check(scenario), "");
    }
}

TEST(SimStreams, ResetsAndStopsLeaveNothingBehind) {
    Scenario scenario = plain_scenario(4, 200'000);
    scenario.plan.streams[0].reset_after = 50'000;
    scenario.plan.streams.push_back({.request = 200'000, .response = 10, .stop_after = 20'000});
    scenario.plan.streams.push_back({.initiator = Role::kServer,
                                     .directionality = Directionality::kUnidirectional,
                                     .request = 300'000,
                                     .stop_after = 1});
    scenario.plan.streams.push_back({.request = 10'000, .response = 100'000});
    scenario.up.loss = scenario.down.loss = 0.03;
    EXPECT_EQ(check(scenario), "");
}

// With losses, a window that the promised bytes do not fit into, and a reader that is slow.
TEST(SimStreams, PromisedBytesOfAResetStreamArrive) {
    for (std::uint64_t seed = 40; seed < 60; ++seed) {
        Scenario scenario = plain_scenario(seed, 200'000);
        scenario.plan.streams[0].reset_after = 150'000;
        scenario.plan.streams[0].promised = 1'000 * (seed - 39);
        scenario.plan.streams.push_back({.initiator = Role::kServer,
                                         .directionality = Directionality::kUnidirectional,
                                         .request = 100'000,
                                         .reset_after = 100'000,
                                         .promised = 100'000});
        scenario.plan.streams.push_back(
            {.request = 80'000, .reset_after = 60'000, .promised = 50'000, .stop_after = 30'000});
        scenario.plan.max_read = 700;
        scenario.up.loss = scenario.down.loss = 0.05;
        for (Settings* settings : {&scenario.client, &scenario.server}) {
            settings->initial_stream_window = settings->max_stream_window = 10'000;
        }
        EXPECT_EQ(check(scenario), "") << "seed " << seed;
    }
}

// A stream is done when the application has polled its reset: nothing else makes its side send.
TEST(SimStreams, TheEndOfAResetStreamIsCreditForTheNext) {
    Scenario scenario = plain_scenario(7, 0);
    scenario.plan.streams.assign(5, {.initiator = Role::kServer,
                                     .directionality = Directionality::kUnidirectional,
                                     .request = 7'000,
                                     .reset_after = 6'000,
                                     .promised = 2'000});
    scenario.client.max_unidirectional_streams = 1;
    EXPECT_EQ(check(scenario), "");
}

TEST(SimStreams, AReaderThatRestsHoldsUpTheWriterAndLosesNothing) {
    Scenario scenario = plain_scenario(5, 400'000);
    scenario.plan.max_read = 500;
    scenario.plan.max_pause = std::chrono::milliseconds(400);
    for (Settings* settings : {&scenario.client, &scenario.server}) {
        settings->initial_stream_window = settings->max_stream_window = 20'000;
        settings->initial_send_buffer_per_stream = settings->max_send_buffer_per_stream = 30'000;
    }
    EXPECT_EQ(check(scenario), "");
}

// Both sides change their keys again and again while data flows, over a path that reorders.
TEST(SimKeys, UpdatesFromBothSidesDoNotDisturbATransfer) {
    Scenario scenario = plain_scenario(6, 2'000'000);
    scenario.plan.streams[0].response_waits = false;
    for (LinkSettings* link : {&scenario.up, &scenario.down}) {
        link->bits_per_second = 20'000'000;
        link->queue_bytes = 100'000;
        link->loss = 0.01;
        link->jitter = std::chrono::milliseconds(5);
    }
    World world(scenario);
    world.start();
    ASSERT_TRUE(world.run([&] { return world.both_established(); })) << world.describe();
    std::size_t updates_of_client = 0;
    std::size_t updates_of_server = 0;
    const bool complete = world.run([&] {
        // Refused while an update is under way, or the handshake is not confirmed.
        Endpoint& client = world.client_host().endpoint();
        Endpoint& server = world.server_host().endpoint();
        updates_of_client += client.update_keys(world.client_connection()).has_value();
        updates_of_server += server.update_keys(world.server().connection()).has_value();
        return !world.failure().empty() || world.client().closed() ||
               (world.client().complete() && world.server().complete());
    });
    ASSERT_TRUE(complete && world.client().complete()) << world.describe();
    EXPECT_GE(updates_of_client + updates_of_server, 3u);
    const auto counts = world.client_host().endpoint().statistics(world.client_connection());
    EXPECT_GE(counts->key_updates, 3u);
    ASSERT_TRUE(world.run_close(42, "done")) << world.describe();
    EXPECT_EQ(world.server().closed()->kind, CloseKind::kPeerApplication);
}

// draft-ietf-quic-ack-frequency: a sender with a large window asks for rarer ACKs.
TEST(SimStream, ABulkTransferIsAcknowledgedMoreSeldomWhereBothSidesAllowIt) {
    std::array<std::uint64_t, 2> acks{};
    for (const bool offered : {false, true}) {
        Scenario scenario = plain_scenario(41, 0);
        scenario.plan.streams = {{.request = 3'000'000}};
        scenario.server.ack_frequency = offered;
        World world(scenario);
        world.start();
        ASSERT_TRUE(world.run_transfer()) << world.describe();
        acks[offered ? 1 : 0] =
            world.server_host().endpoint().statistics(world.server().connection())->packets_sent;
    }
    EXPECT_LT(acks[1] * 3, acks[0] * 2) << acks[1] << " and " << acks[0];
}

}  // namespace
}  // namespace stoq::sim
