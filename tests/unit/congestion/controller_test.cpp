// What holds for every controller (RFC 9002 section 7).
#include "congestion/window_rules.h"
#include "congestion_harness.h"

namespace stoq::congestion {
namespace {

class EveryController : public testing::TestWithParam<CongestionAlgorithm> {
protected:
    Flow flow{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Table, EveryController,
                         testing::Values(CongestionAlgorithm::kNewReno,
                                         CongestionAlgorithm::kCubic),
                         [](const auto& tested) {
                             return std::string(make_controller(tested.param, {})->name());
                         });

TEST_P(EveryController, StartsInSlowStartWithTheInitialWindow) {
    EXPECT_EQ(flow.window(), 12'000u);
    EXPECT_TRUE(flow.controller->in_slow_start());
    EXPECT_EQ(flow.controller->slow_start_threshold(), kNoWindowLimit);
}

TEST_P(EveryController, SlowStartGrowsByWhatIsAcknowledged) {
    flow.ack(5000, flow.rtt);
    EXPECT_EQ(flow.window(), 17'000u);
    flow.ack(700, flow.rtt);
    EXPECT_EQ(flow.window(), 17'700u);
}

//= test 9002-7.3.1-1
//= test 9000-13.3-7
TEST_P(EveryController, LossEndsSlowStart) {
    flow.lose(1, milliseconds(100));
    EXPECT_FALSE(flow.controller->in_slow_start());
    EXPECT_LT(flow.window(), 12'000u);
    EXPECT_EQ(flow.controller->slow_start_threshold(), flow.window());
}

//= test 9002-7.3.1-1
TEST_P(EveryController, CongestionExperiencedEndsSlowStart) {
    flow.controller->on_congestion_experienced(flow.now, flow.now - flow.rtt);
    EXPECT_FALSE(flow.controller->in_slow_start());
    EXPECT_LT(flow.window(), 12'000u);
}

TEST_P(EveryController, ReducesOncePerRoundTrip) {
    flow.lose(1, milliseconds(100));
    const std::uint64_t reduced = flow.window();
    flow.now += milliseconds(50);
    flow.lose(3, milliseconds(60));  // sent before the reduction
    flow.controller->on_congestion_experienced(flow.now, kStart);
    EXPECT_EQ(flow.window(), reduced);
    flow.lose(1, milliseconds(40));  // sent after it
    EXPECT_LT(flow.window(), reduced);
}

TEST_P(EveryController, DoesNotGrowWhileWhatIsAcknowledgedWasSentBeforeTheReduction) {
    flow.lose(1, milliseconds(100));
    const std::uint64_t reduced = flow.window();
    flow.now += milliseconds(50);
    flow.ack(reduced, milliseconds(60));
    EXPECT_EQ(flow.window(), reduced);
}

//= test 9002-7.2-4
TEST_P(EveryController, NeverFallsBelowTwoDatagrams) {
    for (int i = 0; i < 20; ++i) {
        flow.now += milliseconds(1);
        flow.lose(1, Duration::zero());
    }
    EXPECT_EQ(flow.window(), 2u * kDatagram);
}

//= test 9002-7.6.2-5
TEST_P(EveryController, PersistentCongestionLeavesTheMinimumWindowAndSlowStartBegins) {
    flow.ack(100'000, flow.rtt);
    flow.lose(10, flow.rtt, true);
    EXPECT_EQ(flow.window(), 2u * kDatagram);
    EXPECT_TRUE(flow.controller->in_slow_start());
    // Growth is not held back by a recovery period.
    flow.ack(kDatagram, flow.rtt);
    EXPECT_EQ(flow.window(), 3u * kDatagram);
}

TEST_P(EveryController, SlowStartAfterPersistentCongestionEndsAtTheThreshold) {
    flow.ack(100'000, flow.rtt);
    flow.lose(10, flow.rtt, true);
    const std::uint64_t threshold = flow.controller->slow_start_threshold();
    ASSERT_NE(threshold, kNoWindowLimit);
    for (int i = 0; i < 8; ++i) flow.round();
    EXPECT_FALSE(flow.controller->in_slow_start());
    EXPECT_LT(flow.window(), 2 * threshold);
}

//= test 9002-7.8-1
TEST_P(EveryController, UnusedWindowDoesNotGrow) {
    flow.ack_with_flight(kDatagram, flow.rtt, 2 * kDatagram, true);
    EXPECT_EQ(flow.window(), 12'000u);
    flow.lose(1, flow.rtt);
    flow.now += seconds(1);
    const std::uint64_t reduced = flow.window();
    for (int i = 0; i < 100; ++i) {
        flow.now += milliseconds(100);
        flow.ack_with_flight(kDatagram, flow.rtt, 2 * kDatagram, true);
    }
    EXPECT_EQ(flow.window(), reduced);
}

//= test 9002-7.8-2
TEST_P(EveryController, WindowThatPacingLeavesUnusedGrows) {
    flow.ack_with_flight(kDatagram, flow.rtt, 2 * kDatagram, false);
    EXPECT_EQ(flow.window(), 12'000u + kDatagram);
}

TEST_P(EveryController, WindowThatWasFilledGrowsAlthoughDataThenRanOut) {
    flow.ack_with_flight(kDatagram, flow.rtt, 12'000, true);
    EXPECT_EQ(flow.window(), 12'000u + kDatagram);
}

TEST_P(EveryController, SpuriousLossIsUndoneWhenEveryLossWasOne) {
    flow.ack(88'000, flow.rtt);
    ASSERT_EQ(flow.window(), 100'000u);
    flow.lose(3, flow.rtt);
    const std::uint64_t reduced = flow.window();
    flow.now += milliseconds(10);
    flow.controller->on_spurious_loss(flow.now, 2, kStart - flow.rtt);
    EXPECT_EQ(flow.window(), reduced);
    flow.controller->on_spurious_loss(flow.now, 1, kStart - flow.rtt);
    EXPECT_EQ(flow.window(), 100'000u);
    EXPECT_TRUE(flow.controller->in_slow_start());
}

TEST_P(EveryController, RealLossInTheSamePeriodKeepsTheReduction) {
    flow.lose(2, flow.rtt);
    const std::uint64_t reduced = flow.window();
    flow.lose(1, flow.rtt);
    flow.controller->on_spurious_loss(flow.now, 2, kStart - flow.rtt);
    EXPECT_EQ(flow.window(), reduced);
}

TEST_P(EveryController, MarkInTheSamePeriodKeepsTheReduction) {
    flow.lose(1, flow.rtt);
    const std::uint64_t reduced = flow.window();
    flow.controller->on_congestion_experienced(flow.now, flow.now - flow.rtt);
    flow.controller->on_spurious_loss(flow.now, 1, kStart - flow.rtt);
    EXPECT_EQ(flow.window(), reduced);
}

TEST_P(EveryController, SpuriousLossOfAnEarlierPeriodUndoesNothing) {
    flow.lose(1, flow.rtt);
    flow.now += milliseconds(200);
    flow.lose(1, milliseconds(100));
    const std::uint64_t reduced = flow.window();
    flow.controller->on_spurious_loss(flow.now, 1, kStart - flow.rtt);
    EXPECT_EQ(flow.window(), reduced);
}

TEST_P(EveryController, LimitHoldsAndIsNotOutgrownInside) {
    flow.controller->set_max_window(20'000);
    for (int i = 0; i < 10; ++i) flow.ack(20'000, flow.rtt);
    EXPECT_EQ(flow.window(), 20'000u);
    flow.lose(1, flow.rtt);
    EXPECT_LE(flow.window(), 14'000u);
    flow.controller->set_max_window(5'000);
    EXPECT_EQ(flow.window(), 5'000u);
}

//= test 9002-7.2-2
//= test 9002-7.2-3
TEST_P(EveryController, UntouchedInitialWindowFollowsTheDatagramSize) {
    flow.controller->on_datagram_size_changed(1400);
    EXPECT_EQ(flow.window(), 14'000u);
    flow.controller->on_datagram_size_changed(1200);
    EXPECT_EQ(flow.window(), 12'000u);
    flow.ack(1200, flow.rtt);
    flow.controller->on_datagram_size_changed(1400);
    EXPECT_EQ(flow.window(), 13'200u);
}

TEST_P(EveryController, LargerDatagramsRaiseTheMinimum) {
    flow.lose(1, flow.rtt, true);
    flow.controller->on_datagram_size_changed(9000);
    EXPECT_EQ(flow.window(), 18'000u);
}

TEST_P(EveryController, ResetStartsAnew) {
    flow.ack(50'000, flow.rtt);
    flow.lose(1, flow.rtt);
    flow.controller->reset();
    EXPECT_EQ(flow.window(), 12'000u);
    EXPECT_TRUE(flow.controller->in_slow_start());
    flow.ack(1000, flow.rtt);
    EXPECT_EQ(flow.window(), 13'000u);
}

//= test 9002-7.7-1
TEST_P(EveryController, PacesTwiceTheWindowPerRoundTripInSlowStartAndAQuarterMoreAfter) {
    EXPECT_EQ(flow.controller->pacing_rate(milliseconds(100)), 240'000u);
    EXPECT_EQ(flow.controller->pacing_rate(Duration::zero()), 0u);
    flow.lose(1, flow.rtt);
    EXPECT_EQ(flow.controller->pacing_rate(milliseconds(100)), flow.window() * 10 * 5 / 4);
}

TEST_P(EveryController, RisingRttEndsSlowStartWithoutLoss) {
    for (int round = 0; round < 12 && flow.controller->in_slow_start(); ++round) {
        flow.round();
        if (round >= 2) flow.rtt += milliseconds(20);
    }
    EXPECT_FALSE(flow.controller->in_slow_start());
    // The window has grown little since: less than one round trip has passed.
    EXPECT_GT(flow.controller->slow_start_threshold(), 100u * kDatagram);
    EXPECT_LE(flow.window() - flow.controller->slow_start_threshold(), 2u * kDatagram);
}

struct InitialWindowCase {
    std::uint32_t datagram;
    std::uint32_t count;
    std::uint64_t expected;
};

//= test 9002-7.2-1
TEST(InitialWindow, IsTenDatagramsWithinTheLimit) {
    for (const auto& [datagram, count, expected] : {InitialWindowCase{1200, 10, 12'000},
                                                    {1472, 10, 14'720},
                                                    {1500, 10, 14'720},
                                                    {9000, 10, 18'000},
                                                    {65'000, 10, 130'000},
                                                    {1200, 32, 38'400},
                                                    {1200, 1, 2'400}}) {
        EXPECT_EQ(
            initial_window({.max_datagram_size = datagram, .initial_window_datagrams = count}),
            expected)
            << datagram << " x " << count;
    }
}

}  // namespace
}  // namespace stoq::congestion
