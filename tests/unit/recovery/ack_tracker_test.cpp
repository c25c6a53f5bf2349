#include "recovery/ack_tracker.h"

#include "recovery_harness.h"

namespace stoq::recovery {
namespace {

struct Receiver {
    explicit Receiver(PacketNumberSpace space = kApplication) : tracker(space) {
        tracker.set_policy(milliseconds(25), 2);
    }
    void receive(std::uint64_t number, bool ack_eliciting = true, Ecn ecn = Ecn::kNotEct) {
        tracker.on_packet_received(PacketNumber(number), now, ecn, ack_eliciting);
    }
    bool duplicate(std::uint64_t number) const {
        return tracker.is_duplicate(PacketNumber(number));
    }
    // Writes an ACK into `room` bytes and decodes it; nullopt when none was written.
    std::optional<wire::AckFrame> write(std::size_t room = 1200, std::uint8_t exponent = 3) {
        wire::PayloadWriter writer(Bytes(memory.data(), room));
        if (!tracker.write_ack(writer, now, exponent)) {
            EXPECT_EQ(writer.written(), 0u);
            return std::nullopt;
        }
        EXPECT_FALSE(writer.ack_eliciting());
        EXPECT_EQ(writer.records().size(), 1u);
        recorded = writer.records()[0];
        ByteReader reader(ByteView(memory.data(), writer.written()));
        return std::get<wire::AckFrame>(*wire::decode_frame(reader, wire::PacketType::kOneRtt));
    }

