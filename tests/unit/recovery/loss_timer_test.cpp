// The probe timeout (RFC 9002 section 6.2 and appendix A.8, A.9).
#include "recovery_harness.h"

namespace stoq::recovery {
namespace {

constexpr Duration kFirstTimeout = milliseconds(999);  // 333 + 4 * 166.5

using Probes = std::array<std::uint8_t, kPacketNumberSpaceCount>;

// A sender after the handshake with a known RTT: smoothed 100 ms, variation 50 ms.
Sender confirmed(Role role = Role::kClient) {
    Sender sender(role);
    sender.recovery.discard_space(kInitial, sender.now);
    sender.sample(milliseconds(100), kHandshake);
    sender.recovery.discard_space(kHandshake, sender.now);
    sender.recovery.on_handshake_confirmed(sender.now);
    sender.recovery.set_peer_max_ack_delay(milliseconds(25));
    return sender;
}

TEST(Timer, NothingInFlightAndNothingSentMeansNoTimer) {
    EXPECT_EQ(Sender(Role::kClient).recovery.timer(), kNever);
    EXPECT_EQ(Sender(Role::kServer).recovery.timer(), kNever);
    EXPECT_EQ(confirmed().recovery.timer(), kNever);
}

TEST(Timer, FirstTimeoutOfAHandshakeIsAboutASecondWithoutAckDelay) {
    Sender sender;
    sender.send(kInitial);
    EXPECT_EQ(sender.timer_in(), kFirstTimeout);
}

TEST(Timer, ApplicationSpaceAddsThePeersAckDelay) {
    Sender sender = confirmed();
    sender.send();
    EXPECT_EQ(sender.timer_in(), milliseconds(100 + 4 * 50 + 25));
    EXPECT_EQ(sender.recovery.probe_timeout(kApplication), milliseconds(325));
    EXPECT_EQ(sender.recovery.probe_timeout(kHandshake), milliseconds(300));
}

//= test 9002-6.2.1-3
TEST(Timer, ApplicationSpaceWaitsForTheHandshakeToBeConfirmed) {
    Sender server(Role::kServer);
    server.send();
    EXPECT_EQ(server.recovery.timer(), kNever);
    server.recovery.on_handshake_confirmed(server.now);
    EXPECT_EQ(server.timer_in(), kFirstTimeout + milliseconds(25));
}

//= test 9002-6.2.1-2
TEST(Timer, EarlierOfInitialAndHandshakeCounts) {
    Sender server(Role::kServer);
    server.send(kInitial);
    server.wait(milliseconds(100));
    server.send(kHandshake);
    EXPECT_EQ(server.recovery.timer(), kStart + kFirstTimeout);
    server.wait(milliseconds(100));
    server.send(kInitial);
    EXPECT_EQ(server.recovery.timer(), kStart + milliseconds(100) + kFirstTimeout);
}

//= test 9002-6.2.1-4
TEST(Timer, RestartsWithEveryAckElicitingPacketOnly) {
    Sender sender = confirmed();
    sender.send();
    sender.wait(milliseconds(50));
    sender.send_silent();
    EXPECT_EQ(sender.timer_in(), milliseconds(275));
    sender.send();
    EXPECT_EQ(sender.timer_in(), milliseconds(325));
}

//= test 9002-6.2.1-5
//= test 9002-6.2-1
//= test 9002-7.5-2
TEST(Timer, EachTimeoutDoublesTheNextAndDeclaresNothingLost) {
    Sender sender = confirmed();
    sender.send_many(3);
    Duration expected = milliseconds(325);
    for (std::uint32_t count = 1; count <= 5; ++count) {
        EXPECT_EQ(sender.timer_in(), expected);
        sender.now = sender.recovery.timer();
        const TimeoutOutcome outcome = sender.recovery.on_timeout(sender.now);
        EXPECT_TRUE(outcome.probe_timeout());
        EXPECT_FALSE(outcome.lost.congestion());
        EXPECT_TRUE(outcome.lost.frames.empty());
        EXPECT_EQ(sender.recovery.probe_timeout_count(), count);
        sender.send();
        expected *= 2;
    }
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 8u * 1200);
}

TEST(Timer, BackoffDoesNotOverflow) {
    Sender sender = confirmed();
    sender.send();
    for (int i = 0; i < 100; ++i) {
        sender.now = sender.recovery.timer();
        sender.recovery.on_timeout(sender.now);
        sender.send();
        ASSERT_GT(sender.recovery.timer(), sender.now);
    }
}

//= test 9002-6.2.1-6
TEST(Timer, LossTimeGoesBeforeTheProbeTimeout) {
    Sender sender = confirmed();
    sender.send_many(2);
    sender.wait(milliseconds(100));
    sender.ack_one(1);
    EXPECT_EQ(sender.recovery.timer(),
              sender.now - milliseconds(100) + sender.recovery.rtt().loss_delay());
}

TEST(Timer, DoesNothingBeforeItsTime) {
    Sender sender = confirmed();
    sender.send();
    const TimeoutOutcome outcome =
        sender.recovery.on_timeout(sender.recovery.timer() - Duration(1));
    EXPECT_FALSE(outcome.probe_timeout());
    EXPECT_EQ(sender.recovery.probe_timeout_count(), 0u);
}

TEST(Backoff, EndsWithAnyNewAcknowledgement) {
    Sender sender = confirmed();
    sender.send_many(2);
    sender.now = sender.recovery.timer();
    sender.recovery.on_timeout(sender.now);
    sender.ack_one(0);
    EXPECT_EQ(sender.recovery.probe_timeout_count(), 0u);
}

TEST(Backoff, OfAClientOutlivesInitialAcknowledgements) {
    Sender client;
    client.send_many(2, kInitial);
    client.now = client.recovery.timer();
    client.recovery.on_timeout(client.now);
    client.ack_one(0, kInitial);
    EXPECT_EQ(client.recovery.probe_timeout_count(), 1u);
    client.send(kHandshake);
    client.ack_one(0, kHandshake);
    EXPECT_EQ(client.recovery.probe_timeout_count(), 0u);
}

TEST(Backoff, OfAServerEndsWithInitialAcknowledgements) {
    Sender server(Role::kServer);
    server.send_many(2, kInitial);
    server.now = server.recovery.timer();
    server.recovery.on_timeout(server.now);
    server.ack_one(0, kInitial);
    EXPECT_EQ(server.recovery.probe_timeout_count(), 0u);
}

//= test 9002-6.2.2-4
TEST(Backoff, EndsWithDiscardedKeysAndTheTimerStartsAgain) {
    Sender server(Role::kServer);
    server.send(kInitial);
    server.send(kHandshake);
    server.now = server.recovery.timer();
    server.recovery.on_timeout(server.now);
    server.recovery.discard_space(kInitial, server.now);
    EXPECT_EQ(server.recovery.probe_timeout_count(), 0u);
    EXPECT_EQ(server.recovery.timer(), kStart + kFirstTimeout);
    server.recovery.discard_space(kHandshake, server.now);
    EXPECT_EQ(server.recovery.timer(), kNever);
}

// --- Which spaces probe -------------------------------------------------------------------------

struct ProbeCase {
    const char* name;
    std::vector<PacketNumberSpace> in_flight;  // sent in this order
    bool confirmed;
    Probes probes;
};

class ProbeSpaces : public testing::TestWithParam<ProbeCase> {};

//= test 9002-6.2.4-1
//= test 9002-6.2.4-2
//= test 9002-6.2.4-4
TEST_P(ProbeSpaces, TwoWhereTheTimerExpiredAndOneWhereDataIsInFlight) {
    Sender server(Role::kServer);
    for (const auto space : GetParam().in_flight) {
        server.send(space);
        server.wait(milliseconds(1));
    }
    if (GetParam().confirmed) server.recovery.on_handshake_confirmed(server.now);
    server.now = server.recovery.timer();
    EXPECT_EQ(server.recovery.on_timeout(server.now).probes, GetParam().probes);
}

INSTANTIATE_TEST_SUITE_P(
    Table, ProbeSpaces,
    testing::Values(ProbeCase{"Initial", {kInitial}, false, {2, 0, 0}},
                    ProbeCase{"InitialAndHandshake", {kInitial, kHandshake}, false, {2, 1, 0}},
                    ProbeCase{"HandshakeFirst", {kHandshake, kInitial}, false, {1, 2, 0}},
                    ProbeCase{
                        "HandshakeAndEarlyData", {kHandshake, kApplication}, false, {0, 2, 1}},
                    ProbeCase{"Application", {kApplication}, true, {0, 0, 2}}),
    [](const auto& tested) { return tested.param.name; });

TEST(ProbeFrames, AreThoseOfTheOldestOutstandingPackets) {
    Sender sender = confirmed();
    for (std::uint64_t i = 0; i < 5; ++i) sender.send_frame(stream_range(i, 0, 10));
    sender.ack_one(1);
    const auto frames = sender.recovery.probe_frames(kApplication, 2);
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(frames[0].id, 0u);
    EXPECT_EQ(frames[1].id, 2u);
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 4u * 1200);
    EXPECT_TRUE(sender.recovery.probe_frames(kInitial, 2).empty());
}

