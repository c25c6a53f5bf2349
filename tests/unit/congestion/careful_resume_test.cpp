// Careful resume: when it jumps, how far, and what ends it (RFC 9959 sections 3 and 4).
#include "congestion/careful_resume.h"

#include "congestion_harness.h"

namespace stoq::congestion {
namespace {

using Phase = CarefulResume::Phase;

constexpr std::uint64_t kFirstWindow = 12'000;
constexpr std::uint64_t kSaved = 1'000'000;

// A flow on a path of 100 ms that an earlier connection knew.
struct Resumed : Flow {
    explicit Resumed(Duration saved_rtt = milliseconds(100)) : Flow(CongestionAlgorithm::kCubic) {
        auto made = std::make_unique<CarefulResume>(std::move(controller), ControllerSettings{},
                                                    PathMemory{kSaved, saved_rtt});
        resume = made.get();
        controller = std::move(made);
    }
    Phase phase() const { return resume->phase(); }
    // The whole first window arrives, and there is more to send.
    void jump() {
        now += rtt;
        ack_with_flight(kFirstWindow, rtt, kFirstWindow, false);
    }
    // A window's worth leaves within a round trip.
    void send_window() {
        now += milliseconds(50);
        controller->on_packet_sent(now, kDatagram, controller->window());
        last_sent = now;
    }
    CarefulResume* resume = nullptr;
    Instant last_sent{};
};

TEST(CarefulResume, JumpsToHalfOfTheSavedWindowOnceTheFirstOneHasArrived) {
    Resumed flow;
    EXPECT_EQ(flow.window(), kFirstWindow);
    flow.now += flow.rtt;
    flow.ack_with_flight(kFirstWindow - 1, flow.rtt, kFirstWindow, false);
    EXPECT_EQ(flow.phase(), Phase::kReconnaissance);
    EXPECT_LT(flow.window(), 2 * kFirstWindow);
    flow.ack_with_flight(1, flow.rtt, kFirstWindow, false);
    EXPECT_EQ(flow.phase(), Phase::kUnvalidated);
    EXPECT_EQ(flow.window(), kSaved / 2);
    // Spread over a round trip: half a megabyte in 100 ms.
    EXPECT_NEAR(static_cast<double>(flow.controller->pacing_rate(flow.rtt)), 5e6, 10);
}

TEST(CarefulResume, WindowLimitHoldsForTheJump) {
    Resumed flow;
    flow.controller->set_max_window(50'000);
    flow.jump();
    EXPECT_EQ(flow.window(), 50'000u);
}

TEST(CarefulResume, DoesNotJumpOnAPathOfAnotherLength) {
    for (const Duration saved : {milliseconds(201), milliseconds(9)}) {
        Resumed flow(saved);
        flow.jump();
        EXPECT_EQ(flow.phase(), Phase::kNormal) << saved.count();
        EXPECT_EQ(flow.window(), 2 * kFirstWindow);
    }
    for (const Duration saved : {milliseconds(199), milliseconds(11)}) {
        Resumed flow(saved);
        flow.jump();
        EXPECT_EQ(flow.phase(), Phase::kUnvalidated) << saved.count();
    }
}

TEST(CarefulResume, DoesNotJumpWithoutMoreToSend) {
    Resumed flow;
    flow.now += flow.rtt;
    flow.ack_with_flight(kFirstWindow, flow.rtt, kFirstWindow, true);
    EXPECT_EQ(flow.phase(), Phase::kReconnaissance);
    EXPECT_LE(flow.window(), 2 * kFirstWindow);
}

TEST(CarefulResume, DoesNotJumpAfterALoss) {
    Resumed flow;
    flow.now += flow.rtt;
    flow.lose(1, flow.rtt);
    flow.jump();
    EXPECT_EQ(flow.phase(), Phase::kNormal);
    EXPECT_LT(flow.window(), 2 * kFirstWindow);
}

TEST(CarefulResume, AfterTheJumpTheWindowIsWhatIsInFlight) {
    Resumed flow;
    flow.jump();
    flow.send_window();
    flow.now += flow.rtt;
    flow.ack_with_flight(kDatagram, flow.rtt, 400'000, false);
    EXPECT_EQ(flow.phase(), Phase::kValidating);
    EXPECT_EQ(flow.window(), 400'000 - kDatagram);
    // Still not validated: the last packet of the jump left later than this one.
    flow.ack_with_flight(kDatagram, flow.now - flow.last_sent + milliseconds(1), 300'000, false);
    EXPECT_EQ(flow.phase(), Phase::kValidating);
    flow.ack_with_flight(kDatagram, flow.now - flow.last_sent, 200'000, false);
    EXPECT_EQ(flow.phase(), Phase::kNormal);
}

TEST(CarefulResume, JumpThatWasNotUsedLeavesNoLargeWindow) {
    Resumed flow;
    flow.jump();
    flow.send_window();
    flow.now += flow.rtt;
    flow.ack_with_flight(kDatagram, flow.rtt, 5'000, false);
    EXPECT_EQ(flow.phase(), Phase::kNormal);
    EXPECT_EQ(flow.window(), kFirstWindow);
}

TEST(CarefulResume, LossInTheJumpRetreatsToHalfOfWhatArrived) {
    Resumed flow;
    flow.jump();
    flow.send_window();
    flow.now += flow.rtt;
    flow.ack_with_flight(60'000, flow.rtt, 400'000, false);
    ASSERT_EQ(flow.phase(), Phase::kValidating);
    flow.lose(10, flow.rtt);
    EXPECT_EQ(flow.phase(), Phase::kSafeRetreat);
    EXPECT_EQ(flow.window(), 30'000u);
    // What was lost may still arrive: that brings the large window back no more.
    flow.controller->on_spurious_loss(flow.now, 10, flow.now - flow.rtt);
    EXPECT_EQ(flow.window(), 30'000u);
    flow.now += milliseconds(60);
    flow.ack_with_flight(40'000, flow.now - flow.last_sent, 100'000, false);
    EXPECT_EQ(flow.phase(), Phase::kNormal);
    EXPECT_EQ(flow.controller->slow_start_threshold(), 70'000u);
}

//= test 9002-7.6.2-5
TEST(CarefulResume, PersistentCongestionInTheJumpLeavesTheLeastWindow) {
    Resumed flow;
    flow.jump();
    flow.send_window();
    flow.now += seconds(10);
    flow.lose(10, flow.rtt, true);
    EXPECT_EQ(flow.phase(), Phase::kNormal);
    EXPECT_EQ(flow.window(), 2 * kDatagram);
}

TEST(CarefulResume, MarksInTheJumpRetreatAsWell) {
    Resumed flow;
    flow.jump();
    flow.send_window();
    flow.controller->on_congestion_experienced(flow.now, flow.now);
    EXPECT_EQ(flow.phase(), Phase::kSafeRetreat);
    EXPECT_EQ(flow.window(), kFirstWindow);
}

TEST(CarefulResume, ARetryKeepsTheMemoryAndAnotherPathForgetsIt) {
    Resumed flow;
    flow.controller->reset();
    EXPECT_EQ(flow.phase(), Phase::kReconnaissance);
    flow.jump();
    flow.controller->reset();
    EXPECT_EQ(flow.phase(), Phase::kNormal);
    EXPECT_EQ(flow.window(), kFirstWindow);
}

TEST(CarefulResume, OnlyAWindowThatHasGrownIsRemembered) {
    EXPECT_FALSE(path_memory(4 * kFirstWindow - 1, milliseconds(5), {}));
    const auto memory = path_memory(4 * kFirstWindow, milliseconds(5), {});
    ASSERT_TRUE(memory);
    EXPECT_EQ(memory->congestion_window, 4 * kFirstWindow);
    EXPECT_EQ(memory->round_trip, milliseconds(5));
}

}  // namespace
}  // namespace stoq::congestion
