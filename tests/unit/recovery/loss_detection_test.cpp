#include "recovery/loss_detection.h"

#include <numeric>

#include "recovery_harness.h"

namespace stoq::recovery {
namespace {

using wire::SentFrameKind;

// --- Acknowledgements ---------------------------------------------------------------------------

TEST(AckReceived, ReportsATrainAsOneRangeAndTakesItOutOfFlight) {
    Sender sender;
    for (std::uint64_t i = 0; i < 44; ++i) sender.send_frame(stream_range(4, i * 1000, 1000));
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 44u * 1200);
    sender.wait(milliseconds(10));
    const AckOutcome outcome = sender.ack({{0, 44}});
    ASSERT_EQ(outcome.acked.size(), 1u);
    EXPECT_EQ(outcome.acked[0].offset, 0u);
    EXPECT_EQ(outcome.acked[0].length, 44'000u);
    EXPECT_EQ(outcome.newly_acked, 44u);
    EXPECT_EQ(outcome.acked_packets, 44u);
    EXPECT_EQ(outcome.acked_bytes, 44u * 1200);
    EXPECT_EQ(outcome.bytes_in_flight_before, 44u * 1200);
    EXPECT_EQ(outcome.largest_acked_sent_time, kStart);
    EXPECT_TRUE(outcome.largest_advanced);
    EXPECT_FALSE(outcome.lost.congestion());
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 0u);
    EXPECT_EQ(sender.recovery.largest_acked(kApplication), PacketNumber(43));
}

TEST(AckReceived, RepeatedRangesReportNothingNew) {
    Sender sender;
    sender.send_many(10);
    sender.ack({{0, 8}});
    const AckOutcome again = sender.ack({{0, 8}});
    EXPECT_EQ(again.newly_acked, 0u);
    EXPECT_TRUE(again.acked.empty());
    EXPECT_FALSE(again.largest_advanced);
    EXPECT_FALSE(again.rtt_updated);
    EXPECT_EQ(sender.ack({{0, 9}}).newly_acked, 1u);
}

TEST(AckReceived, SeveralRangesAreTakenTogether) {
    Sender sender;
    sender.send_many(10);
    const AckOutcome outcome = sender.ack({{0, 2}, {4, 5}, {7, 9}});
    EXPECT_EQ(outcome.newly_acked, 5u);
    const AckOutcome filled = sender.ack({{0, 10}});
    EXPECT_EQ(filled.newly_acked, 5u);
    EXPECT_EQ(filled.spurious_packets, 3u);  // 2, 3 and 5 had been given up
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 0u);
}

//= test 9000-13.1-2
TEST(AckReceived, UnsentPacketIsAProtocolViolation) {
    Sender sender;
    sender.send_many(3);
    for (const Interval range : {Interval{0, 4}, Interval{3, 4}, Interval{1000, 1001}}) {
        const auto outcome = sender.try_ack(kApplication, {range});
        ASSERT_FALSE(outcome.has_value());
        EXPECT_EQ(outcome.error().code, TransportErrorCode::kProtocolViolation);
        EXPECT_EQ(outcome.error().reason, Reason::kAckOfUnsentPacket);
        EXPECT_EQ(outcome.error().frame_type, 2u);
    }
    EXPECT_FALSE(sender.try_ack(kInitial, {{0, 1}}).has_value());
    EXPECT_TRUE(sender.try_ack(kApplication, {{0, 3}}).has_value());
}

//= test 9000-13.1-2
TEST(AckReceived, SkippedNumberIsAProtocolViolationAlsoAfterItLeftTheRing) {
    for (const bool retired : {false, true}) {
        Sender sender;
        std::uint64_t number = sender.send();
        while (sender.send() == number + 1) ++number;
        const std::uint64_t skipped = number + 1;
        if (retired) sender.ack({{0, skipped}, {skipped + 1, skipped + 2}});
        EXPECT_FALSE(sender.try_ack(kApplication, {{skipped - 1, skipped + 2}}).has_value());
    }
}

