#include "base/deadline_wheel.h"

#include <map>

#include <gtest/gtest.h>

#include "stoq/random.h"

namespace stoq {
namespace {

using namespace std::chrono_literals;

Instant at(Duration since) {
    return Instant(since);
}

// The keys that are due, in the order in which they come.
std::vector<std::uint32_t> take_all(DeadlineWheel& wheel, Instant now) {
    std::vector<std::uint32_t> keys;
    while (const auto key = wheel.take_due(now)) keys.push_back(*key);
    return keys;
}

TEST(DeadlineWheel, HasNothingToSayWhenEmpty) {
    DeadlineWheel wheel;
    EXPECT_EQ(wheel.next(), kNever);
    EXPECT_EQ(wheel.take_due(at(1h)), std::nullopt);
    wheel.set(3, kNever);
    EXPECT_EQ(wheel.next(), kNever);
}

TEST(DeadlineWheel, TellsTheDeadlineOfOneExactlyHoweverFarItIs) {
    DeadlineWheel wheel;
    for (const Duration far : {Duration(1), Duration(63), Duration(64), Duration(12'345'678'901),
                               Duration::max() - Duration(1)}) {
        wheel.set(0, at(far));
        EXPECT_EQ(wheel.next(), at(far));
        EXPECT_EQ(wheel.take_due(at(far - Duration(1))), std::nullopt);
        EXPECT_EQ(wheel.next(), at(far));
    }
    EXPECT_EQ(wheel.take_due(at(Duration::max() - Duration(1))), 0u);
    EXPECT_EQ(wheel.next(), kNever);
}

TEST(DeadlineWheel, TakesTheEarliestFirstAndOfEqualOnesTheFirstThatWasSet) {
    DeadlineWheel wheel;
    wheel.set(5, at(3s));
    wheel.set(1, at(2s));
    EXPECT_EQ(take_all(wheel, at(1s)), (std::vector<std::uint32_t>{}));
    wheel.set(9, at(3s));
    wheel.set(7, at(2s + 1ns));
    wheel.set(2, at(3s));
    EXPECT_EQ(take_all(wheel, at(3s)), (std::vector<std::uint32_t>{1, 7, 5, 9, 2}));
}

TEST(DeadlineWheel, ADeadlineThatHasPassedIsDueAtOnce) {
    DeadlineWheel wheel;
    EXPECT_EQ(wheel.take_due(at(5s)), std::nullopt);
    wheel.set(4, at(1s));
    EXPECT_LE(wheel.next(), at(5s));
    EXPECT_EQ(wheel.take_due(at(5s)), 4u);
}

// What time has not reached comes down at most once a level: ten steps for a deadline, in which
// nothing is due, are what a caller that sleeps until next() may see.
TEST(DeadlineWheel, WakesAFewTimesForManyDeadlinesCloseTogether) {
    DeadlineWheel wheel;
    constexpr std::uint32_t kMany = 10'000;
    for (std::uint32_t key = 0; key < kMany; ++key) wheel.set(key, at(30s + Duration(key)));
    std::uint32_t taken = 0;
    std::uint32_t idle = 0;
    while (wheel.next() != kNever) {
        const auto due = take_all(wheel, wheel.next()).size();
        taken += static_cast<std::uint32_t>(due);
        idle += due == 0 ? 1 : 0;
    }
    EXPECT_EQ(taken, kMany);
    EXPECT_LE(idle, 10 + kMany / 64);
}

TEST(DeadlineWheel, AgreesWithAMapUnderRandomChanges) {
    constexpr std::uint64_t kSeed = 7;
    SCOPED_TRACE(testing::Message() << "seed " << kSeed);
    SeededRandom random(kSeed);
    DeadlineWheel wheel;
    std::map<std::uint32_t, Instant> model;
    Instant now{};
    for (int step = 0; step < 200'000; ++step) {
        const auto key = static_cast<std::uint32_t>(random.next() % 50);
        if (random.next() % 4 == 0) {
            wheel.set(key, kNever);
            model.erase(key);
        } else {
            // Near and far, down to the nanosecond and up to an hour.
            const auto magnitude = static_cast<int>(random.next() % 42);
            const auto ahead = random.next() % (std::uint64_t{1} << magnitude);
            const Instant deadline = now + Duration(static_cast<std::int64_t>(ahead));
            wheel.set(key, deadline);
            model[key] = deadline;
        }
        Instant earliest = kNever;
        for (const auto& [unused, when] : model) earliest = std::min(earliest, when);
        ASSERT_LE(wheel.next(), earliest) << step;
        ASSERT_EQ(wheel.next() == kNever, model.empty()) << step;
        if (random.next() % 3 == 0 && !model.empty()) {
            now = std::max(now, random.next() % 2 == 0 ? wheel.next() : earliest);
            while (const auto due = wheel.take_due(now)) {
                ASSERT_TRUE(model.contains(*due)) << step;
                for (const auto& [unused, when] : model) ASSERT_GE(when, model.at(*due)) << step;
                ASSERT_LE(model.at(*due), now) << step;
                model.erase(*due);
            }
            for (const auto& [unused, when] : model) ASSERT_GT(when, now) << step;
        }
    }
}

}  // namespace
}  // namespace stoq