    AckTracker tracker;
    Instant now = kStart;
    std::array<std::uint8_t, 1200> memory{};
    wire::SentFrame recorded{};
};

std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges_of(const wire::AckFrame& ack) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (const auto& range : ack.ranges) {
        ranges.emplace_back(range.smallest.value(), range.largest.value());
    }
    return ranges;
}

//= test 9000-13.2.1-2
TEST(AckTracker, InitialAndHandshakePacketsAreAcknowledgedAtOnce) {
    for (const auto space : {kInitial, kHandshake}) {
        Receiver receiver(space);
        receiver.receive(0);
        EXPECT_TRUE(receiver.tracker.ack_now());
    }
}

//= test 9000-13.2.2-1
TEST(AckTracker, SecondAckElicitingPacketAsksForAnAck) {
    Receiver receiver;
    receiver.receive(0);
    EXPECT_FALSE(receiver.tracker.ack_now());
    EXPECT_TRUE(receiver.tracker.ack_pending());
    receiver.receive(1);
    EXPECT_TRUE(receiver.tracker.ack_now());
}

//= test 9000-13.2.2-2
//= test 9000-13.2.1-3
TEST(AckTracker, OneAckAnswersAWholeBatch) {
    Receiver receiver;
    for (std::uint64_t i = 0; i < 40; ++i) receiver.receive(i);
    ASSERT_TRUE(receiver.tracker.ack_now());
    EXPECT_EQ(ranges_of(*receiver.write()), (std::vector{std::pair{0ul, 39ul}}));
    EXPECT_FALSE(receiver.tracker.ack_now());
    EXPECT_FALSE(receiver.tracker.ack_pending());
    EXPECT_EQ(receiver.tracker.ack_deadline(), kNever);
}

TEST(AckTracker, ThresholdCanBeChanged) {
    Receiver receiver;
    receiver.tracker.set_policy(milliseconds(25), 10);
    for (std::uint64_t i = 0; i < 9; ++i) receiver.receive(i);
    EXPECT_FALSE(receiver.tracker.ack_now());
    receiver.receive(9);
    EXPECT_TRUE(receiver.tracker.ack_now());
}

// The tables of draft-ietf-quic-ack-frequency section 6.2.1: number received, whether that makes
// an ACK.
struct Reordered {
    std::uint64_t number;
    bool asks;
};

void expect_acks(std::uint64_t threshold, std::initializer_list<Reordered> rows) {
    Receiver receiver;
    receiver.tracker.set_policy(milliseconds(25), 1000, threshold);
    for (const Reordered& row : rows) {
        receiver.receive(row.number);
        EXPECT_EQ(receiver.tracker.ack_now(), row.asks) << threshold << ": " << row.number;
        if (row.asks) {
            EXPECT_TRUE(receiver.write());
        }
    }
}

TEST(AckTracker, WithAReorderingThresholdDisorderIsAnsweredWhenTheSenderCanTellALoss) {
    expect_acks(3, {{0, false},
                    {1, false},
                    {3, false},
                    {4, false},
                    {5, true},
                    {8, false},
                    {9, true},
                    {10, true}});
    expect_acks(5, {{0, false},
                    {1, false},
                    {3, false},
                    {5, false},
                    {6, false},
                    {7, true},
                    {8, false},
                    {9, true}});
    // Called lost already: the sender wants to know that it was not.
    expect_acks(3, {{0, false}, {4, true}, {5, true}, {6, true}, {7, false}, {1, true}});
    expect_acks(0, {{0, false}, {9, false}, {5, false}, {100, false}});
}

TEST(AckTracker, WithRarerAcksOnlyTheFirstOfSeveralMarksIsToldAtOnce) {
    Receiver receiver;
    receiver.tracker.set_policy(milliseconds(25), 10, 3);
    receiver.receive(0, true, Ecn::kCe);
    EXPECT_TRUE(receiver.tracker.ack_now());
    EXPECT_TRUE(receiver.write());
    receiver.receive(1, true, Ecn::kCe);
    EXPECT_FALSE(receiver.tracker.ack_now());
    receiver.receive(2, true, Ecn::kEct0);
    receiver.receive(3, true, Ecn::kCe);
    EXPECT_TRUE(receiver.tracker.ack_now());
}

//= test 9000-13.2.1-1
TEST(AckTracker, SinglePacketIsAcknowledgedWithinMaxAckDelay) {
    Receiver receiver;
    EXPECT_EQ(receiver.tracker.ack_deadline(), kNever);
    receiver.receive(0);
    receiver.now += milliseconds(5);
    receiver.receive(1, false);
    EXPECT_EQ(receiver.tracker.ack_deadline(), kStart + milliseconds(25));
}

//= test 9000-13.2.1-4
//= test 9000-13.2.1-6
TEST(AckTracker, PacketsThatElicitNothingNeverAskForAnAck) {
    Receiver receiver;
    for (const std::uint64_t number : {0, 1, 5, 3, 9}) {
        receiver.receive(number, false, Ecn::kCe);
        EXPECT_FALSE(receiver.tracker.ack_now());
        EXPECT_FALSE(receiver.tracker.ack_pending());
        EXPECT_EQ(receiver.tracker.ack_deadline(), kNever);
    }
}

struct Arrival {
    const char* name;
    std::vector<std::uint64_t> before;  // ack-eliciting, acknowledged
    std::uint64_t number;
    Ecn ecn;
    bool immediate;
};

class AckTrackerArrival : public testing::TestWithParam<Arrival> {};

//= test 9000-13.2.1-8
//= test 9000-13.2.1-9
TEST_P(AckTrackerArrival, DecidesWhetherToAcknowledgeAtOnce) {
    Receiver receiver;
    for (const std::uint64_t number : GetParam().before) {
        receiver.receive(number);
        receiver.write();
    }
    receiver.receive(GetParam().number, true, GetParam().ecn);
    EXPECT_EQ(receiver.tracker.ack_now(), GetParam().immediate);
}

INSTANTIATE_TEST_SUITE_P(Table, AckTrackerArrival,
                         testing::Values(Arrival{"InOrder", {0, 1}, 2, Ecn::kEct0, false},
                                         Arrival{"FirstOfAll", {}, 7, Ecn::kEct0, false},
                                         Arrival{"Gap", {0, 1}, 3, Ecn::kEct0, true},
                                         Arrival{"Reordered", {0, 2}, 1, Ecn::kEct0, true},
                                         Arrival{"BehindAnOldGap", {0, 2}, 3, Ecn::kEct0, false},
                                         Arrival{
                                             "CongestionExperienced", {0, 1}, 2, Ecn::kCe, true}),
                         [](const auto& tested) { return tested.param.name; });

TEST(AckTracker, PacketsThatElicitNothingFillGaps) {
    Receiver receiver;
    receiver.receive(0);
    receiver.write();
    receiver.receive(1, false);
    receiver.receive(2);
    EXPECT_FALSE(receiver.tracker.ack_now());
}

//= test 9000-12.3-4
TEST(AckTracker, PacketReceivedTwiceIsADuplicate) {
    Receiver receiver;
    EXPECT_FALSE(receiver.duplicate(3));
    receiver.receive(3);
    EXPECT_TRUE(receiver.duplicate(3));
    EXPECT_FALSE(receiver.duplicate(2));
    EXPECT_FALSE(receiver.duplicate(4));
}

// A batch that is full of holes is acknowledged once, and whole.
//= test 9000-13.2.1-1
TEST(AckTracker, ABatchWithAHundredHolesIsReportedWhole) {
    Receiver receiver;
    for (std::uint64_t i = 0; i < 100; ++i) receiver.receive(2 * i);
    EXPECT_EQ(receiver.tracker.ranges().size(), 100u);
    EXPECT_EQ(receiver.tracker.ranges().front().begin, 0u);
}

//= test 9000-13.2.3-4
//= test 9000-13.2.3-5
TEST(AckTracker, RangesBeyondTheLimitAreForgottenAndStayDuplicates) {
    Receiver receiver;
    for (std::uint64_t i = 0; i < 200; ++i) receiver.receive(2 * i);
    EXPECT_EQ(receiver.tracker.ranges().size(), AckTracker::kMaxRanges);
    EXPECT_TRUE(receiver.duplicate(0));
    EXPECT_TRUE(receiver.duplicate(1));  // never received, but nobody can tell any more
    const std::uint64_t lowest_kept = receiver.tracker.ranges().front().begin;
    EXPECT_TRUE(receiver.duplicate(lowest_kept - 2));
    EXPECT_FALSE(receiver.duplicate(lowest_kept - 1));
    EXPECT_EQ(receiver.tracker.largest_received(), PacketNumber(398));
}

// Once told, the many are not kept: the next ACK has the usual number of them.
//= test 9000-13.2.3-4
TEST(AckTracker, ReportedRangesBeyondTheUsualNumberAreForgotten) {
    Receiver receiver;
    for (std::uint64_t i = 0; i < 100; ++i) receiver.receive(2 * i);
    EXPECT_EQ(ranges_of(*receiver.write()).size(), 100u);
    EXPECT_EQ(receiver.tracker.ranges().size(), AckTracker::kUsualRanges);
    const std::uint64_t lowest_kept = 2 * (100 - AckTracker::kUsualRanges);
    EXPECT_EQ(receiver.tracker.ranges().front().begin, lowest_kept);
    EXPECT_TRUE(receiver.duplicate(lowest_kept - 3));
    EXPECT_FALSE(receiver.duplicate(lowest_kept - 1));
    receiver.receive(199);
    EXPECT_EQ(ranges_of(*receiver.write()).back(), (std::pair{lowest_kept, lowest_kept}));
}

//= test 9000-13.2.3-2
TEST(AckTracker, WhatThePeerKnowsIsNotRepeated) {
    Receiver receiver;
    for (const std::uint64_t number : {0, 1, 3, 5}) receiver.receive(number);
    EXPECT_EQ(ranges_of(*receiver.write()).size(), 3u);
    EXPECT_EQ(receiver.recorded.kind, wire::SentFrameKind::kAck);
    EXPECT_EQ(receiver.recorded.value, 5u);
    receiver.tracker.on_ack_acknowledged(receiver.recorded.value);
    EXPECT_FALSE(receiver.write().has_value());  // nothing is left to say
    receiver.receive(8);
    EXPECT_EQ(ranges_of(*receiver.write()), (std::vector{std::pair{8ul, 8ul}}));
    EXPECT_TRUE(receiver.duplicate(3));
}

TEST(AckTracker, LatePacketBelowWhatThePeerKnowsIsStillAcknowledged) {
    Receiver receiver;
    for (const std::uint64_t number : {0, 1, 5}) receiver.receive(number);
    receiver.write();
    receiver.tracker.on_ack_acknowledged(5);
    ASSERT_FALSE(receiver.duplicate(3));
    receiver.receive(3);
    EXPECT_TRUE(receiver.tracker.ack_now());
    EXPECT_EQ(ranges_of(*receiver.write()),
              (std::vector{std::pair{5ul, 5ul}, std::pair{3ul, 3ul}}));
}

TEST(AckTracker, OldAckThatArrivesDoesNotCoverAPacketThatCameAfterIt) {
    Receiver receiver;
    for (const std::uint64_t number : {0, 1, 5}) receiver.receive(number);
    receiver.write();
    receiver.receive(3);
    receiver.tracker.on_ack_acknowledged(5);  // written before packet 3 came
    const std::vector expected{std::pair{5ul, 5ul}, std::pair{3ul, 3ul}};
    EXPECT_EQ(ranges_of(*receiver.write()), expected);
    receiver.receive(6);
    EXPECT_EQ(ranges_of(*receiver.write()).size(), 2u);  // nothing tells yet that 3 is known
    receiver.tracker.on_ack_acknowledged(6);
    receiver.receive(7);
    EXPECT_EQ(ranges_of(*receiver.write()), (std::vector{std::pair{5ul, 7ul}}));
}

//= test 9000-13.2.3-1
//= test 9000-13.2.3-6
TEST(AckTracker, ShortRoomKeepsTheNewestRanges) {
    Receiver receiver;
    for (std::uint64_t i = 0; i < 20; ++i) receiver.receive(3 * i);
    const auto ack = receiver.write(11);
    ASSERT_TRUE(ack.has_value());
    const auto ranges = ranges_of(*ack);
    EXPECT_EQ(ranges.front(), (std::pair{57ul, 57ul}));
    EXPECT_GT(ranges.size(), 1u);
    EXPECT_LT(ranges.size(), 20u);
}

TEST(AckTracker, WithoutRoomTheDebtStays) {
    Receiver receiver;
    receiver.receive(0);
    receiver.receive(1);
    EXPECT_FALSE(receiver.write(3).has_value());
    EXPECT_TRUE(receiver.tracker.ack_now());
    EXPECT_TRUE(receiver.write().has_value());
}

//= test 9000-13.2.5-1
//= test 9000-13.2.5-3
TEST(AckTracker, ReportsTheTimeSinceTheLargestPacket) {
    Receiver receiver;
    receiver.receive(4);
    receiver.now += milliseconds(40);
    receiver.receive(2);  // older: does not restart the clock
    receiver.now += milliseconds(40);
    EXPECT_EQ(receiver.write()->ack_delay, 80'000u >> 3);
}

//= test 9000-13.4.1-1
TEST(AckTracker, CountsMarksOfEveryPacket) {
    Receiver receiver;
    receiver.receive(0, true, Ecn::kNotEct);
    EXPECT_FALSE(receiver.write()->ecn.has_value());
    receiver.receive(1, true, Ecn::kEct0);
    receiver.receive(2, false, Ecn::kEct0);
    receiver.receive(3, true, Ecn::kCe);
    receiver.receive(4, true, Ecn::kEct1);
    EXPECT_EQ(receiver.write()->ecn, (wire::EcnCounts{.ect0 = 2, .ect1 = 1, .ce = 1}));
}

}  // namespace
}  // namespace stoq::recovery
