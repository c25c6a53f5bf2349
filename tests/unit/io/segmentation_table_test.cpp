#include "io/udp/segmentation_table.h"

#include <gtest/gtest.h>

namespace stoq::io {
namespace {

constexpr Instant kStart{std::chrono::hours(1)};

Address host(unsigned number) {
    Address address = parse_address("192.0.2.0:443");
    address.ip[3] = static_cast<std::uint8_t>(number);
    return address;
}

TEST(SegmentationTable, AllowsWhatWasNeverRefused) {
    SegmentationTable table;
    EXPECT_TRUE(table.empty());
    EXPECT_TRUE(table.allows(host(1), kStart));
}

TEST(SegmentationTable, RefusesOneHostAtAnyPortUntilItsTimeIsOver) {
    SegmentationTable table;
    table.forbid(host(1), kStart);
    Address other_port = host(1);
    other_port.port = 8443;
    EXPECT_FALSE(table.empty());
    EXPECT_FALSE(table.allows(host(1), kStart));
    EXPECT_FALSE(table.allows(other_port, kStart));
    EXPECT_TRUE(table.allows(host(2), kStart));
    const Instant end = kStart + SegmentationTable::kForbiddenFor;
    EXPECT_FALSE(table.allows(host(1), end - Duration(1)));
    EXPECT_TRUE(table.allows(host(1), end));
    EXPECT_TRUE(table.empty());
}

TEST(SegmentationTable, AnotherRefusalStartsTheTimeAgain) {
    SegmentationTable table;
    table.forbid(host(1), kStart);
    table.forbid(host(1), kStart + std::chrono::seconds(30));
    EXPECT_FALSE(table.allows(host(1), kStart + SegmentationTable::kForbiddenFor));
}

TEST(SegmentationTable, AFullTableForgetsTheOldestEntryOnly) {
    SegmentationTable table;
    for (unsigned i = 0; i <= SegmentationTable::kEntries; ++i) {
        table.forbid(host(i), kStart + Duration(i));
    }
    const Instant later = kStart + std::chrono::seconds(1);
    EXPECT_TRUE(table.allows(host(0), later));
    for (unsigned i = 1; i <= SegmentationTable::kEntries; ++i) {
        EXPECT_FALSE(table.allows(host(i), later)) << i;
    }
}

}  // namespace
}  // namespace stoq::io
