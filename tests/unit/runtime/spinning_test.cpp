#include "runtime/spinning.h"

#include <gtest/gtest.h>

namespace stoq::runtime {
namespace {

using namespace std::chrono_literals;

class SpinningTest : public testing::Test {
protected:
    // Nothing to do for `gap`; how long the loop looked for work meanwhile.
    Duration looked_for(Duration gap) {
        const Instant begun = now_;
        Duration looked{};
        for (; now_ - begun < gap && spinning_.should_spin(now_); now_ += 1us) {
            looked = now_ + 1us - begun;
        }
        now_ = begun + gap;
        spinning_.on_work(now_);
        return looked;
    }

    Spinning spinning_{50us};
    Instant now_{1h};
};

TEST_F(SpinningTest, NeverWithoutALimit) {
    Spinning never{Duration::zero()};
    EXPECT_FALSE(never.enabled());
    EXPECT_FALSE(never.should_spin(now_));
}

TEST_F(SpinningTest, LooksUntilWorkComes) {
    for (int i = 0; i < 10; ++i) EXPECT_EQ(looked_for(30us), 30us);
}

TEST_F(SpinningTest, LooksNoLongerThanTheLimit) {
    EXPECT_EQ(looked_for(1ms), 50us);
}

TEST_F(SpinningTest, LongGapsEndItUntilAShortOneComes) {
    for (int i = 0; i < 10; ++i) looked_for(1ms);
    EXPECT_EQ(looked_for(1ms), 0us);
    EXPECT_EQ(looked_for(30us), 0us);
    EXPECT_EQ(looked_for(30us), 30us);
}

TEST_F(SpinningTest, OneLongGapAmongShortOnesEndsNothing) {
    for (int i = 0; i < 10; ++i) looked_for(30us);
    EXPECT_EQ(looked_for(1ms), 50us);
    EXPECT_EQ(looked_for(30us), 30us);
}

}  // namespace
}  // namespace stoq::runtime
