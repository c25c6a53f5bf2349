#include "io/system_random.h"

#include <algorithm>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "io/clock.h"

namespace stoq::io {
namespace {

TEST(SystemRandom, ValuesAcrossManyPoolsDoNotRepeat) {
    SystemRandom random;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 2000; ++i) seen.insert(random.next_uint64());
    EXPECT_EQ(seen.size(), 2000u);
}

class SystemRandomLength : public testing::TestWithParam<std::size_t> {};

TEST_P(SystemRandomLength, FillsEveryByteAndNoneBeyond) {
    const std::size_t length = GetParam();
    SystemRandom random;
    // Each byte stays zero in all of 16 independent fills with probability 2^-128.
    std::vector<std::uint8_t> seen(length, 0);
    for (int round = 0; round < 16; ++round) {
        std::vector<std::uint8_t> filled(length + 1, 0);
        random.fill(Bytes(filled).first(length));
        for (std::size_t i = 0; i < length; ++i) seen[i] |= filled[i];
        EXPECT_EQ(filled.back(), 0);
    }
    EXPECT_TRUE(std::ranges::all_of(seen, [](std::uint8_t byte) { return byte != 0; }));
}

INSTANTIATE_TEST_SUITE_P(Lengths, SystemRandomLength,
                         testing::Values(0, 1, 7, 4095, 4096, 4097, 10'000));

TEST(SystemRandom, TwoInstancesDiffer) {
    SystemRandom left;
    SystemRandom right;
    EXPECT_NE(left.next_uint64(), right.next_uint64());
}

TEST(Clock, NeverGoesBackAndDoesMove) {
    const Instant begin = now();
    Instant last = begin;
    while (last == begin) {
        const Instant next = now();
        ASSERT_GE(next, last);
        last = next;
    }
    EXPECT_GT(last, begin);
}

}  // namespace
}  // namespace stoq::io
