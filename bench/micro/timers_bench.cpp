// What a connection's timer costs among many: each is moved ahead a hundred times a second, as
// trains and acknowledgements do, and about every fifth is reached before. Processor time on one
// core.
//
// Last line: RESULT timer_ns_10=... timer_ns_1000=... timer_ns_100000=..., nanoseconds for setting
// one of so many timers, with what it takes to find those that are due.
#include <array>
#include <cstdio>
#include <ctime>

#include "base/deadline_wheel.h"
#include "stoq/random.h"

namespace {

using namespace stoq;

constexpr int kChanges = 20'000'000;
constexpr std::uint64_t kLeastAhead = 1'000'000;  // nanoseconds
constexpr std::uint64_t kMostFurther = 30'000'000;
constexpr Duration kRound = std::chrono::milliseconds(10);  // in which each is moved once

double processor_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double nanoseconds_a_change(std::uint32_t timers) {
    SeededRandom random(1);
    DeadlineWheel wheel;
    // Random numbers are made beforehand, so that they are not what is measured.
    std::array<Duration, 4096> ahead{};
    for (Duration& it : ahead) {
        it = Duration(static_cast<std::int64_t>(kLeastAhead + random.next() % kMostFurther));
    }
    Instant now{};
    const auto set = [&](std::uint32_t key, int change) {
        wheel.set(key, now + ahead[static_cast<std::size_t>(change) % ahead.size()]);
    };
    for (std::uint32_t key = 0; key < timers; ++key) set(key, static_cast<int>(key));
    const Duration between = kRound / timers;
    const double before = processor_seconds();
    std::uint32_t key = 0;
    int sets = 0;
    for (int change = 0; change < kChanges; ++change) {
        now += between;
        // Neighbours in time are not neighbours in memory.
        key = (key + 7919) % timers;
        set(key, change);
        ++sets;
        if (wheel.next() > now) continue;
        while (const auto due = wheel.take_due(now)) {
            set(*due, change);
            ++sets;
        }
    }
    return (processor_seconds() - before) * 1e9 / sets;
}

}  // namespace

int main() {
    const double ten = nanoseconds_a_change(10);
    const double thousand = nanoseconds_a_change(1000);
    const double many = nanoseconds_a_change(100'000);
    std::printf("RESULT timer_ns_10=%.1f timer_ns_1000=%.1f timer_ns_100000=%.1f\n", ten, thousand,
                many);
}