TEST(AckReceived, SkippedNumberDoesNotCountTowardsThePacketThreshold) {
    Sender sender;
    std::uint64_t number = sender.send();
    while (sender.send() == number + 1) ++number;
    // number, [skipped], number + 2, and now number + 3: distance 3, but two packets.
    const std::uint64_t latest = sender.send();
    ASSERT_EQ(latest, number + 3);
    const AckOutcome outcome = sender.ack({{0, number}, {latest, latest + 1}});
    EXPECT_EQ(outcome.lost.packets, 0u);
}

TEST(AckReceived, DiscardedSpaceIgnoresAcknowledgements) {
    Sender sender;
    sender.send(kInitial);
    sender.recovery.discard_space(kInitial, sender.now);
    EXPECT_EQ(sender.ack_one(0, kInitial).newly_acked, 0u);
}

TEST(AckReceived, CountsPacketsThatWereSentWithAMark) {
    Sender sender;
    for (const Ecn ecn : {Ecn::kEct0, Ecn::kEct0, Ecn::kEct1, Ecn::kNotEct}) {
        sender.send_with(kApplication, [&](OutgoingPacket& packet) { packet.ecn = ecn; });
    }
    const AckOutcome outcome = sender.ack({{0, 4}});
    EXPECT_EQ(outcome.acked_ect0, 2u);
    EXPECT_EQ(outcome.acked_ect1, 1u);
    EXPECT_EQ(sender.ack({{0, 4}}).acked_ect0, 0u);
}

// --- Round-trip time ----------------------------------------------------------------------------

//= test 9002-5.1-1
TEST(RttSample, OnlyWhenTheLargestIsNew) {
    Sender sender;
    sender.send_many(3);
    sender.wait(milliseconds(10));
    EXPECT_TRUE(sender.ack_one(2).rtt_updated);
    sender.wait(milliseconds(50));
    EXPECT_FALSE(sender.ack({{0, 3}}).rtt_updated);
    EXPECT_EQ(sender.recovery.rtt().latest(), milliseconds(10));
}

//= test 9002-5.1-2
TEST(RttSample, OnlyWhenSomethingNewWasAckEliciting) {
    Sender sender;
    sender.send();
    sender.send_silent();
    sender.wait(milliseconds(10));
    EXPECT_FALSE(sender.ack_one(1).rtt_updated);
    sender.send_silent();
    sender.wait(milliseconds(10));
    EXPECT_TRUE(sender.ack({{0, 3}}).rtt_updated);  // packet 0 elicited; 2 is the largest
    EXPECT_EQ(sender.recovery.rtt().latest(), milliseconds(10));
}

struct DelayCase {
    const char* name;
    PacketNumberSpace space;
    bool confirmed;
    int reported_ms;
    int subtracted_ms;
};

class RttAckDelay : public testing::TestWithParam<DelayCase> {};

//= test 9002-5.3-1
//= test 9002-5.3-3
//= test 9002-5.3-4
//= test 9002-5.3-5
TEST_P(RttAckDelay, IsSubtractedAsFarAsItCounts) {
    Sender sender;
    sender.recovery.set_peer_max_ack_delay(milliseconds(25));
    sender.sample(milliseconds(100), GetParam().space);
    if (GetParam().confirmed) sender.recovery.on_handshake_confirmed(sender.now);
    const std::uint64_t number = sender.send(GetParam().space);
    sender.wait(milliseconds(180));
    sender.ack_one(number, GetParam().space, milliseconds(GetParam().reported_ms));
    const Duration adjusted = milliseconds(180 - GetParam().subtracted_ms);
    EXPECT_EQ(sender.recovery.rtt().smoothed(), (7 * Duration(milliseconds(100)) + adjusted) / 8);
}

INSTANTIATE_TEST_SUITE_P(Table, RttAckDelay,
                         testing::Values(DelayCase{"WithinTheLimit", kApplication, true, 20, 20},
                                         DelayCase{"BeyondTheLimit", kApplication, true, 70, 25},
                                         DelayCase{"BeforeConfirmation", kApplication, false, 70,
                                                   70},
                                         DelayCase{"HandshakeSpace", kHandshake, false, 70, 70},
                                         DelayCase{"InitialSpace", kInitial, false, 70, 0}),
                         [](const auto& tested) { return tested.param.name; });

