#include "wire/ack_ranges.h"

#include <gtest/gtest.h>

#include "support/frame_text.h"

namespace stoq::wire {
namespace {

using test::contents;
using test::from_hex;
using test::Ranges;

// First ACK Range, then pairs of Gap and ACK Range Length.
Result<AckRanges, Reason> decode(const std::vector<std::uint8_t>& bytes, std::uint64_t largest,
                                 std::uint64_t more) {
    ByteReader reader(bytes);
    return AckRanges::decode(reader, largest, more);
}

TEST(AckRanges, AreReadDownwards) {
    const auto bytes = from_hex("02 00 03 05 00");
    const auto ranges = decode(bytes, 20, 2);
    ASSERT_TRUE(ranges);
    EXPECT_EQ(ranges->count(), 3u);
    EXPECT_EQ(contents(*ranges), (Ranges{{18, 20}, {13, 16}, {6, 6}}));
}

TEST(AckRanges, OfOnePacketNumberNeedNoBytes) {
    const AckRanges ranges(PacketNumber(3), PacketNumber(7));
    EXPECT_EQ(ranges.count(), 1u);
    EXPECT_EQ(contents(ranges), (Ranges{{3, 7}}));
}

TEST(AckRanges, ReachDownToPacketZero) {
    EXPECT_EQ(contents(*decode(from_hex("05"), 5, 0)), (Ranges{{0, 5}}));
    const auto bytes = from_hex("00 00 02");
    EXPECT_EQ(contents(*decode(bytes, 4, 1)), (Ranges{{4, 4}, {0, 2}}));
}

//= test 9000-19.3.1-1
TEST(AckRanges, BelowPacketZeroAreAnError) {
    EXPECT_EQ(decode(from_hex("06"), 5, 0).error(), Reason::kBadAckRange);
    EXPECT_EQ(decode(from_hex("00 03 00"), 4, 1).error(), Reason::kBadAckRange);
    EXPECT_EQ(decode(from_hex("00 00 03"), 4, 1).error(), Reason::kBadAckRange);
    // Sums that would wrap if they were not held in 64 bits.
    EXPECT_EQ(decode(from_hex("00 ffffffffffffffff ffffffffffffffff"), kMaxVarint, 1).error(),
              Reason::kBadAckRange);
}

TEST(AckRanges, CutOffAreAnErrorWithoutLoopingOverTheirCount) {
    EXPECT_EQ(decode({}, 5, 0).error(), Reason::kTruncated);
    EXPECT_EQ(decode(from_hex("00 00"), 5, 1).error(), Reason::kTruncated);
    EXPECT_EQ(decode(from_hex("00 00 00"), 5, kMaxVarint).error(), Reason::kTruncated);
    EXPECT_EQ(decode(from_hex("00 00 40"), 5, 1).error(), Reason::kTruncated);
}

TEST(AckRanges, IteratorsCompareByPosition) {
    const auto bytes = from_hex("00 00 00");
    const auto ranges = decode(bytes, 9, 1);
    auto at = ranges->begin();
    const auto before = at++;
    EXPECT_EQ(before, ranges->begin());
    EXPECT_FALSE(at == ranges->begin());
    EXPECT_EQ(at->largest, PacketNumber(7));
    EXPECT_EQ(++at, ranges->end());
}

}  // namespace
}  // namespace stoq::wire