// --- Before address validation ------------------------------------------------------------------

//= test 9002-6.2.2.1-1
TEST(Amplification, BlockedServerHasNoProbeTimer) {
    Sender server(Role::kServer);
    server.send(kInitial);
    server.recovery.set_amplification_limited(true);
    EXPECT_EQ(server.recovery.timer(), kNever);
    EXPECT_FALSE(server.recovery.on_timeout(server.now + seconds(10)).probe_timeout());
    server.wait(seconds(10));
    server.recovery.set_amplification_limited(false);
    EXPECT_EQ(server.recovery.timer(), kStart + kFirstTimeout);  // in the past: fires at once
    EXPECT_TRUE(server.recovery.on_timeout(server.now).probe_timeout());
}

//= test 9002-6.2.2.1-2
//= test 9002-6.2.2.1-3
TEST(AntiDeadlock, ClientProbesAlthoughNothingIsInFlight) {
    Sender client;
    client.send(kInitial);
    client.wait(milliseconds(100));
    client.ack_one(0, kInitial);  // the server's Handshake packets are blocked or lost
    ASSERT_EQ(client.recovery.bytes_in_flight(), 0u);
    EXPECT_EQ(client.timer_in(), milliseconds(300));
    client.now = client.recovery.timer();
    EXPECT_EQ(client.recovery.on_timeout(client.now).probes, (Probes{1, 0, 0}));
    EXPECT_EQ(client.timer_in(), milliseconds(600));
    client.recovery.on_handshake_keys(client.now);
    client.now = client.recovery.timer();
    EXPECT_EQ(client.recovery.on_timeout(client.now).probes, (Probes{0, 1, 0}));
}

TEST(AntiDeadlock, ClientProbesAlsoWhileOnlyEarlyDataIsInFlight) {
    Sender client;
    client.send(kInitial);
    client.send(kApplication);
    client.wait(milliseconds(100));
    client.ack_one(0, kInitial);
    EXPECT_EQ(client.timer_in(), milliseconds(300));
}

TEST(AntiDeadlock, EndsWhenTheServerHasProvenItsProgress) {
    for (const bool by_ack : {true, false}) {
        Sender client;
        client.send(kInitial);
        client.ack_one(0, kInitial);
        ASSERT_NE(client.recovery.timer(), kNever);
        if (by_ack) {
            client.send(kHandshake);
            client.ack_one(0, kHandshake);
        } else {
            client.recovery.on_handshake_confirmed(client.now);
        }
        EXPECT_EQ(client.recovery.timer(), kNever);
    }
}

TEST(AntiDeadlock, IsNoConcernOfAServer) {
    Sender server(Role::kServer);
    server.send(kInitial);
    server.ack_one(0, kInitial);
    EXPECT_EQ(server.recovery.timer(), kNever);
}

}  // namespace
}  // namespace stoq::recovery