// --- Losses -------------------------------------------------------------------------------------

struct ThresholdCase {
    const char* name;
    int sent;
    std::vector<Interval> acked;
    std::vector<std::uint64_t> lost;
};

class PacketThreshold : public testing::TestWithParam<ThresholdCase> {};

//= test 9002-6.1.1-1
TEST_P(PacketThreshold, DeclaresLostWhatIsThreePacketsBehind) {
    Sender sender;
    for (int i = 0; i < GetParam().sent; ++i) {
        sender.send_frame(stream_range(static_cast<std::uint64_t>(i), 0, 100));
    }
    const AckOutcome outcome = sender.ack(GetParam().acked);
    std::vector<std::uint64_t> lost;
    for (const auto& frame : outcome.lost.frames) lost.push_back(frame.id);
    EXPECT_EQ(lost, GetParam().lost);
    EXPECT_EQ(outcome.lost.packets, lost.size());
    EXPECT_EQ(outcome.lost.bytes, 1200 * lost.size());
}

INSTANTIATE_TEST_SUITE_P(
    Table, PacketThreshold,
    testing::Values(ThresholdCase{"TwoBehindIsReordering", 3, {{2, 3}}, {}},
                    ThresholdCase{"ThreeBehindIsLoss", 4, {{3, 4}}, {0}},
                    ThresholdCase{"OnlyThoseFarEnough", 6, {{5, 6}}, {0, 1, 2}},
                    ThresholdCase{"AcknowledgedOnesAreNot", 8, {{1, 2}, {7, 8}}, {0, 2, 3, 4}},
                    ThresholdCase{"LaterOnesAreNot", 8, {{4, 5}}, {0, 1}},
                    ThresholdCase{"NothingMissing", 8, {{0, 8}}, {}}),
    [](const auto& tested) { return tested.param.name; });

//= test 9002-6.1.1-2
TEST(PacketThresholdSetting, LessThanThreeIsTakenAsThree) {
    Sender sender;
    sender.recovery = LossRecovery({.packet_threshold = 1});
    sender.send_many(3);
    EXPECT_EQ(sender.ack_one(2).lost.packets, 0u);
}

//= test 9002-6.1.2-1
//= test 9002-6.1.2-3
TEST(TimeThreshold, EarlierPacketIsLostNineEighthsOfAnRttAfterItWasSent) {
    Sender sender;
    sender.recovery.on_handshake_confirmed(sender.now);
    sender.sample(milliseconds(80));
    const Instant sent = sender.now;
    const std::uint64_t first = sender.send();
    sender.wait(milliseconds(10));
    const std::uint64_t second = sender.send();
    sender.wait(milliseconds(70));
    EXPECT_EQ(sender.ack_one(second).lost.packets, 0u);
    // 9/8 of the smoothed 80 ms (the sample of 70 ms pulls it a little down).
    const Instant deadline = sent + sender.recovery.rtt().loss_delay();
    EXPECT_EQ(sender.recovery.timer(), deadline);
    sender.now = deadline - Duration(1);
    EXPECT_EQ(sender.recovery.on_timeout(sender.now).lost.packets, 0u);
    sender.now = deadline;
    const TimeoutOutcome outcome = sender.recovery.on_timeout(sender.now);
    EXPECT_EQ(outcome.lost.packets, 1u);
    EXPECT_EQ(outcome.lost.latest_sent_time, sent);
    EXPECT_FALSE(outcome.probe_timeout());
    EXPECT_EQ(sender.recovery.timer(), kNever);
    EXPECT_EQ(sender.ack_one(first).spurious_packets, 1u);
}

TEST(TimeThreshold, LossIsFoundAtOnceWhenTheTimeHasPassed) {
    Sender sender;
    sender.sample(milliseconds(10));
    const std::uint64_t old = sender.send();
    sender.wait(milliseconds(30));
    const std::uint64_t fresh = sender.send();
    sender.wait(milliseconds(10));
    const AckOutcome outcome = sender.ack_one(fresh);
    EXPECT_EQ(outcome.lost.packets, 1u);
    EXPECT_EQ(old + 1, fresh);
}

