#include "congestion/hystart.h"

#include <gtest/gtest.h>

namespace stoq::congestion {
namespace {

using std::chrono::milliseconds;
using Phase = HyStart::Phase;

struct Rounds {
    // A round trip with `samples` acknowledgements of the same RTT.
    void round(Duration rtt, int samples = 8) {
        const Instant begun = now;
        now += rtt;
        // The first acknowledgement is of a packet sent after the round began.
        for (int i = 0; i < samples; ++i) {
            hystart.on_acknowledged(now, i == 0 ? begun : begun - Duration(1), rtt);
        }
    }
    HyStart hystart;
    Instant now{std::chrono::seconds(100)};
};

struct Threshold {
    int base_ms;
    int needed_us;  // increase that raises the alarm
};

// An eighth of the last round's minimum, at least 4 ms and at most 16 ms.
TEST(HyStart, AlarmNeedsAnEighthMoreWithinBounds) {
    for (const auto& [base, needed] :
         {Threshold{10, 4000}, {32, 4000}, {80, 10'000}, {128, 16'000}, {400, 16'000}}) {
        for (const int short_by : {0, 1}) {
            Rounds rounds;
            rounds.round(milliseconds(base));
            rounds.round(milliseconds(base) + std::chrono::microseconds(needed - short_by));
            EXPECT_EQ(rounds.hystart.phase(),
                      short_by == 0 ? Phase::kConservative : Phase::kSlowStart)
                << base;
        }
    }
}

TEST(HyStart, AlarmNeedsEightSamples) {
    Rounds rounds;
    rounds.round(milliseconds(20));
    rounds.round(milliseconds(60), 7);
    EXPECT_EQ(rounds.hystart.phase(), Phase::kSlowStart);
    rounds.hystart.on_acknowledged(rounds.now, rounds.now - milliseconds(60), milliseconds(60));
    EXPECT_EQ(rounds.hystart.phase(), Phase::kConservative);
}

TEST(HyStart, OneLowSampleKeepsTheAlarmSilent) {
    Rounds rounds;
    rounds.round(milliseconds(20));
    rounds.round(milliseconds(20), 1);
    for (int i = 0; i < 50; ++i) {
        rounds.hystart.on_acknowledged(rounds.now, rounds.now - milliseconds(60), milliseconds(60));
    }
    EXPECT_EQ(rounds.hystart.phase(), Phase::kSlowStart);
}

TEST(HyStart, AcknowledgementsWithoutASampleDoNotCount) {
    Rounds rounds;
    rounds.round(milliseconds(20));
    rounds.round(milliseconds(60), 4);
    for (int i = 0; i < 50; ++i) {
        rounds.hystart.on_acknowledged(rounds.now, rounds.now - milliseconds(60), Duration::zero());
    }
    EXPECT_EQ(rounds.hystart.phase(), Phase::kSlowStart);
}

TEST(HyStart, ConservativePhaseGrowsAQuarterAsFast) {
    Rounds rounds;
    EXPECT_EQ(rounds.hystart.growth_divisor(), 1u);
    rounds.round(milliseconds(20));
    rounds.round(milliseconds(30));
    EXPECT_EQ(rounds.hystart.growth_divisor(), 4u);
}

TEST(HyStart, SlowStartEndsAfterFiveConservativeRounds) {
    Rounds rounds;
    rounds.round(milliseconds(20));
    rounds.round(milliseconds(30));  // the round of the alarm counts as the first
    for (int i = 0; i < 4; ++i) {
        rounds.round(milliseconds(30));
        ASSERT_EQ(rounds.hystart.phase(), Phase::kConservative);
    }
    rounds.round(milliseconds(30));
    EXPECT_EQ(rounds.hystart.phase(), Phase::kDone);
}

TEST(HyStart, FallingRttResumesSlowStart) {
    Rounds rounds;
    rounds.round(milliseconds(20));
    rounds.round(milliseconds(30));
    rounds.round(milliseconds(30));
    ASSERT_EQ(rounds.hystart.phase(), Phase::kConservative);
    rounds.round(milliseconds(29));
    EXPECT_EQ(rounds.hystart.phase(), Phase::kSlowStart);
    rounds.round(milliseconds(40));  // and a later alarm counts anew
    EXPECT_EQ(rounds.hystart.phase(), Phase::kConservative);
}

TEST(HyStart, StaysDoneUntilReset) {
    Rounds rounds;
    rounds.hystart.finish();
    rounds.round(milliseconds(20));
    rounds.round(milliseconds(90));
    EXPECT_EQ(rounds.hystart.phase(), Phase::kDone);
    rounds.hystart.reset();
    EXPECT_EQ(rounds.hystart.phase(), Phase::kSlowStart);
}

}  // namespace
}  // namespace stoq::congestion
