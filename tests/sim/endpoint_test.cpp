// What endpoints do beside transferring: closing, stateless answers, tokens, limits.
#include <gtest/gtest.h>

#include "path/quic_lb.h"
#include "sim/scenario.h"

namespace stoq::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::size_t count_closed(std::span<const Event> events, std::optional<CloseInfo>& last) {
    std::size_t count = 0;
    for (const Event& event : events) {
        if (const auto* closed = std::get_if<ConnectionClosed>(&event)) {
            last = closed->info;
            ++count;
        }
    }
    return count;
}

TEST(SimEndpoint, TheServersCodeAndReasonReachTheClient) {
    World world(plain_scenario(1, 1'000));
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    ASSERT_TRUE(world.server_host().endpoint().close(world.server().connection(), 9, "no more"));
    ASSERT_TRUE(world.run([&] { return world.both_closed(); })) << world.describe();
    EXPECT_EQ(world.server().closed()->kind, CloseKind::kLocalApplication);
    EXPECT_EQ(world.client().closed()->kind, CloseKind::kPeerApplication);
    EXPECT_EQ(world.client().closed()->code, 9u);
    EXPECT_EQ(world.client().closed()->phrase, "no more");
}

TEST(SimEndpoint, WhenBothCloseAtOnceEachIsToldWhatItSaidItself) {
    World world(plain_scenario(2, 1'000));
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    ASSERT_TRUE(world.server_host().endpoint().close(world.server().connection(), 9, "server"));
    ASSERT_TRUE(world.client_host().endpoint().close(world.client_connection(), 8, "client"));
    ASSERT_TRUE(world.run([&] { return world.both_closed(); })) << world.describe();
    EXPECT_EQ(world.server().closed()->kind, CloseKind::kLocalApplication);
    EXPECT_EQ(world.server().closed()->code, 9u);
    EXPECT_EQ(world.client().closed()->kind, CloseKind::kLocalApplication);
    EXPECT_EQ(world.client().closed()->code, 8u);
    world.simulation().run_for(seconds(10));
    EXPECT_EQ(world.client_host().endpoint().statistics().connections_now, 0u);
    EXPECT_EQ(world.server_host().endpoint().statistics().connections_now, 0u);
}

// A server that has lost its state and, by its key, can still say so.
TEST(SimEndpoint, AServerWithTheSameKeyResetsTheConnectionsOfThePreviousProcess) {
    for (const bool same_key : {true, false}) {
        Scenario scenario = plain_scenario(3, 1'000);
        scenario.server_endpoint.persistent_key.fill(5);
        scenario.client.keep_alive_interval = seconds(1);
        World world(scenario);
        world.start();
        ASSERT_TRUE(world.run_transfer()) << world.describe();
        EndpointSettings settings = scenario.server_endpoint;
        if (!same_key) settings.persistent_key.fill(6);
        world.server_host().set_application(nullptr);
        world.server_host().restart(settings, 99);
        ASSERT_TRUE(world.server_host().endpoint().listen(server_config(scenario.server)));
        ASSERT_TRUE(world.run([&] { return world.client().closed().has_value(); }));
        EXPECT_EQ(world.client().closed()->kind,
                  same_key ? CloseKind::kStatelessReset : CloseKind::kIdleTimeout);
        EXPECT_GE(world.server_host().endpoint().statistics().stateless_resets_sent, 1u);
    }
}

TEST(SimEndpoint, RetryProvesTheClientsAddressAndTheTransferGoesOn) {
    Scenario scenario = plain_scenario(4, 10'000);
    scenario.server_endpoint.retry = RetryPolicy::kAlways;
    EXPECT_EQ(check(scenario), "");
    World world(scenario);
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    // The ClientHello takes two datagrams, and each is answered.
    EXPECT_EQ(world.server_host().endpoint().statistics().retries_sent, 2u);
    EXPECT_EQ(world.server_host().endpoint().statistics().connections_accepted, 1u);
}

TEST(SimEndpoint, ATokenFromAnEarlierConnectionSparesTheRetry) {
    Scenario scenario = plain_scenario(5, 1'000);
    // Under load at once.
    scenario.server_endpoint.max_half_open = 1;
    World world(scenario);
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    const std::uint64_t retries = world.server_host().endpoint().statistics().retries_sent;
    EXPECT_GE(retries, 1u);
    ClientConfig config = client_config(scenario.client);
    world.run([&] {
        config.token =
            world.client_host().endpoint().address_token(world.client_connection()).value();
        return !config.token.empty();
    });
    ASSERT_FALSE(config.token.empty());
    ASSERT_TRUE(world.run_close(1, "")) << world.describe();
    world.client_host().set_application(nullptr);
    world.server_host().set_application(nullptr);
    const auto second = world.client_host().endpoint().connect(config, world.simulation().now());
    ASSERT_TRUE(second);
    world.simulation().run_for(seconds(1));
    EXPECT_TRUE(world.client_host().endpoint().info(*second).value().established);
    EXPECT_EQ(world.server_host().endpoint().statistics().retries_sent, retries);
}

// Every packet of a client carries an ID from which the load balancer reads the server.
TEST(SimEndpoint, IdsForALoadBalancerCarryTheServerIdFromTheFirstAnswerOn) {
    Scenario scenario = plain_scenario(13, 20'000);
    QuicLbSettings lb;
    lb.codepoint = 2;
    lb.server_id = {0x12, 0x34};
    lb.nonce_length = 6;
    lb.key.emplace().fill(9);
    scenario.server_endpoint.quic_lb = lb;
    SeededRandom random(1);
    path::QuicLbGenerator balancer(lb, random);
    World world(scenario);
    std::size_t routed = 0;
    world.client_host().uplink().add_front(std::make_unique<Tap>([&](InFlight& in) {
        const ByteView bytes = in.datagram.bytes;
        if ((bytes[0] & 0x80) != 0) return;
        EXPECT_EQ(balancer.server_id_of(bytes.subspan(1, balancer.length())), lb.server_id);
        ++routed;
    }));
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    EXPECT_GT(routed, 3u);
}

// Damages one byte of the client's first datagrams, at `place`.
void damage_first(World& world, std::size_t first, std::size_t count,
                  std::function<std::size_t(ByteView)> place) {
    auto index = std::make_shared<std::size_t>(0);
    world.client_host().uplink().add_front(std::make_unique<Tap>([=](InFlight& in) {
        const std::size_t number = (*index)++;
        if (number < first || number >= first + count) return;
        in.datagram.bytes[place(in.datagram.bytes)] ^= 0x10;
    }));
}

TEST(SimEndpoint, AFirstInitialWithADamagedSourceIdMakesNoConnection) {
    World world(plain_scenario(11, 1'000));
    damage_first(world, 0, 1, [](ByteView bytes) { return 7u + bytes[5]; });
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    EXPECT_EQ(world.server_host().endpoint().statistics().connections_accepted, 1u);
    EXPECT_GE(world.server_host().endpoint().statistics().datagrams_dropped, 1u);
}

TEST(SimEndpoint, ATokenThatWasDamagedOnTheWayDoesNotEndTheConnection) {
    Scenario scenario = plain_scenario(12, 1'000);
    scenario.server_endpoint.retry = RetryPolicy::kAlways;
    World world(scenario);
    // The two datagrams after the Retry; the token is long enough for its length to take two bytes.
    damage_first(world, 2, 2, [](ByteView bytes) {
        const std::size_t ids = 7u + bytes[5] + bytes[6u + bytes[5]];
        return ids + 10;
    });
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    EXPECT_FALSE(world.client().closed());
}

// First flights of clients that will never answer, from addresses of their own.
void forge_initials(Simulation& simulation, std::size_t count) {
    SeededRandom random(17);
    Endpoint forger = std::move(Endpoint::create({}, random).value());
    std::vector<std::uint8_t> memory(65'507);
    for (std::size_t i = 0; i < count; ++i) {
        (void)forger.connect(client_config({}), simulation.now());
        TransmitSlot slot;
        slot.buffer = memory;
        while (forger.transmit(slot, simulation.now())) {
            for (std::size_t at = 0; at < slot.length; at += slot.datagram_length) {
                const Bytes bytes =
                    Bytes(memory).subspan(at, std::min(slot.datagram_length, slot.length - at));
                Datagram datagram;
                datagram.bytes.assign(bytes.begin(), bytes.end());
                datagram.source = host_address(200, static_cast<std::uint16_t>(1'000 + i));
                datagram.destination = server_address();
                simulation.inject(std::move(datagram), simulation.now() + milliseconds(i / 10));
            }
        }
    }
}

TEST(SimEndpoint, ForgedInitialsFillNoMoreThanTheHalfOpenLimit) {
    Scenario scenario = plain_scenario(6, 1'000);
    scenario.server_endpoint.max_half_open = 20;
    scenario.server_endpoint.retry = RetryPolicy::kNever;
    World world(scenario);
    world.client_host().set_application(nullptr);
    world.start();
    forge_initials(world.simulation(), 200);
    std::size_t most = 0;
    world.simulation().run(
        [&] {
            most = std::max(most, world.server_host().endpoint().statistics().half_open_now);
            return false;
        },
        seconds(2));
    EXPECT_LE(most, 20u);
    EXPECT_GE(most, 19u);
    world.simulation().run_for(seconds(60));
    EXPECT_EQ(world.server_host().endpoint().statistics().half_open_now, 0u);
}

TEST(SimEndpoint, DuringAFloodOfForgedInitialsATransferCompletesBehindARetry) {
    Scenario scenario = plain_scenario(7, 200'000);
    scenario.server_endpoint.max_half_open = 20;
    World world(scenario);
    world.start(client_config(scenario.client));
    forge_initials(world.simulation(), 500);
    world.server_host().set_application(nullptr);
    world.simulation().run_for(seconds(3));
    const EndpointStatistics counts = world.server_host().endpoint().statistics();
    EXPECT_LE(counts.half_open_now, 10u);
    EXPECT_GE(counts.retries_sent, 400u);
    EXPECT_TRUE(world.client().established()) << world.describe();
}

// --- Versions ---

std::vector<std::uint8_t> long_header(std::uint32_t version, ByteView destination,
                                      ByteView source) {
    std::vector<std::uint8_t> bytes{0xc0};
    for (int shift = 24; shift >= 0; shift -= 8) {
        bytes.push_back(static_cast<std::uint8_t>(version >> shift));
    }
    for (const ByteView id : {destination, source}) {
        bytes.push_back(static_cast<std::uint8_t>(id.size()));
        bytes.insert(bytes.end(), id.begin(), id.end());
    }
    return bytes;
}

//= test 9000-6.1-1
//= test 9368-2.1-1
TEST(SimVersions, AnUnknownVersionIsAnsweredWithThoseThatAreSpoken) {
    for (const std::size_t length : {1200u, 1199u}) {
        World world(plain_scenario(8, 1));
        std::vector<Datagram> answers;
        world.server_host().uplink().add_front(
            std::make_unique<Tap>([&](InFlight& in) { answers.push_back(in.datagram); }));
        ASSERT_TRUE(world.server_host().endpoint().listen(server_config({})));
        Datagram datagram;
        const std::vector<std::uint8_t> destination{1, 2, 3, 4, 5, 6, 7, 8};
        const std::vector<std::uint8_t> source{9, 9, 9};
        datagram.bytes = long_header(0x5a6a7a8a, destination, source);
        datagram.bytes.resize(length);
        datagram.source = client_address();
        datagram.destination = server_address();
        world.simulation().inject(datagram, world.simulation().now());
        world.simulation().run_for(seconds(1));
        if (length < 1200) {
            EXPECT_TRUE(answers.empty());
            continue;
        }
        ASSERT_EQ(answers.size(), 1u);
        const std::vector<std::uint8_t> start = long_header(0, source, destination);
        ASSERT_GT(answers[0].bytes.size(), start.size());
        EXPECT_NE(answers[0].bytes[0] & 0x80, 0);
        EXPECT_TRUE(std::equal(start.begin() + 1, start.end(), answers[0].bytes.begin() + 1));
        const std::array<std::uint8_t, 4> version_1{0, 0, 0, 1};
        EXPECT_NE(std::search(answers[0].bytes.begin() + static_cast<std::ptrdiff_t>(start.size()),
                              answers[0].bytes.end(), version_1.begin(), version_1.end()),
                  answers[0].bytes.end());
        EXPECT_EQ(world.server_host().endpoint().statistics().connections_now, 0u);
    }
}

// A middle box answers the client's first datagram with Version Negotiation that names `versions`.
std::optional<CloseInfo> negotiate(std::vector<std::uint32_t> versions) {
    World world(plain_scenario(9, 1));
    world.client_host().uplink().add(std::make_unique<Tap>([&](InFlight& in) {
        const ByteView bytes = in.datagram.bytes;
        if (bytes.size() < 1200 || (bytes[0] & 0xf0) != 0xc0) return;
        const ByteView destination = bytes.subspan(6, bytes[5]);
        const ByteView source =
            bytes.subspan(7 + destination.size(), bytes[6 + destination.size()]);
        Datagram answer;
        answer.bytes = long_header(0, source, destination);
        for (const std::uint32_t version : versions) {
            for (int shift = 24; shift >= 0; shift -= 8) {
                answer.bytes.push_back(static_cast<std::uint8_t>(version >> shift));
            }
        }
        answer.source = server_address();
        answer.destination = client_address();
        world.simulation().inject(answer, in.at);
    }));
    world.start();
    world.simulation().run_for(seconds(1));
    return world.client().closed();
}

//= test 9000-6.2-1
TEST(SimVersions, AClientGivesUpWhenTheServerSpeaksNoVersionOfItsOwn) {
    const auto closed = negotiate({0x5a6a7a8a, 0x709a50c4});
    ASSERT_TRUE(closed);
    EXPECT_EQ(closed->kind, CloseKind::kVersionMismatch);
}

TEST(SimVersions, AClientIgnoresAVersionNegotiationThatOffersItsOwnVersion) {
    EXPECT_FALSE(negotiate({0x5a6a7a8a, 1}));
}

//= test 9000-5.2.2-5
TEST(SimVersions, AServerThatHasStoppedListeningRefuses) {
    World world(plain_scenario(10, 1));
    world.start();
    world.server_host().endpoint().stop_listening();
    std::optional<CloseInfo> info;
    world.client_host().set_application(nullptr);
    std::vector<Event> events;
    world.simulation().run(
        [&] {
            for (Event& event : world.client_host().take_events()) events.push_back(event);
            return !events.empty();
        },
        seconds(60));
    ASSERT_EQ(count_closed(events, info), 1u);
    EXPECT_EQ(info->kind, CloseKind::kPeerTransport) << to_string(*info);
    EXPECT_EQ(info->code, static_cast<std::uint64_t>(TransportErrorCode::kConnectionRefused));
    // It had nothing to forget, and listens again when told to.
    Endpoint& server = world.server_host().endpoint();
    EXPECT_EQ(server.statistics().connections_accepted, 0u);
    EXPECT_FALSE(server.replace_credentials(server_config({}).credentials));
}

}  // namespace
}  // namespace stoq::sim