TEST(Losses, SilentPacketsAreForgottenWithoutCounting) {
    Sender sender;
    sender.send_silent();
    sender.send_many(4);
    const AckOutcome outcome = sender.ack({{2, 5}});
    EXPECT_EQ(outcome.lost.packets, 1u);  // packet 1, not packet 0
    EXPECT_EQ(outcome.lost.bytes, 1200u);
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 0u);
}

TEST(Losses, TellWhatWasInFlightWhenTheLastOfThemLeft) {
    Sender sender;
    sender.send_many(10);
    const AckOutcome outcome = sender.ack({{3, 4}, {7, 10}});
    EXPECT_EQ(outcome.lost.packets, 6u);
    EXPECT_EQ(outcome.lost.ranges, 2u);
    EXPECT_EQ(outcome.lost.last_number, 6u);
    EXPECT_EQ(outcome.lost.flight_bytes, 7u * 1200);
    EXPECT_EQ(outcome.lost.lost_since_sent, 6u * 1200);
    EXPECT_FALSE(outcome.lost.app_limited);
    EXPECT_EQ(outcome.delivery.flight_bytes, 10u * 1200);
}

TEST(Losses, ASampleCountsWhatWasLostDuringItsFlight) {
    Sender sender;
    sender.send_many(5);
    sender.ack({{4, 5}});  // two are lost
    sender.send_many(2);
    sender.wait(milliseconds(10));
    EXPECT_EQ(sender.ack_one(3).delivery.lost, 2u * 1200);
    EXPECT_EQ(sender.ack_one(5).delivery.lost, 0u);
}

TEST(Losses, SilentPacketsDoNotArmTheTimer) {
    Sender sender;
    sender.recovery.on_handshake_confirmed(sender.now);
    sender.send_silent();
    sender.send();
    sender.wait(milliseconds(10));
    sender.ack_one(1);
    EXPECT_EQ(sender.recovery.timer(), kNever);
}

TEST(Losses, MtuProbeIsReportedAndNotCounted) {
    Sender sender;
    const wire::SentFrame probe = probe_record(1452);
    sender.send_with(kApplication, [&](OutgoingPacket& packet) {
        packet.frames = {&probe, 1};
        packet.mtu_probe = true;
        packet.bytes = 1452;
    });
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 1452u);
    sender.send_many(3);
    const AckOutcome outcome = sender.ack({{1, 4}});
    ASSERT_EQ(outcome.lost.frames.size(), 1u);
    EXPECT_EQ(outcome.lost.frames[0].kind, SentFrameKind::kMtuProbe);
    EXPECT_EQ(outcome.lost.frames[0].value, 1452u);
    EXPECT_FALSE(outcome.lost.congestion());
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 0u);
    EXPECT_EQ(sender.ack({{0, 4}}).spurious_packets, 0u);
}

TEST(Losses, PacketThatArrivesAfterAllIsSpuriousAndItsFramesAreAcknowledged) {
    Sender sender;
    sender.send_frame(stream_range(4, 0, 100));
    sender.send_many(3);
    ASSERT_EQ(sender.ack({{1, 4}}).lost.packets, 1u);
    const AckOutcome late = sender.ack({{0, 4}});
    EXPECT_EQ(late.spurious_packets, 1u);
    EXPECT_EQ(late.spurious_sent_time, kStart);
    EXPECT_EQ(late.acked_bytes, 0u);
    ASSERT_EQ(late.acked.size(), 1u);
    EXPECT_EQ(late.acked[0].id, 4u);
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 0u);
    EXPECT_EQ(sender.ack({{0, 4}}).newly_acked, 0u);
}

//= test 9002-7.4-2
TEST(Losses, AreCountedInEverySpaceAlsoBeforeTheHandshakeIsDone) {
    for (const auto space : {kInitial, kHandshake, kApplication}) {
        Sender sender;
        sender.send_many(5, space);
        EXPECT_EQ(sender.ack({{0, 1}, {4, 5}}, space).lost.packets, 1u);
    }
}

