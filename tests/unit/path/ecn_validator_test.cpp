#include "path/ecn_validator.h"

#include <gtest/gtest.h>

namespace stoq::path {
namespace {

using State = EcnValidator::State;
using Space = PacketNumberSpace;

struct Fixture {
    EcnValidator ecn;

    void send(int count, Space space = Space::kApplication) {
        for (int i = 0; i < count; ++i) ecn.on_packet_sent(space, ecn.mark() == Ecn::kEct0);
    }
    EcnOutcome ack(std::uint64_t newly, std::uint64_t ect0, std::uint64_t ce = 0,
                   std::uint64_t ect1 = 0) {
        return ecn.on_ack({.space = Space::kApplication,
                           .newly_acked_marked = newly,
                           .counts = wire::EcnCounts{ect0, ect1, ce},
                           .largest_acked_increased = true});
    }
    EcnOutcome ack_without_counts(std::uint64_t newly) {
        return ecn.on_ack({.space = Space::kApplication,
                           .newly_acked_marked = newly,
                           .counts = std::nullopt,
                           .largest_acked_increased = true});
    }
};

TEST(EcnValidator, MarksTenPacketsThenWaitsForTheCounts) {
    Fixture f;
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(f.ecn.mark(), Ecn::kEct0);
        EXPECT_EQ(f.ecn.on_packet_sent(Space::kApplication, true), i == 9);
    }
    EXPECT_EQ(f.ecn.state(), State::kUnknown);
    EXPECT_EQ(f.ecn.mark(), Ecn::kNotEct);
}

//= test 9000-13.4.2.2-3
TEST(EcnValidator, SoundCountsMakeThePathCapable) {
    Fixture f;
    f.send(10);
    const EcnOutcome outcome = f.ack(4, 4);
    EXPECT_TRUE(outcome.state_changed);
    EXPECT_EQ(f.ecn.state(), State::kCapable);
    EXPECT_EQ(f.ecn.mark(), Ecn::kEct0);
}

TEST(EcnValidator, AnAckOfUnmarkedPacketsProvesNothing) {
    Fixture f;
    f.send(10);
    EXPECT_FALSE(f.ack(0, 0).state_changed);
    EXPECT_FALSE(f.ack_without_counts(0).state_changed);
    EXPECT_EQ(f.ecn.state(), State::kUnknown);
}

//= test 9000-13.4.2.2-1
//= test 9000-13.4.2.2-4
TEST(EcnValidator, UnsoundCountsFail) {
    struct Case {
        const char* name;
        std::uint64_t newly, ect0, ce, ect1;
    };
    for (const Case& c :
         {Case{"fewer than acknowledged", 5, 4, 0, 0}, Case{"none at all", 5, 0, 0, 0},
          Case{"more than sent", 5, 11, 0, 0}, Case{"never sent ECT(1)", 5, 5, 0, 1}}) {
        for (const bool capable_before : {false, true}) {
            Fixture f;
            f.send(10);
            if (capable_before) {
                f.ack(1, 1);
                ASSERT_EQ(f.ecn.state(), State::kCapable);
            }
            const std::uint64_t base = capable_before ? 1 : 0;
            EXPECT_TRUE(
                f.ack(c.newly, c.ect0 + (c.ect0 != 0 ? base : 0), c.ce, c.ect1).state_changed)
                << c.name;
            EXPECT_EQ(f.ecn.state(), State::kFailed) << c.name;
            EXPECT_EQ(f.ecn.mark(), Ecn::kNotEct) << c.name;
            EXPECT_FALSE(f.ack(5, 10).state_changed) << "failed for good";
            EXPECT_EQ(f.ecn.state(), State::kFailed) << c.name;
        }
    }
}

TEST(EcnValidator, CountsThatShrinkFail) {
    Fixture f;
    f.send(10);
    f.ack(4, 4);
    EXPECT_TRUE(f.ack(0, 3).state_changed);
    EXPECT_EQ(f.ecn.state(), State::kFailed);
}

TEST(EcnValidator, MissingCountsForAMarkedPacketFail) {
    Fixture f;
    f.send(10);
    EXPECT_TRUE(f.ack_without_counts(1).state_changed);
    EXPECT_EQ(f.ecn.state(), State::kFailed);
}

//= test 9000-13.4.2.1-1
TEST(EcnValidator, AReorderedAckNeverFails) {
    Fixture f;
    f.send(10);
    f.ack(8, 8);
    const EcnOutcome outcome = f.ecn.on_ack({.space = Space::kApplication,
                                             .newly_acked_marked = 1,
                                             .counts = wire::EcnCounts{3, 0, 0},
                                             .largest_acked_increased = false});
    EXPECT_FALSE(outcome.state_changed);
    EXPECT_EQ(f.ecn.state(), State::kCapable);
}

TEST(EcnValidator, CountsMayGrowByMoreThanIsAcknowledged) {
    Fixture f;
    f.send(10);
    EXPECT_TRUE(f.ack(1, 10).state_changed);
    EXPECT_EQ(f.ecn.state(), State::kCapable);
}

TEST(EcnValidator, CongestionIsReportedOnce) {
    Fixture f;
    f.send(10);
    f.ack(4, 4);
    EXPECT_EQ(f.ack(3, 5, 2).new_ce, 2u);
    EXPECT_EQ(f.ack(1, 6, 2).new_ce, 0u);
    EXPECT_EQ(f.ack(1, 6, 3).new_ce, 1u);
}

TEST(EcnValidator, SpacesCountSeparately) {
    Fixture f;
    f.send(3, Space::kInitial);
    f.send(7, Space::kApplication);
    EcnFeedback feedback{.space = Space::kInitial,
                         .newly_acked_marked = 3,
                         .counts = wire::EcnCounts{3, 0, 0},
                         .largest_acked_increased = true};
    EXPECT_TRUE(f.ecn.on_ack(feedback).state_changed);
    EXPECT_EQ(f.ecn.state(), State::kCapable);
    feedback.newly_acked_marked = 0;
    feedback.counts = wire::EcnCounts{4, 0, 0};
    EXPECT_TRUE(f.ecn.on_ack(feedback).state_changed) << "only three were sent in this space";
    EXPECT_EQ(f.ecn.state(), State::kFailed);
}

TEST(EcnValidator, APathThatLosesEveryMarkFails) {
    Fixture f;
    f.send(10);
    for (int i = 0; i < 9; ++i) EXPECT_FALSE(f.ecn.on_marked_packet_lost());
    EXPECT_TRUE(f.ecn.on_marked_packet_lost());
    EXPECT_EQ(f.ecn.state(), State::kFailed);
}

TEST(EcnValidator, ALossAmongDeliveriesDoesNotFail) {
    Fixture f;
    f.send(10);
    for (int i = 0; i < 9; ++i) f.ecn.on_marked_packet_lost();
    f.ack(1, 1);
    EXPECT_FALSE(f.ecn.on_marked_packet_lost());
    EXPECT_EQ(f.ecn.state(), State::kCapable);
}

TEST(EcnValidator, TimeoutsWithoutAnyAnswerEndTheTest) {
    Fixture f;
    f.send(2);
    EXPECT_FALSE(f.ecn.on_probe_timeout(1));
    EXPECT_TRUE(f.ecn.on_probe_timeout(2));
    EXPECT_EQ(f.ecn.mark(), Ecn::kNotEct);
    f.ecn.on_marked_packet_lost();
    EXPECT_TRUE(f.ecn.on_marked_packet_lost());
    EXPECT_EQ(f.ecn.state(), State::kFailed);
}

TEST(EcnValidator, APathThatMarksEverythingAsCongestedFails) {
    Fixture f;
    f.send(10);
    EXPECT_FALSE(f.ack(6, 0, 6).state_changed);
    EXPECT_EQ(f.ecn.state(), State::kUnknown);
    const EcnOutcome outcome = f.ack(4, 0, 10);
    EXPECT_TRUE(outcome.state_changed);
    EXPECT_EQ(outcome.new_ce, 0u);
    EXPECT_EQ(f.ecn.state(), State::kFailed);
}

TEST(EcnValidator, ANewPathIsTestedAgainWithTheOldCounts) {
    Fixture old;
    old.send(10);
    old.ack(8, 8);
    Fixture f;
    f.ecn.take_over(old.ecn, true);
    EXPECT_EQ(f.ecn.state(), State::kTesting);
    f.send(10);
    EXPECT_TRUE(f.ack(10, 18).state_changed);
    EXPECT_EQ(f.ecn.state(), State::kCapable);
    EXPECT_FALSE(f.ack(2, 20).state_changed) << "the last two of the old path";
}

TEST(EcnValidator, DisabledItNeverMarks) {
    EcnValidator ecn(false);
    EXPECT_EQ(ecn.mark(), Ecn::kNotEct);
    EcnValidator next;
    next.take_over(ecn, false);
    EXPECT_EQ(next.mark(), Ecn::kNotEct);
}

}  // namespace
}  // namespace stoq::path
