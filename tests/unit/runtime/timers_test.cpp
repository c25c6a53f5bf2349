#include "runtime/timers.h"

#include <gtest/gtest.h>

#include "base/instant_after.h"

namespace stoq::runtime {
namespace {

Instant at(int nanoseconds) {
    return Instant(Duration(nanoseconds));
}

struct TimersTest : testing::Test {
    Timers timers;
    std::string ran;

    std::uint64_t add(int when, char name) {
        return timers.add(at(when), [this, name] { ran += name; });
    }
    void run_until(int now) {
        while (auto task = timers.take_due(at(now))) task();
    }
};

TEST(InstantAfter, DoesNotOverflow) {
    EXPECT_EQ(instant_after(at(5), Duration(7)), at(12));
    EXPECT_EQ(instant_after(at(5), Duration::max()), kNever);
    EXPECT_EQ(instant_after(at(0), Duration::max()), kNever);
}

TEST_F(TimersTest, RunInTheOrderOfTheirTimesAndEqualOnesInThatOfTheirSetting) {
    add(30, 'd');
    add(10, 'a');
    add(20, 'b');
    add(20, 'c');
    EXPECT_EQ(timers.next(), at(10));
    run_until(20);
    EXPECT_EQ(ran, "abc");
    EXPECT_EQ(timers.next(), at(30));
    run_until(30);
    EXPECT_EQ(ran, "abcd");
    EXPECT_EQ(timers.next(), kNever);
}

TEST_F(TimersTest, ATimerIsNotDueBeforeItsTime) {
    add(10, 'a');
    run_until(9);
    EXPECT_EQ(ran, "");
}

TEST_F(TimersTest, ACancelledTimerDoesNotRunAndTheOthersDo) {
    add(10, 'a');
    const auto cancelled = add(20, 'b');
    add(30, 'c');
    timers.cancel(cancelled);
    timers.cancel(cancelled);
    timers.cancel(0);
    run_until(40);
    EXPECT_EQ(ran, "ac");
}

TEST_F(TimersTest, ATimerMaySetAnotherWhileItRuns) {
    timers.add(at(10), [this] { add(20, 'x'); });
    run_until(10);
    EXPECT_EQ(timers.next(), at(20));
    run_until(20);
    EXPECT_EQ(ran, "x");
}

}  // namespace
}  // namespace stoq::runtime
