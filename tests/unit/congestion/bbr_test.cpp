#include "congestion/bbr.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace stoq::congestion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = Bbr::State;

constexpr std::uint32_t kDatagram = 1200;

// A path of fixed rate and delay with an endless queue, on which the window is always filled as far
// as the pacing rate allows.
struct Path {
    explicit Path(std::uint64_t bytes_per_second = 1'250'000, Duration delay = milliseconds(40))
        : rate(bytes_per_second), round_trip(delay) {}

    // One ACK: a tenth of what is in flight arrives.
    void ack() {
        const double paced = static_cast<double>(bbr.pacing_rate(round_trip)) * in_seconds(rtt());
        flight =
            std::clamp<std::uint64_t>(static_cast<std::uint64_t>(paced), kDatagram, bbr.window());
        const Duration current = rtt();
        const std::uint64_t acked = std::max<std::uint64_t>(flight / 10, 1);
        now += current / 10;
        const std::uint64_t prior = delivered > flight ? delivered - flight : 0;
        delivered += acked;
        const double reached = static_cast<double>(flight) / in_seconds(current);
        bbr.on_acknowledged({.now = now,
                             .acked_bytes = acked,
                             .bytes_in_flight_before = flight,
                             .largest_acked_sent_time = now - current,
                             .latest_rtt = current,
                             .smoothed_rtt = current,
                             .min_rtt = round_trip,
                             .app_limited = app_limited,
                             .delivery_rate = static_cast<std::uint64_t>(
                                 std::min(reached, static_cast<double>(rate))),
                             .total_delivered = delivered,
                             .prior_delivered = prior,
                             .flight_bytes = flight,
                             .lost_since_sent = lost});
        visited |= 1u << static_cast<unsigned>(bbr.state());
    }
    void acks(int count) {
        for (int i = 0; i < count; ++i) ack();
    }
    // Acknowledges until the state is reached; false after too long.
    bool reach(State wanted) {
        for (int i = 0; i < 20'000 && bbr.state() != wanted; ++i) ack();
        return bbr.state() == wanted;
    }
    void lose(std::uint32_t packets, bool persistent = false) {
        lost = std::uint64_t{packets} * kDatagram;
        bbr.on_lost({.now = now,
                     .lost_bytes = lost,
                     .lost_packets = packets,
                     .lost_ranges = packets,
                     .latest_lost_sent_time = now - rtt(),
                     .bytes_in_flight = flight - std::min(flight, lost),
                     .total_delivered = delivered,
                     .flight_bytes = flight,
                     .lost_since_sent = lost,
                     .persistent_congestion = persistent});
    }
    // With the queue that the flight fills.
    Duration rtt() const {
        const double queued = static_cast<double>(flight) / static_cast<double>(rate);
        const auto filled =
            std::chrono::duration_cast<Duration>(std::chrono::duration<double>(queued));
        return std::max(round_trip, filled);
    }
    static double in_seconds(Duration time) { return std::chrono::duration<double>(time).count(); }
    std::uint64_t product() const {
        return static_cast<std::uint64_t>(static_cast<double>(rate) * in_seconds(round_trip));
    }
    bool has_visited(State state) const {
        return (visited & (1u << static_cast<unsigned>(state))) != 0;
    }

    std::uint64_t rate;
    Duration round_trip;
    Bbr bbr{ControllerSettings{}};
    Instant now{seconds(1000)};
    std::uint64_t delivered = 0;
    std::uint64_t flight = 0;
    std::uint64_t lost = 0;
    unsigned visited = 0;
    bool app_limited = false;
};

TEST(Bbr, StartsWithTheInitialWindowAndPacesItFast) {
    const Bbr bbr({});
    EXPECT_EQ(bbr.window(), 12'000u);
    EXPECT_TRUE(bbr.in_slow_start());
    EXPECT_EQ(bbr.pacing_rate(Duration::zero()), 0u);
    EXPECT_EQ(bbr.pacing_rate(milliseconds(100)), 332'400u);
}

TEST(Bbr, FindsTheRateLeavesStartupAndDrains) {
    Path path;
    ASSERT_TRUE(path.reach(State::kProbeDown));
    EXPECT_TRUE(path.has_visited(State::kDrain));
    EXPECT_NEAR(static_cast<double>(path.bbr.bandwidth()), static_cast<double>(path.rate), 1'000);
    path.acks(20);
    EXPECT_LE(path.flight, 2 * path.product());
}

TEST(Bbr, StaysInStartupWhileTheApplicationLimits) {
    Path path;
    path.app_limited = true;
    path.acks(500);
    EXPECT_EQ(path.bbr.state(), State::kStartup);
}

TEST(Bbr, GoesThroughAllStatesOfProbing) {
    Path path;
    ASSERT_TRUE(path.reach(State::kProbeUp));
    EXPECT_TRUE(path.has_visited(State::kProbeCruise));
    EXPECT_TRUE(path.has_visited(State::kProbeRefill));
    ASSERT_TRUE(path.reach(State::kProbeDown));
    path.acks(30);
    EXPECT_LE(path.bbr.window(), 3 * path.product());
    EXPECT_GE(path.bbr.window(), path.product());
}

TEST(Bbr, ProbesTheRoundTripTimeWhenNothingSmallerWasSeen) {
    Path path;
    ASSERT_TRUE(path.reach(State::kProbeRtt));
    const Instant began = path.now;
    EXPECT_GT(began - Instant(seconds(1000)), MinimumRtt::kProbeInterval);
    for (int i = 0; i < 200 && path.bbr.state() == State::kProbeRtt; ++i) {
        EXPECT_LE(path.bbr.window(), std::max<std::uint64_t>(path.product(), 4 * kDatagram));
        path.ack();
    }
    EXPECT_EQ(path.bbr.state(), State::kProbeCruise);
    EXPECT_GE(path.now - began, milliseconds(200));
    path.acks(20);
    EXPECT_GE(path.bbr.window(), path.product()) << "the window before comes back";
}

TEST(Bbr, ManyLossesEndStartup) {
    Path path;
    path.acks(25);
    ASSERT_EQ(path.bbr.state(), State::kStartup);
    path.lose(7);
    path.acks(40);
    EXPECT_NE(path.bbr.state(), State::kStartup);
}

TEST(Bbr, FewLossesDoNotEndStartup) {
    Path path(12'500'000);
    path.acks(25);
    ASSERT_EQ(path.bbr.state(), State::kStartup);
    path.lose(1);
    path.acks(11);
    EXPECT_EQ(path.bbr.state(), State::kStartup);
}

TEST(Bbr, TooMuchLossEndsAProbeAndBoundsTheWindow) {
    Path path;
    ASSERT_TRUE(path.reach(State::kProbeUp));
    path.acks(5);
    const std::uint64_t before = path.flight;
    path.lose(6);
    EXPECT_EQ(path.bbr.state(), State::kProbeDown);
    path.lost = 0;
    path.ack();
    EXPECT_LE(path.bbr.window(), before);
}

TEST(Bbr, LossBetweenProbesLowersRateAndWindowUntilTheNextProbe) {
    Path path;
    ASSERT_TRUE(path.reach(State::kProbeCruise));
    const std::uint64_t before = path.bbr.bandwidth();
    path.rate = before / 2;
    path.lose(2);
    path.acks(25);
    EXPECT_LT(path.bbr.bandwidth(), before);
    EXPECT_GE(path.bbr.bandwidth(), before / 2);
    path.lost = 0;
    path.rate = before;
    ASSERT_TRUE(path.reach(State::kProbeUp));
    EXPECT_NEAR(static_cast<double>(path.bbr.bandwidth()), static_cast<double>(before), 1'000);
}

TEST(Bbr, LossesThatWereNoneBringTheProbeBack) {
    Path path;
    ASSERT_TRUE(path.reach(State::kProbeUp));
    path.acks(5);
    const Instant lost_sent = path.now - path.rtt();
    path.lose(6);
    ASSERT_EQ(path.bbr.state(), State::kProbeDown);
    path.bbr.on_spurious_loss(path.now, 5, lost_sent);
    EXPECT_EQ(path.bbr.state(), State::kProbeDown) << "one is still missing";
    path.bbr.on_spurious_loss(path.now, 1, lost_sent);
    EXPECT_EQ(path.bbr.state(), State::kProbeRefill);
}

TEST(Bbr, AMarkEndsAProbeOnceInARoundTrip) {
    Path path;
    ASSERT_TRUE(path.reach(State::kProbeUp));
    path.acks(3);
    path.bbr.on_congestion_experienced(path.now, path.now - path.rtt());
    EXPECT_EQ(path.bbr.state(), State::kProbeDown);
}

TEST(Bbr, AMarkEndsStartup) {
    Path path;
    path.acks(12);
    path.bbr.on_congestion_experienced(path.now, path.now - path.rtt());
    path.ack();
    EXPECT_NE(path.bbr.state(), State::kStartup);
}

//= test 9002-7.6.2-5
TEST(Bbr, PersistentCongestionLeavesTheMinimumWindow) {
    Path path;
    ASSERT_TRUE(path.reach(State::kProbeCruise));
    path.lose(10, true);
    EXPECT_EQ(path.bbr.window(), 2u * kDatagram);
    path.lost = 0;
    path.acks(40);
    EXPECT_GE(path.bbr.window(), path.product() / 2);
}

TEST(Bbr, AfterSilenceItSendsAtTheKnownRateAndDoesNotProbeTheRoundTripTime) {
    Path path;
    ASSERT_TRUE(path.reach(State::kProbeCruise));
    path.now += seconds(20);
    path.bbr.on_packet_sent(path.now, kDatagram, kDatagram);
    EXPECT_NEAR(static_cast<double>(path.bbr.pacing_rate(path.round_trip)),
                0.99 * static_cast<double>(path.bbr.bandwidth()), 2);
    path.ack();
    EXPECT_NE(path.bbr.state(), State::kProbeRtt);
}

TEST(Bbr, SeedsSpreadTheProbes) {
    std::vector<Duration> waits;
    for (const std::uint64_t seed : {1, 2}) {
        Path path(125'000'000);
        path.bbr = Bbr({.seed = seed});
        EXPECT_TRUE(path.reach(State::kProbeDown));
        const Instant began = path.now;
        EXPECT_TRUE(path.reach(State::kProbeRefill));
        waits.push_back(path.now - began);
    }
    EXPECT_NE(waits[0], waits[1]);
}

TEST(Bbr, LimitHolds) {
    Path path;
    path.bbr.set_max_window(20'000);
    for (int i = 0; i < 300; ++i) {
        path.ack();
        ASSERT_LE(path.bbr.window(), 20'000u);
    }
}

//= test 9002-7.2-2
//= test 9002-7.2-3
TEST(Bbr, UntouchedInitialWindowFollowsTheDatagramSize) {
    Bbr bbr({});
    bbr.on_datagram_size_changed(1400);
    EXPECT_EQ(bbr.window(), 14'000u);
}

TEST(Bbr, ResetStartsAnew) {
    Path path;
    ASSERT_TRUE(path.reach(State::kProbeCruise));
    path.bbr.reset();
    EXPECT_EQ(path.bbr.window(), 12'000u);
    EXPECT_EQ(path.bbr.state(), State::kStartup);
    EXPECT_EQ(path.bbr.bandwidth(), 0u);
}

}  // namespace
}  // namespace stoq::congestion