TEST(Losses, EachPacketIsLostOnce) {
    Sender sender;
    sender.send_many(10);
    std::uint64_t lost = 0;
    for (std::uint64_t number = 3; number < 10; ++number) {
        lost += sender.ack_one(number).lost.packets;
    }
    EXPECT_EQ(lost, 3u);
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 0u);
}

// --- Spaces, paths and bounds -------------------------------------------------------------------

//= test 9002-6.4-1
TEST(Spaces, DiscardingOneForgetsItsPackets) {
    Sender sender;
    sender.send_many(2, kInitial);
    sender.send(kHandshake);
    sender.recovery.discard_space(kInitial, sender.now);
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 1200u);
    EXPECT_FALSE(sender.recovery.ack_eliciting_in_flight(kInitial));
    sender.recovery.discard_space(kInitial, sender.now);  // again: no change
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 1200u);
}

TEST(Spaces, AbandonedPacketsGiveTheirFramesBackAndNumbersContinue) {
    Sender sender;
    sender.send_frame(stream_range(0, 0, 500));
    sender.send_frame(stream_range(0, 500, 500));
    sender.send_frame(stream_range(0, 1000, 500));
    sender.ack_one(1);
    const auto frames = sender.recovery.abandon_packets(kApplication, sender.now);
    std::uint64_t bytes = 0;
    for (const auto& frame : frames) bytes += frame.length;
    EXPECT_EQ(bytes, 1000u);
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 0u);
    EXPECT_EQ(sender.send(), 3u);
    EXPECT_EQ(sender.ack({{0, 4}}).newly_acked, 1u);
}

//= test 9000-9.4-1
TEST(Paths, PacketsOfAnotherPathSayNothingAboutThisOne) {
    Sender sender;
    sender.sample(milliseconds(10));
    sender.send_many(5);
    sender.recovery.on_path_changed(1, milliseconds(100), sender.now);
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 0u);
    EXPECT_FALSE(sender.recovery.rtt().has_sample());
    const auto on_new_path = [](OutgoingPacket& packet) { packet.path = 1; };
    for (int i = 0; i < 2; ++i) sender.send_with(kApplication, on_new_path);
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 2400u);

    sender.wait(milliseconds(20));
    const AckOutcome old_path = sender.ack_one(5);  // the last one of the old path
    EXPECT_EQ(old_path.newly_acked, 1u);
    EXPECT_EQ(old_path.acked_bytes, 0u);
    EXPECT_FALSE(old_path.rtt_updated);
    EXPECT_FALSE(old_path.lost.congestion());
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 2400u);

    const AckOutcome new_path = sender.ack_one(7);
    EXPECT_TRUE(new_path.rtt_updated);
    EXPECT_EQ(new_path.acked_bytes, 1200u);
    EXPECT_FALSE(new_path.lost.congestion());
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 1200u);
}

TEST(Paths, ReturningToAPathCountsWhatIsStillInFlightOnIt) {
    Sender sender;
    sender.send_many(3);
    sender.recovery.on_path_changed(1, milliseconds(100), sender.now);
    sender.send_with(kApplication, [](OutgoingPacket& packet) { packet.path = 1; });
    sender.recovery.on_path_changed(0, milliseconds(100), sender.now);
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 3600u);
    sender.ack({{0, 4}});
    EXPECT_EQ(sender.recovery.bytes_in_flight(), 0u);
}

TEST(Bounds, SpaceFillsUpWhenThePeerNeverAcknowledges) {
    Sender sender;
    sender.recovery = LossRecovery({.max_tracked_packets = 100});
    int sent = 0;
    for (; sender.recovery.has_room(kApplication); ++sent) sender.send();
    EXPECT_GE(sent, 98);
    EXPECT_LE(sent, 100);
    sender.ack_one(0);
    EXPECT_TRUE(sender.recovery.has_room(kApplication));
}

