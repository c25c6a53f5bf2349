#include "streams/flow_control.h"

#include <gtest/gtest.h>

namespace stoq::streams {
namespace {

using std::chrono::milliseconds;

constexpr Duration kRtt = milliseconds(10);

ReceiveWindow::Tuning at(Duration since_start, ReceiveBudget* budget = nullptr) {
    return {.now = Instant(since_start), .rtt = kRtt, .budget = budget};
}

TEST(ReceiveWindow, RenewalIsDueWhenHalfIsConsumed) {
    ReceiveWindow window(1000, 1000);
    EXPECT_FALSE(window.on_consumed(499, at(milliseconds(0))));
    //= test 9000-4.2-2
    EXPECT_TRUE(window.on_consumed(1, at(milliseconds(100))));
    EXPECT_EQ(window.limit(), 1000u);
    EXPECT_EQ(window.renew(), 1500u);
    EXPECT_EQ(window.limit(), 1500u);
    EXPECT_FALSE(window.on_consumed(1, at(milliseconds(200))));
}

TEST(ReceiveWindow, StaysDueUntilItIsRenewed) {
    ReceiveWindow window(1000, 1000);
    EXPECT_TRUE(window.on_consumed(600, at(milliseconds(0))));
    EXPECT_TRUE(window.on_consumed(1, at(milliseconds(0))));
}

struct GrowthCase {
    const char* name;
    Duration rtt;
    Duration half_window_took;
    std::uint64_t max;
    std::uint64_t expected;
};

TEST(ReceiveWindow, DoublesWhileHalfOfItIsConsumedWithinTwoRoundTrips) {
    const GrowthCase cases[] = {
        {"fast", kRtt, milliseconds(19), 8000, 2000},
        {"at the threshold", kRtt, milliseconds(20), 8000, 1000},
        {"slow", kRtt, milliseconds(50), 8000, 1000},
        {"fast, but at most the maximum", kRtt, milliseconds(1), 1500, 1500},
        {"fast, but already at the maximum", kRtt, milliseconds(1), 1000, 1000},
        {"no round-trip time known", Duration::zero(), milliseconds(1), 8000, 1000},
    };
    for (const GrowthCase& test : cases) {
        ReceiveWindow window(1000, test.max);
        window.on_consumed(1, {Instant(), test.rtt, nullptr});
        window.on_consumed(499, {Instant(test.half_window_took), test.rtt, nullptr});
        EXPECT_EQ(window.size(), test.expected) << test.name;
    }
}

TEST(ReceiveWindow, ReachesFourTimesTheBandwidthDelayProductAndStops) {
    // The application reads 100 bytes a millisecond; the round trip is 10 ms.
    ReceiveWindow window(500, 1'000'000);
    for (int ms = 0; ms < 1000; ++ms) {
        if (window.on_consumed(100, at(milliseconds(ms)))) window.renew();
    }
    EXPECT_GE(window.size(), 4u * 1000);
    EXPECT_LE(window.size(), 8u * 1000);
}

TEST(ReceiveWindow, DoesNotGrowOverBudget) {
    ReceiveBudget budget(1500);
    budget.take(1000);
    ReceiveWindow window(1000, 8000);
    window.on_consumed(500, at(milliseconds(0), &budget));
    EXPECT_EQ(window.size(), 1000u);
    EXPECT_EQ(budget.used(), 1000u);
}

TEST(ReceiveWindow, GrowthIsTakenFromTheBudget) {
    ReceiveBudget budget(2000);
    budget.take(1000);
    ReceiveWindow window(1000, 8000);
    window.on_consumed(500, at(milliseconds(0), &budget));
    EXPECT_EQ(window.size(), 2000u);
    EXPECT_EQ(budget.used(), 2000u);
}

TEST(ReceiveBudget, FirstWindowsAreTakenEvenBeyondTheLimit) {
    ReceiveBudget budget(100);
    budget.take(150);
    EXPECT_FALSE(budget.try_take(1));
    budget.give_back(60);
    EXPECT_TRUE(budget.try_take(10));
    EXPECT_FALSE(budget.try_take(1));
}

TEST(SendWindow, LimitOnlyRises) {
    SendWindow window(100);
    //= test 9000-4.1-3
    EXPECT_FALSE(window.raise(100));
    EXPECT_FALSE(window.raise(50));
    EXPECT_EQ(window.limit(), 100u);
    EXPECT_TRUE(window.raise(101));
    window.use(100);
    EXPECT_EQ(window.available(), 1u);
}

TEST(SendWindow, ReportsBeingBlockedOncePerLimit) {
    SendWindow window(100);
    EXPECT_FALSE(window.should_report_blocked());
    window.use(100);
    EXPECT_TRUE(window.should_report_blocked());
    EXPECT_FALSE(window.should_report_blocked());
    window.raise(110);
    EXPECT_FALSE(window.should_report_blocked());
    window.use(10);
    EXPECT_TRUE(window.should_report_blocked());
}

TEST(SendWindow, LimitOfZeroIsReportedToo) {
    SendWindow window;
    EXPECT_TRUE(window.should_report_blocked());
    EXPECT_FALSE(window.should_report_blocked());
}

}  // namespace
}  // namespace stoq::streams
