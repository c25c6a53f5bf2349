#include "base/interval_set.h"

#include <set>

#include <gtest/gtest.h>

#include "stoq/random.h"

namespace stoq {
namespace {

std::vector<Interval> listed(const IntervalSet& set) {
    return {set.intervals().begin(), set.intervals().end()};
}

TEST(IntervalSet, MergesTouchingAndOverlappingRanges) {
    IntervalSet set;
    EXPECT_EQ(set.insert(10, 20), 10u);
    EXPECT_EQ(set.insert(30, 40), 10u);
    EXPECT_EQ(set.insert(20, 25), 5u);
    EXPECT_EQ(listed(set), (std::vector<Interval>{{10, 25}, {30, 40}}));
    EXPECT_EQ(set.insert(24, 31), 5u);
    EXPECT_EQ(listed(set), (std::vector<Interval>{{10, 40}}));
    EXPECT_EQ(set.insert(12, 12), 0u);
}

TEST(IntervalSet, EraseSplitsTheRangeItCutsOutOf) {
    IntervalSet set;
    set.insert(0, 100);
    EXPECT_EQ(set.erase(40, 60), 20u);
    EXPECT_EQ(listed(set), (std::vector<Interval>{{0, 40}, {60, 100}}));
    EXPECT_EQ(set.erase(30, 70), 20u);
    EXPECT_EQ(listed(set), (std::vector<Interval>{{0, 30}, {70, 100}}));
}

TEST(IntervalSet, FirstGapStartsBehindTheRangeThatCoversIt) {
    IntervalSet set;
    set.insert(5, 10);
    set.insert(20, 30);
    EXPECT_EQ(set.first_gap(0), (Interval{0, 5}));
    EXPECT_EQ(set.first_gap(7), (Interval{10, 20}));
    EXPECT_EQ(set.first_gap(25), (Interval{30, UINT64_MAX}));
}

TEST(IntervalSet, TrimFrontKeepsTheHighestRanges) {
    IntervalSet set;
    for (std::uint64_t i = 0; i < 10; ++i) set.insert(i * 10, i * 10 + 1);
    EXPECT_EQ(set.trim_front(3), 7u);
    EXPECT_EQ(listed(set), (std::vector<Interval>{{70, 71}, {80, 81}, {90, 91}}));
}

TEST(IntervalSet, AgreesWithASetOfNumbersUnderRandomOperations) {
    constexpr std::uint64_t kSeed = 20261122;
    SCOPED_TRACE(testing::Message() << "seed " << kSeed);
    SeededRandom random(kSeed);
    IntervalSet set;
    std::set<std::uint64_t> model;
    for (int step = 0; step < 20'000; ++step) {
        const std::uint64_t begin = random.next() % 200;
        const std::uint64_t end = begin + random.next() % 20;
        const bool insert = random.next() % 2 == 0;
        std::uint64_t changed = 0;
        for (std::uint64_t value = begin; value < end; ++value) {
            changed += insert ? model.insert(value).second : model.erase(value);
        }
        ASSERT_EQ(insert ? set.insert(begin, end) : set.erase(begin, end), changed) << step;
        ASSERT_EQ(set.total(), model.size()) << step;
        const std::uint64_t probe = random.next() % 220;
        ASSERT_EQ(set.contains(probe), model.contains(probe)) << step << " value " << probe;
    }
    for (std::size_t i = 1; i < set.count(); ++i) {
        EXPECT_LT(set.intervals()[i - 1].end, set.intervals()[i].begin);
    }
}

}  // namespace
}  // namespace stoq
