// Persistent congestion (RFC 9002 section 7.6).
#include "recovery_harness.h"

namespace stoq::recovery {
namespace {

// With the sample that finds the losses: smoothed 100 ms + 4 * 37.5 ms + max_ack_delay 100 ms.
constexpr Duration kLimit = 3 * milliseconds(350);

struct Network : Sender {
    Network() {
        recovery.set_peer_max_ack_delay(milliseconds(100));
        sample(milliseconds(100), kHandshake);
        recovery.on_handshake_confirmed(now);
        wait(milliseconds(1));
    }
    // Packets are lost now: three later ones arrive. The RTT samples stay 100 ms.
    AckOutcome lose_everything_before() {
        wait(milliseconds(1));
        const std::uint64_t first = send();
        send_many(2);
        wait(milliseconds(100));
        return ack({{first, first + 3}});
    }
};

//= test 9002-7.6.1-1
TEST(PersistentCongestion, NeedsLossesFurtherApartThanThreeProbeTimeouts) {
    for (const auto& [apart, expected] :
         {std::pair{kLimit, false}, std::pair{kLimit + Duration(1), true}}) {
        Network network;
        network.send();
        network.wait(apart);
        network.send();
        EXPECT_EQ(network.lose_everything_before().lost.persistent_congestion, expected);
    }
}

TEST(PersistentCongestion, AnAcknowledgedPacketBetweenPreventsIt) {
    Network network;
    network.send();
    network.wait(seconds(1));
    const std::uint64_t middle = network.send();
    network.wait(seconds(1));
    network.send();
    network.ack_one(middle);
    EXPECT_FALSE(network.lose_everything_before().lost.persistent_congestion);
}

TEST(PersistentCongestion, CountsAlsoWhenLossesAreFoundOneAfterTheOther) {
    Network network;
    const std::uint64_t first = network.send();
    network.wait(seconds(2));
    const std::uint64_t second = network.send();
    network.wait(milliseconds(50));
    const std::uint64_t third = network.send();
    network.wait(milliseconds(10));
    // The first is old enough to be lost, the second is not yet.
    const AckOutcome early = network.ack_one(third);
    EXPECT_EQ(early.lost.packets, 1u);
    EXPECT_FALSE(early.lost.persistent_congestion);
    network.now = network.recovery.timer();
    const TimeoutOutcome late = network.recovery.on_timeout(network.now);
    EXPECT_EQ(late.lost.packets, 1u);
    EXPECT_TRUE(late.lost.persistent_congestion);
    EXPECT_EQ(first + 2, third);
    EXPECT_EQ(second + 1, third);
}

TEST(PersistentCongestion, AcknowledgedPacketThatLeftTheRingStillPreventsIt) {
    Network network;
    const std::uint64_t first = network.send();
    network.send_many(3);
    network.wait(milliseconds(100));
    ASSERT_EQ(network.ack({{first + 1, first + 4}}).lost.packets, 1u);
    network.wait(seconds(5));
    const std::uint64_t middle = network.send();  // acknowledged, and retired with all before it
    network.wait(milliseconds(100));
    network.ack_one(middle);
    network.send();
    EXPECT_FALSE(network.lose_everything_before().lost.persistent_congestion);
}

//= test 9002-7.6.2-1
TEST(PersistentCongestion, BothEndsHaveToBeAckEliciting) {
    Network network;
    network.send_with(kApplication, [](OutgoingPacket& packet) { packet.ack_eliciting = false; });
    network.wait(seconds(2));
    network.send();
    const AckOutcome outcome = network.lose_everything_before();
    EXPECT_EQ(outcome.lost.packets, 2u);
    EXPECT_FALSE(outcome.lost.persistent_congestion);
}

//= test 9002-7.6.2-2
TEST(PersistentCongestion, PacketsBeforeTheFirstRttSampleDoNotCount) {
    Sender sender;
    sender.send();
    sender.wait(seconds(10));
    sender.send();
    sender.wait(milliseconds(1));
    sender.send_many(3);
    sender.wait(milliseconds(10));
    const AckOutcome outcome = sender.ack({{2, 5}});
    EXPECT_EQ(outcome.lost.packets, 2u);
    EXPECT_FALSE(outcome.lost.persistent_congestion);
}

//= test 9002-7.6.2-3
TEST(PersistentCongestion, AcknowledgedPacketOfAnotherSpacePreventsIt) {
    Network network;
    network.send();
    network.wait(seconds(1));
    const std::uint64_t handshake = network.send(kHandshake);
    network.wait(milliseconds(100));
    network.ack_one(handshake, kHandshake);
    network.wait(seconds(1));
    network.send();
    EXPECT_FALSE(network.lose_everything_before().lost.persistent_congestion);
}

TEST(PersistentCongestion, SkippedAndSilentPacketsBetweenDoNotPreventIt) {
    Network network;
    network.send();
    for (int i = 0; i < 200; ++i) network.send_silent();  // passes a skipped number
    network.wait(seconds(2));
    network.send();
    EXPECT_TRUE(network.lose_everything_before().lost.persistent_congestion);
}

TEST(PersistentCongestion, IsDeclaredOnceForOnePeriod) {
    Network network;
    network.send();
    network.wait(seconds(2));
    network.send();
    EXPECT_TRUE(network.lose_everything_before().lost.persistent_congestion);
    network.send();
    EXPECT_FALSE(network.lose_everything_before().lost.persistent_congestion);
}

// The example of section 7.6.3: sent at 0, 1, 2 ... 6, 8 and 12 s; the first and the last arrive.
// The samples, 0.1, 1.2 and 0.2 s, make the probe timeout about 2 s, as there.
TEST(PersistentCongestion, ExampleOfTheSpecification) {
    Sender sender;
    sender.recovery.set_peer_max_ack_delay(milliseconds(790));
    sender.recovery.on_handshake_confirmed(sender.now);
    sender.sample(milliseconds(100), kHandshake);
    sender.send();
    sender.wait(seconds(1));
    sender.send();
    sender.wait(milliseconds(200));
    sender.ack_one(0);
    sender.wait(milliseconds(800));
    for (int i = 0; i < 5; ++i) {
        sender.send();
        sender.wait(seconds(1));
    }
    sender.wait(seconds(1));
    sender.send();  // number 7, at 8 s
    sender.wait(seconds(4));
    sender.send();  // number 8, at 12 s
    sender.wait(milliseconds(200));
    const AckOutcome outcome = sender.ack_one(8);
    EXPECT_EQ(outcome.lost.packets, 7u);
    EXPECT_TRUE(outcome.lost.persistent_congestion);
    EXPECT_NEAR(static_cast<double>(sender.recovery.probe_timeout(kApplication).count()), 2e9, 5e7);
    EXPECT_EQ(sender.recovery.rtt().min(), sender.recovery.rtt().latest());
}

}  // namespace
}  // namespace stoq::recovery
