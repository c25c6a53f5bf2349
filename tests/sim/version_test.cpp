// Which version two endpoints end up with (RFC 9368, RFC 9369), and what an attacker on the path
// cannot do about it.
#include <gtest/gtest.h>

#include "sim/scenario.h"

namespace stoq::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Versions = std::array<QuicVersion, 2>;

constexpr QuicVersion k1 = QuicVersion::kVersion1;
constexpr QuicVersion k2 = QuicVersion::kVersion2;
constexpr QuicVersion kNone = QuicVersion::kNone;

Scenario versions_scenario(std::uint64_t seed, const Versions& client, QuicVersion original,
                           const Versions& server) {
    Scenario scenario = plain_scenario(seed, 20'000);
    scenario.client.versions = client;
    scenario.client.original_version = original;
    scenario.server.versions = server;
    return scenario;
}

std::uint32_t version_of(Host& host, ConnectionHandle connection) {
    return host.endpoint().info(connection).value().version;
}

struct VersionCase {
    Versions client;
    QuicVersion original;
    Versions server;
    QuicVersion result;
};

//= test 9368-2.3-1
//= test 9368-3-2
//= test 9368-6-2
//= test 9369-4.1-1
//= test 9369-4.1-2
//= test 9369-4.1-4
//= test 9368-2.1-3
//= test 9368-2.1-5
//= test 9369-4.1-5
//= test 9369-4.1-8
TEST(SimVersion, BothSidesAgreeOnTheOneThatTheRulesSay) {
    for (const VersionCase& each : {
             VersionCase{{k1, k2}, k1, {k1, k2}, k1},
             // In the same round trip, because the server prefers another.
             VersionCase{{k1, k2}, k1, {k2, k1}, k2},
             VersionCase{{k1, k2}, k2, {k1, k2}, k1},
             VersionCase{{k2, k1}, k2, {k2, k1}, k2},
             VersionCase{{k1, kNone}, k1, {k2, k1}, k1},
             VersionCase{{k2, kNone}, k2, {k1, k2}, k2},
             // By Version Negotiation.
             VersionCase{{k1, k2}, k1, {k2, kNone}, k2},
             VersionCase{{k2, k1}, k2, {k1, kNone}, k1},
         }) {
        for (const bool retry : {false, true}) {
            Scenario scenario = versions_scenario(1, each.client, each.original, each.server);
            if (retry) scenario.server_endpoint.retry = RetryPolicy::kAlways;
            World world(scenario);
            world.start();
            ASSERT_TRUE(world.run_transfer()) << world.describe();
            EXPECT_EQ(version_of(world.client_host(), world.client_connection()),
                      static_cast<std::uint32_t>(each.result));
            EXPECT_EQ(version_of(world.server_host(), world.server().connection()),
                      static_cast<std::uint32_t>(each.result));
        }
    }
}

//= test 9368-2.1-4
TEST(SimVersion, WithoutOneInCommonTheClientGivesUp) {
    World world(versions_scenario(2, {k1, kNone}, k1, {k2, kNone}));
    world.start();
    world.simulation().run_for(seconds(2));
    ASSERT_TRUE(world.client().closed());
    EXPECT_EQ(world.client().closed()->kind, CloseKind::kVersionMismatch);
}

TEST(SimVersion, LossAndDisorderDoNotKeepThemFromChangingTheVersion) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        Scenario scenario = versions_scenario(seed, {k1, k2}, k1, {k2, k1});
        for (LinkSettings* link : {&scenario.up, &scenario.down}) {
            link->loss = 0.15;
            link->duplication = 0.1;
            link->reorder = 0.3;
            link->jitter = milliseconds(10);
        }
        scenario.client.handshake_timeout = scenario.server.handshake_timeout = seconds(60);
        scenario.client.idle_timeout = scenario.server.idle_timeout = seconds(60);
        EXPECT_EQ(check(scenario), "") << "seed " << seed;
    }
}

