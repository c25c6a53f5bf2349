// CUBIC against the formulas of RFC 9438, computed here in segments.
#include "congestion/cubic.h"

#include <cmath>

#include "congestion_harness.h"

namespace stoq::congestion {
namespace {

constexpr double kBeta = 0.7;
constexpr double kC = 0.4;

// A flow in congestion avoidance after one loss at a window of `before` bytes, recovered at
// `flow.now`.
Flow after_loss(std::uint64_t before) {
    Flow flow(CongestionAlgorithm::kCubic);
    flow.ack(before - 12'000, flow.rtt);
    EXPECT_EQ(flow.window(), before);
    flow.lose(1, flow.rtt);
    flow.now += flow.rtt + Duration(1);
    return flow;
}

TEST(Cubic, LossLeavesSevenTenths) {
    EXPECT_EQ(after_loss(120'000).window(), 84'000u);
}

// Section 4.2: the window follows W_cubic(t) = C (t - K)^3 + W_max to its plateau and beyond.
TEST(Cubic, WindowFollowsTheCurve) {
    const double w_max = 1000;  // segments: large, so that Reno's window is far below
    Flow flow = after_loss(static_cast<std::uint64_t>(w_max) * kDatagram);
    const double k = std::cbrt(w_max * (1 - kBeta) / kC);
    const Instant epoch = flow.now;
    flow.ack(kDatagram, flow.rtt);
    while (flow.now - epoch < seconds(20)) {
        flow.round();
        const double t = std::chrono::duration<double>(flow.now - epoch).count();
        const double expected = kC * std::pow(t - k, 3) + w_max;
        // The window trails the curve, which itself aims one round trip ahead.
        ASSERT_NEAR(static_cast<double>(flow.window()) / kDatagram, expected, 0.03 * expected) << t;
    }
    EXPECT_GT(flow.window() / kDatagram, 1400u);  // convex by now
}

TEST(Cubic, OneAcknowledgementMovesTheWindowByItsShareOfTheWayToTheTarget) {
    const double w_max = 1000;
    Flow flow = after_loss(static_cast<std::uint64_t>(w_max) * kDatagram);
    const double k = std::cbrt(w_max * (1 - kBeta) / kC);
    flow.ack(kDatagram, flow.rtt);  // starts the epoch
    flow.now += seconds(1);
    const double cwnd = static_cast<double>(flow.window()) / kDatagram;
    const double target = kC * std::pow(1.0 + 0.1 - k, 3) + w_max;  // W_cubic(t + RTT)
    flow.ack(10 * kDatagram, flow.rtt);
    const double expected = cwnd + (target - cwnd) / cwnd * 10;
    EXPECT_NEAR(static_cast<double>(flow.window()) / kDatagram, expected, 0.002);
}

// Section 4.2: at most half more per round trip.
TEST(Cubic, TargetIsBoundedByHalfAgainTheWindow) {
    Flow flow = after_loss(12'000 * 10);
    flow.ack(kDatagram, flow.rtt);
    flow.now += seconds(1000);
    const std::uint64_t before = flow.window();
    flow.ack(before, flow.rtt);
    EXPECT_NEAR(static_cast<double>(flow.window()), 1.5 * static_cast<double>(before), 1.0);
}

// Section 4.3, eq. 4: with a short round trip Reno would be faster, so CUBIC does as Reno does.
TEST(Cubic, ShortRoundTripsFollowReno) {
    Flow flow = after_loss(120'000);
    flow.rtt = milliseconds(1);
    const double alpha = 3 * (1 - kBeta) / (1 + kBeta);
    double w_est = static_cast<double>(flow.window()) / kDatagram;
    for (int i = 0; i < 2000; ++i) {
        const double cwnd = static_cast<double>(flow.window()) / kDatagram;
        w_est += (w_est >= 100 ? 1.0 : alpha) / cwnd;  // W_est reaches cwnd_prior = 100
        flow.now += microseconds(10);
        flow.ack(kDatagram, flow.rtt);
        ASSERT_NEAR(static_cast<double>(flow.window()) / kDatagram, w_est, 0.05) << i;
    }
    EXPECT_GT(w_est, 82);
}

// Section 4.3: from the former window on, as fast as Reno itself.
TEST(Cubic, RenoFriendlyGrowthIsOneSegmentPerWindowBeyondTheFormerWindow) {
    Flow flow = after_loss(120'000);
    flow.rtt = microseconds(100);
    while (flow.window() < 121'200) {
        flow.now += microseconds(1);
        flow.ack(kDatagram, flow.rtt);
    }
    const std::uint64_t before = flow.window();
    for (std::uint64_t acked = 0; acked < before; acked += kDatagram) {
        flow.now += microseconds(1);
        flow.ack(kDatagram, flow.rtt);
    }
    EXPECT_NEAR(static_cast<double>(flow.window() - before), kDatagram, 30.0);
}

// Section 4.7.
TEST(Cubic, FastConvergenceLowersThePlateauWhenTheWindowShrinks) {
    // The second loss comes below the first maximum: W_max becomes 0.85 of the window, not all.
    Flow flow = after_loss(1000 * kDatagram);
    flow.lose(1, Duration::zero());
    flow.now += flow.rtt;
    const double before = 1000 * kBeta;
    const double w_max = before * (1 + kBeta) / 2;
    const double k = std::cbrt((w_max - before * kBeta) / kC);
    flow.ack(kDatagram, Duration::zero());  // starts the epoch
    flow.now += seconds(1);
    const double cwnd = static_cast<double>(flow.window()) / kDatagram;
    const double target = kC * std::pow(1.0 + 0.1 - k, 3) + w_max;
    flow.ack(10 * kDatagram, Duration::zero());
    EXPECT_NEAR(static_cast<double>(flow.window()) / kDatagram, cwnd + (target - cwnd) / cwnd * 10,
                0.002);
}

Flow in_avoidance() {
    Flow flow = after_loss(1000 * kDatagram);
    for (int i = 0; i < 10; ++i) flow.round();
    return flow;
}

// Section 4.2: time in which the window was not needed does not count.
TEST(Cubic, CurveStandsStillWhileTheSenderHasNoData) {
    Flow busy = in_avoidance();
    Flow paused = in_avoidance();
    ASSERT_EQ(busy.window(), paused.window());
    paused.ack_with_flight(kDatagram, paused.rtt, kDatagram, true);
    paused.now += seconds(30);
    busy.ack(kDatagram, busy.rtt);
    paused.ack(kDatagram, paused.rtt);
    EXPECT_EQ(busy.window(), paused.window());
}

// Section 5.8: a sender that stops as soon as it has filled its window is not told that data had
// run out.
TEST(Cubic, CurveStandsStillWhileNothingIsInFlight) {
    Flow busy = in_avoidance();
    Flow idle = in_avoidance();
    ASSERT_EQ(busy.window(), idle.window());
    idle.now += seconds(60);
    for (Flow* flow : {&busy, &idle}) {
        // The next one follows at once, or after the pause; the ones behind it are no beginning.
        for (std::uint64_t flight = kDatagram; flight <= 3 * kDatagram; flight += kDatagram) {
            flow->controller->on_packet_sent(flow->now, kDatagram, flight);
        }
        flow->round();
    }
    EXPECT_EQ(busy.window(), idle.window());
    EXPECT_GT(busy.now - kStart, seconds(1));
}

// Section 4.10: the plateau of the first epoch is where HyStart++ stopped, K = 0.
TEST(Cubic, AfterHyStartTheCurveStartsConvexFromTheWindow) {
    Flow flow(CongestionAlgorithm::kCubic);
    for (int round = 0; round < 14 && flow.controller->in_slow_start(); ++round) {
        flow.round();
        if (round == 2) flow.rtt += milliseconds(30);
    }
    ASSERT_FALSE(flow.controller->in_slow_start());
    const double start = static_cast<double>(flow.window()) / kDatagram;
    const Instant epoch = flow.now;
    while (flow.now - epoch < seconds(8)) flow.round();
    const double t = std::chrono::duration<double>(flow.now - epoch).count();
    EXPECT_NEAR(static_cast<double>(flow.window()) / kDatagram, kC * t * t * t + start,
                0.1 * start + 0.1 * kC * t * t * t);
}

// Section 4.8.
TEST(Cubic, AfterPersistentCongestionTheEpochStartsWithoutAPlateauAbove) {
    Flow flow(CongestionAlgorithm::kCubic);
    flow.ack(1'188'000, flow.rtt);
    flow.lose(5, flow.rtt, true);
    flow.now += flow.rtt;
    while (flow.controller->in_slow_start()) flow.ack(kDatagram, flow.rtt);
    const double start = static_cast<double>(flow.window()) / kDatagram;
    EXPECT_NEAR(start, 700, 2);  // 0.7 of 1000 segments
    flow.ack(100 * kDatagram, flow.rtt);
    // K = 0 and W_max = cwnd: W_cubic(0.1 s) lies 0.0004 segments above; Reno's estimate wins.
    EXPECT_NEAR(static_cast<double>(flow.window()) / kDatagram - start, 100 / start, 0.2);
}

// Section 4.9.2.
TEST(Cubic, UndoRestoresTheEpochAndItsCurve) {
    Flow calm = after_loss(1000 * kDatagram);
    Flow misled = after_loss(1000 * kDatagram);
    for (Flow* flow : {&calm, &misled}) {
        for (int i = 0; i < 5; ++i) flow->round();
    }
    misled.lose(1, misled.rtt);
    misled.controller->on_spurious_loss(misled.now, 1, misled.now - misled.rtt);
    ASSERT_EQ(calm.window(), misled.window());
    for (Flow* flow : {&calm, &misled}) {
        flow->now += Duration(1);
        flow->ack(kDatagram, Duration::zero());
    }
    EXPECT_EQ(calm.window(), misled.window());
}

TEST(Cubic, UndoComesTooLateOnceTheWindowHasGrownBack) {
    Flow flow = after_loss(20 * kDatagram);
    flow.rtt = milliseconds(1);
    while (flow.window() < 25 * kDatagram) flow.round();
    const std::uint64_t grown = flow.window();
    flow.controller->on_spurious_loss(flow.now, 1, kStart - milliseconds(100));
    EXPECT_EQ(flow.window(), grown);
}

}  // namespace
}  // namespace stoq::congestion