//= test 9000-13.2.1-7
TEST(Bounds, LongSilentRunAsksForAnAckOncePerRoundTrip) {
    Sender sender;
    sender.sample(milliseconds(10));
    for (int i = 0; i < 31; ++i) sender.send_silent();
    sender.wait(milliseconds(10));
    EXPECT_FALSE(sender.recovery.should_elicit_ack(kApplication, sender.now));
    sender.send_silent();
    EXPECT_TRUE(sender.recovery.should_elicit_ack(kApplication, sender.now));
    sender.send();
    for (int i = 0; i < 100; ++i) sender.send_silent();
    EXPECT_FALSE(sender.recovery.should_elicit_ack(kApplication, sender.now));
    sender.wait(milliseconds(10));
    EXPECT_TRUE(sender.recovery.should_elicit_ack(kApplication, sender.now));
}

TEST(Bounds, EndlessSilentSendingKeepsLittle) {
    Sender sender;
    sender.recovery = LossRecovery({.max_tracked_packets = 300});
    for (int i = 0; i < 10'000; ++i) {
        ASSERT_TRUE(sender.recovery.has_room(kApplication));
        sender.send_silent();
    }
}

TEST(AppLimited, PacketsAreMarkedUntilWhatWasInFlightIsDelivered) {
    Sender sender;
    sender.send();
    sender.recovery.on_app_limited();
    sender.wait(milliseconds(10));
    sender.send();
    EXPECT_FALSE(sender.ack_one(0).app_limited);
    EXPECT_TRUE(sender.ack_one(1).app_limited);
    sender.send();
    EXPECT_FALSE(sender.ack_one(2).app_limited);
}

TEST(TrainSent, IsRememberedLikeItsPackets) {
    Sender one, other;
    one.send();
    other.send();
    std::vector<wire::SentFrame> frames;
    for (std::uint64_t i = 0; i < 40; ++i) frames.push_back(stream_range(4, 1100 * i, 1100));
    for (const wire::SentFrame& frame : frames) one.send_frame(frame);
    ASSERT_GE(other.recovery.room_for_train(kApplication), frames.size());
    other.recovery.on_train_sent(
        {.space = kApplication,
         .first = other.recovery.next_packet_number(kApplication, other.random),
         .bytes = 1200,
         .frames = frames},
        other.now);
    EXPECT_EQ(one.recovery.bytes_in_flight(), other.recovery.bytes_in_flight());
    EXPECT_EQ(one.recovery.timer(), other.recovery.timer());
    for (Sender* sender : {&one, &other}) {
        sender->wait(milliseconds(20));
        const AckOutcome outcome = sender->ack({{0, 21}, {25, 41}});
        EXPECT_EQ(outcome.newly_acked, 37u);
        EXPECT_EQ(outcome.acked_bytes, 37 * 1200u);
        EXPECT_EQ(outcome.lost.packets, 4u);
        ASSERT_EQ(outcome.acked.size(), 2u);
        EXPECT_EQ(outcome.acked[0].offset, 24 * 1100u);
        EXPECT_EQ(outcome.acked[0].length, 16 * 1100u);
        EXPECT_EQ(outcome.acked[1].length, 20 * 1100u);
        ASSERT_EQ(outcome.lost.frames.size(), 1u);
        EXPECT_EQ(outcome.lost.frames[0].offset, 20 * 1100u);
        EXPECT_EQ(outcome.lost.frames[0].length, 4 * 1100u);
        EXPECT_EQ(sender->recovery.bytes_in_flight(), 0u);
    }
}

TEST(TrainSent, EndsBeforeTheNumberThatIsSkipped) {
    Sender sender;
    EXPECT_EQ(sender.recovery.room_for_train(kApplication), 0u) << "nothing was drawn yet";
    sender.send();
    std::uint64_t last = 0;
    for (std::uint64_t room; (room = sender.recovery.room_for_train(kApplication)) > 0;) {
        last = sender.send();
        EXPECT_EQ(sender.recovery.room_for_train(kApplication), room - 1);
    }
    EXPECT_EQ(sender.send(), last + 2);
}

}  // namespace
}  // namespace stoq::recovery