// How many short header packets the client sends, and in how many the fixed bit is 0.
std::pair<std::size_t, std::size_t> fixed_bits(bool client_offers, bool server_offers) {
    Scenario scenario = plain_scenario(8, 100'000);
    scenario.client.grease_quic_bit = client_offers;
    scenario.server.grease_quic_bit = server_offers;
    World world(scenario);
    std::pair<std::size_t, std::size_t> counts{};
    bool server_spoke = false;
    world.server_host().uplink().add_front(
        std::make_unique<Tap>([&](InFlight&) { server_spoke = true; }));
    world.client_host().uplink().add_front(std::make_unique<Tap>([&](InFlight& in) {
        const std::uint8_t first = in.datagram.bytes[0];
        // Nothing is known of the server yet.
        EXPECT_TRUE(server_spoke || (first & 0x40) != 0) << "an Initial without the fixed bit";
        if ((first & 0x80) != 0) return;
        ++counts.first;
        counts.second += (first & 0x40) == 0;
    }));
    world.start();
    EXPECT_TRUE(world.run_transfer()) << world.describe();
    return counts;
}

//= test 9287-3-2
//= test 9287-3.1-1
//= test 9287-3.1-3
//= test 9287-3.1-6
TEST(SimVersion, TheFixedBitIsRandomWhereBothSidesOfferItAndSetOtherwise) {
    const auto [all, clear] = fixed_bits(true, true);
    EXPECT_GT(clear * 10, all * 2);
    EXPECT_LT(clear * 10, all * 8);
    EXPECT_EQ(fixed_bits(true, false).second, 0u);
    EXPECT_EQ(fixed_bits(false, true).second, 0u);
}

// Whoever is on the path answers the client's first datagram in the name of the server.
void forge_version_negotiation(World& world, QuicVersion offered, std::size_t times = 1) {
    auto left = std::make_shared<std::size_t>(times);
    world.client_host().uplink().add(std::make_unique<Tap>([&world, left, offered](InFlight& in) {
        const ByteView bytes = in.datagram.bytes;
        if (*left == 0 || bytes.size() < 1200 || (bytes[0] & 0x80) == 0) return;
        --*left;
        const ByteView destination = bytes.subspan(6, bytes[5]);
        const ByteView source =
            bytes.subspan(7 + destination.size(), bytes[6 + destination.size()]);
        Datagram answer;
        answer.bytes = {0xc0, 0, 0, 0, 0};
        for (const ByteView id : {source, destination}) {
            answer.bytes.push_back(static_cast<std::uint8_t>(id.size()));
            answer.bytes.insert(answer.bytes.end(), id.begin(), id.end());
        }
        for (int shift = 24; shift >= 0; shift -= 8) {
            answer.bytes.push_back(
                static_cast<std::uint8_t>(static_cast<std::uint32_t>(offered) >> shift));
        }
        answer.source = server_address();
        answer.destination = client_address();
        world.simulation().inject(answer, in.at);
    }));
}

//= test 9368-4-15
//= test 9368-4-16
TEST(SimVersion, AForgedVersionNegotiationCannotMoveThemFromThePreferredVersion) {
    World world(versions_scenario(3, {k2, k1}, k2, {k2, k1}));
    forge_version_negotiation(world, k1);
    world.start();
    world.simulation().run_for(seconds(5));
    ASSERT_TRUE(world.client().closed());
    EXPECT_EQ(world.client().closed()->kind, CloseKind::kLocalTransport);
    EXPECT_EQ(world.client().closed()->code,
              static_cast<std::uint64_t>(TransportErrorCode::kVersionNegotiationError));
    EXPECT_FALSE(world.client().established());
}

//= test 9368-4-1
TEST(SimVersion, AForgedVersionNegotiationThatOffersTheOriginalVersionIsIgnored) {
    World world(versions_scenario(4, {k1, k2}, k1, {k1, k2}));
    forge_version_negotiation(world, k1);
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    EXPECT_EQ(version_of(world.client_host(), world.client_connection()), 1u);
}

//= test 9368-4-2
TEST(SimVersion, OnlyOneVersionNegotiationIsFollowed) {
    // The server speaks only version 2, says so, and somebody repeats "only version 1".
    World world(versions_scenario(5, {k2, k1}, k1, {k2, kNone}));
    world.start();
    world.simulation().run([&] { return world.server().established(); }, seconds(1));
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    EXPECT_EQ(version_of(world.client_host(), world.client_connection()), 0x6b3343cfu);

    World second(versions_scenario(6, {k2, k1}, k1, {k2, kNone}));
    // The second first flight is answered by a forgery as well.
    forge_version_negotiation(second, k2, 4);
    second.start();
    ASSERT_TRUE(second.run_transfer()) << second.describe();
    EXPECT_EQ(version_of(second.client_host(), second.client_connection()), 0x6b3343cfu);
}

TEST(SimVersion, ARetryOfAnotherVersionIsIgnored) {
    Scenario scenario = versions_scenario(7, {k1, k2}, k1, {k1, k2});
    scenario.server_endpoint.retry = RetryPolicy::kAlways;
    World world(scenario);
    // A copy of the Retry in the other version goes ahead of it.
    world.server_host().uplink().add_front(std::make_unique<Tap>([&](InFlight& in) {
        const ByteView bytes = in.datagram.bytes;
        if (bytes.size() < 7 || (bytes[0] & 0xf0) != 0xf0 || bytes[4] != 1) return;
        Datagram copy = in.datagram;
        copy.bytes[0] = 0xc0;
        const std::array<std::uint8_t, 4> version_2{0x6b, 0x33, 0x43, 0xcf};
        std::copy(version_2.begin(), version_2.end(), copy.bytes.begin() + 1);
        world.simulation().inject(copy, in.at);
    }));
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
}

}  // namespace
}  // namespace stoq::sim
