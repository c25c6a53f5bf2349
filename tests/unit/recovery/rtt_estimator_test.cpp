#include "recovery/rtt_estimator.h"

#include <gtest/gtest.h>

namespace stoq::recovery {
namespace {

using std::chrono::milliseconds;

constexpr Instant kNow{std::chrono::seconds(5)};

//= test 9002-6.2.2-2
TEST(RttEstimator, BeforeTheFirstSampleTheInitialGuessStands) {
    const RttEstimator rtt;
    EXPECT_FALSE(rtt.has_sample());
    EXPECT_EQ(rtt.smoothed(), milliseconds(333));
    EXPECT_EQ(rtt.variation(), std::chrono::microseconds(166'500));
    EXPECT_EQ(rtt.probe_timeout_base(), milliseconds(999));
}

//= test 9002-5.2-1
TEST(RttEstimator, FirstSampleReplacesTheGuessAndIgnoresTheDelay) {
    RttEstimator rtt;
    rtt.on_sample(milliseconds(40), milliseconds(30), kNow);
    EXPECT_EQ(rtt.latest(), milliseconds(40));
    EXPECT_EQ(rtt.min(), milliseconds(40));
    EXPECT_EQ(rtt.smoothed(), milliseconds(40));
    EXPECT_EQ(rtt.variation(), milliseconds(20));
    EXPECT_EQ(rtt.first_sample_at(), kNow);
}

struct SecondSample {
    int latest_ms;
    int delay_ms;
    int adjusted_ms;  // what the averages have to use
    int min_ms;
};

class RttSecondSample : public testing::TestWithParam<SecondSample> {};

//= test 9002-5.2-1
//= test 9002-5.3-6
TEST_P(RttSecondSample, UpdatesMinimumAndAverages) {
    const SecondSample& given = GetParam();
    RttEstimator rtt;
    rtt.on_sample(milliseconds(100), {}, kNow);
    rtt.on_sample(milliseconds(given.latest_ms), milliseconds(given.delay_ms), kNow);
    const double adjusted = given.adjusted_ms;
    const double deviation = adjusted > 100 ? adjusted - 100 : 100 - adjusted;
    EXPECT_EQ(rtt.min(), milliseconds(given.min_ms));
    EXPECT_NEAR(static_cast<double>(rtt.smoothed().count()), (100 * 7 / 8.0 + adjusted / 8) * 1e6,
                2);
    EXPECT_NEAR(static_cast<double>(rtt.variation().count()), (50 * 3 / 4.0 + deviation / 4) * 1e6,
                2);
}

INSTANTIATE_TEST_SUITE_P(Table, RttSecondSample,
                         testing::Values(SecondSample{140, 0, 140, 100},   // no delay
                                         SecondSample{140, 30, 110, 100},  // plausible delay
                                         SecondSample{140, 40, 100, 100},  // exactly plausible
                                         SecondSample{140, 41, 140, 100},  // implausible: ignored
                                         SecondSample{80, 0, 80, 80},      // new minimum
                                         SecondSample{80, 10, 80, 80}));   // below it: ignored

//= test 9002-5.2-2
TEST(RttEstimator, PersistentCongestionTakesTheNewestSampleForTheMinimum) {
    RttEstimator rtt;
    rtt.on_sample(milliseconds(10), {}, kNow);
    rtt.on_sample(milliseconds(300), {}, kNow);
    EXPECT_EQ(rtt.min(), milliseconds(10));
    rtt.on_persistent_congestion();
    EXPECT_EQ(rtt.min(), milliseconds(300));
}

//= test 9002-6.1.2-2
//= test 9002-6.1.2-4
//= test 9002-6.1.2-5
TEST(RttEstimator, LossDelayIsNineEighthsOfTheLargerRttAndAtLeastAMillisecond) {
    RttEstimator rtt;
    rtt.on_sample(milliseconds(80), {}, kNow);
    EXPECT_EQ(rtt.loss_delay(), milliseconds(90));
    rtt.on_sample(milliseconds(160), {}, kNow);  // latest above smoothed
    EXPECT_EQ(rtt.loss_delay(), milliseconds(180));
    rtt.on_sample(milliseconds(8), {}, kNow);  // smoothed above latest
    EXPECT_EQ(rtt.loss_delay(), rtt.smoothed() * 9 / 8);
    rtt.reset(std::chrono::microseconds(50));
    EXPECT_EQ(rtt.loss_delay(), milliseconds(1));
}

//= test 9002-6.2.1-1
TEST(RttEstimator, ProbeTimeoutExceedsTheRttByAtLeastAMillisecond) {
    RttEstimator rtt;
    for (int i = 0; i < 100; ++i) rtt.on_sample(std::chrono::microseconds(100), {}, kNow);
    EXPECT_EQ(rtt.variation().count() / 1000, 0);
    EXPECT_EQ(rtt.probe_timeout_base(), rtt.smoothed() + milliseconds(1));
}

TEST(RttEstimator, ResetForgetsThePath) {
    RttEstimator rtt;
    rtt.on_sample(milliseconds(10), {}, kNow);
    rtt.reset(milliseconds(50));
    EXPECT_FALSE(rtt.has_sample());
    EXPECT_EQ(rtt.smoothed(), milliseconds(50));
    EXPECT_EQ(rtt.min(), Duration::zero());
}

}  // namespace
}  // namespace stoq::recovery
