#include "congestion/pacer.h"

#include <limits>

#include "congestion_harness.h"

namespace stoq::congestion {
namespace {

constexpr std::uint64_t kGigabit = 125'000'000;  // bytes per second

TEST(Pacer, WithoutARateEverythingPasses) {
    Pacer pacer(kDatagram);
    EXPECT_EQ(pacer.budget(kStart), std::numeric_limits<std::uint64_t>::max());
    pacer.on_sent(kStart, 100'000'000);
    EXPECT_TRUE(pacer.can_send(kStart, 1'000'000));
    EXPECT_EQ(pacer.next_send(kStart, 1200), kStart);
}

struct QuantumCase {
    std::uint64_t rate;
    std::uint64_t datagrams;
};

//= test 9002-7.7-3
//= test 9002-7.7-4
TEST(Pacer, QuantumIsHalfAMillisecondWithinTwoAndFortyFourDatagrams) {
    for (const auto& [rate, datagrams] : {QuantumCase{1000, 2},
                                          {4'800'000, 2},
                                          {24'000'000, 10},
                                          {48'000'000, 20},
                                          {105'600'000, 44},
                                          {20 * kGigabit, 44}}) {
        Pacer pacer(kDatagram);
        pacer.set_rate(kStart, rate);
        EXPECT_EQ(pacer.quantum(), datagrams * kDatagram) << rate;
    }
}

//= test 9002-7.7-2
TEST(Pacer, BurstAfterIdlenessIsOneQuantum) {
    Pacer pacer(kDatagram);
    pacer.set_rate(kStart, kGigabit);
    EXPECT_LE(pacer.budget(kStart), pacer.quantum());
    EXPECT_EQ(pacer.budget(kStart + seconds(10)), pacer.quantum());
}

// On a slow path, what was not used while sending is not saved up for a burst: not in a pause
// either, which is what a receiver makes that acknowledges rarely.
TEST(Pacer, BurstsOfTenAreForWhoHasNothingInFlight) {
    Pacer pacer(kDatagram);
    pacer.set_rate(kStart, 1'200'000);  // a datagram a millisecond
    EXPECT_EQ(pacer.budget(kStart), 10 * kDatagram);
    pacer.on_sent(kStart, 9 * kDatagram);
    Instant now = kStart;
    for (int i = 0; i < 100; ++i) {
        now += milliseconds(1);
        EXPECT_LE(pacer.budget(now), 2 * kDatagram) << i;
        pacer.on_sent(now, kDatagram / 2);
    }
    EXPECT_EQ(pacer.budget(now + milliseconds(25)), 2 * kDatagram);
    pacer.on_idle();
    EXPECT_EQ(pacer.budget(now + milliseconds(26)), 10 * kDatagram);
    pacer.on_sent(now + milliseconds(26), 3 * kDatagram);
    EXPECT_EQ(pacer.budget(now + milliseconds(56)), 7 * kDatagram) << "what is left stays";
}

TEST(Pacer, NextSendIsWhenTheWantedBytesHaveAccrued) {
    Pacer pacer(kDatagram);
    pacer.set_rate(kStart, 1'200'000);  // a datagram a millisecond
    pacer.on_sent(kStart, pacer.budget(kStart));
    EXPECT_FALSE(pacer.can_send(kStart, kDatagram));
    const Instant next = pacer.next_send(kStart, kDatagram);
    EXPECT_GE(next, kStart + milliseconds(1));
    EXPECT_LE(next, kStart + milliseconds(1) + Duration(10));
    EXPECT_FALSE(pacer.can_send(next - microseconds(1), kDatagram));
    EXPECT_TRUE(pacer.can_send(next, kDatagram));
    // More than a quantum is never waited for.
    const Instant quantum = pacer.next_send(next, 1'000'000);
    EXPECT_LE(quantum, kStart + milliseconds(2) + Duration(20));
}

TEST(Pacer, AskingOftenLosesNothing) {
    Pacer pacer(kDatagram);
    pacer.set_rate(kStart, 12'000);  // far less than a byte between two calls
    pacer.on_sent(kStart, pacer.budget(kStart));
    for (int i = 1; i <= 1'000'000; ++i) pacer.budget(kStart + microseconds(i / 10));
    EXPECT_NEAR(static_cast<double>(pacer.budget(kStart + milliseconds(100))), 1200, 1);
}

// A sender that wakes exactly when told keeps the rate.
TEST(Pacer, KeepsTheRate) {
    for (const std::uint64_t rate : {std::uint64_t{100'000}, kGigabit, 20 * kGigabit}) {
        Pacer pacer(kDatagram);
        pacer.set_rate(kStart, rate);
        Instant now = kStart;
        std::uint64_t sent = 0;
        while (now < kStart + seconds(1)) {
            const std::uint64_t bytes = pacer.budget(now) / kDatagram * kDatagram;
            pacer.on_sent(now, bytes);
            sent += bytes;
            now = pacer.next_send(now, pacer.quantum());
        }
        EXPECT_NEAR(static_cast<double>(sent), static_cast<double>(rate),
                    0.01 * static_cast<double>(rate) + 2.0 * 44 * kDatagram)
            << rate;
    }
}

// Timers of a millisecond must not slow down 20 Gbit/s.
TEST(Pacer, LateTimerCostsNoThroughput) {
    Pacer pacer(kDatagram);
    pacer.set_rate(kStart, 20 * kGigabit);
    Instant now = kStart;
    std::uint64_t sent = 0;
    while (now < kStart + seconds(1)) {
        const std::uint64_t bytes = pacer.budget(now) / kDatagram * kDatagram;
        pacer.on_sent(now, bytes);
        sent += bytes;
        now = pacer.next_send(now, pacer.quantum()) + microseconds(900);
    }
    EXPECT_GT(static_cast<double>(sent), 0.97 * 20 * kGigabit);
}

TEST(Pacer, LatenessBeyondTheSlackIsNotMadeUpFor) {
    Pacer pacer(kDatagram);
    pacer.set_rate(kStart, kGigabit);
    pacer.on_sent(kStart, pacer.budget(kStart));
    const Instant next = pacer.next_send(kStart, pacer.quantum());
    EXPECT_LE(pacer.budget(next + seconds(1)), pacer.quantum() + kGigabit / 1000);
}

TEST(Pacer, ProbesCauseADebtOfAtMostAQuantum) {
    Pacer pacer(kDatagram);
    pacer.set_rate(kStart, 1'200'000);
    pacer.on_sent(kStart, pacer.budget(kStart));
    pacer.on_sent(kStart, 100 * pacer.quantum());
    EXPECT_EQ(pacer.budget(kStart), 0u);
    EXPECT_LE(pacer.next_send(kStart, kDatagram), kStart + milliseconds(3) + microseconds(1));
    EXPECT_GE(pacer.next_send(kStart, kDatagram), kStart + milliseconds(3));
}

TEST(Pacer, ChangeOfRateCountsFromThen) {
    Pacer pacer(kDatagram);
    pacer.set_rate(kStart, 1'200'000);
    pacer.on_sent(kStart, pacer.budget(kStart));
    pacer.set_rate(kStart + milliseconds(1), 6'000'000);
    EXPECT_NEAR(static_cast<double>(pacer.budget(kStart + microseconds(1200))), 1200 + 1200, 2);
}

TEST(Pacer, TinyRateStaysInRange) {
    Pacer pacer(kDatagram);
    pacer.set_rate(kStart, 1);
    pacer.on_sent(kStart, pacer.budget(kStart));
    EXPECT_LE(pacer.next_send(kStart, kDatagram), kStart + std::chrono::hours(1));
}

}  // namespace
}  // namespace stoq::congestion
