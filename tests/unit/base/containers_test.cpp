#include <map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/ring.h"
#include "base/seeded_hash.h"
#include "base/slab.h"

namespace stoq {
namespace {

TEST(Ring, KeepsPositionsWhenItGrows) {
    Ring<int> ring(4);
    ring.restart_at(1000);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(ring.push_back(i), 1000u + static_cast<unsigned>(i));
    for (int i = 0; i < 60; ++i) ring.pop_front();
    EXPECT_EQ(ring.size(), 40u);
    EXPECT_EQ(ring[1075], 75);
    EXPECT_FALSE(ring.contains(1059));
    EXPECT_TRUE(ring.contains(1060));
    EXPECT_EQ(ring.front(), 60);
    EXPECT_EQ(ring.back(), 99);
}

TEST(Ring, ElementAppendedInPlaceIsADefaultOneAlsoWhereAnotherLay) {
    Ring<int> ring(4);
    for (int i = 1; i <= 20; ++i) {
        int& element = ring.emplace_back();
        EXPECT_EQ(element, 0);
        element = i;
        if (ring.size() == 4) ring.pop_front();
    }
    EXPECT_EQ(ring.capacity(), 4u);
    EXPECT_EQ(ring.back(), 20);
    for (int i = 21; i <= 30; ++i) ring.emplace_back() = i;
    EXPECT_EQ(ring.front(), 18);
    EXPECT_EQ(ring.back(), 30);
}

TEST(Slab, StaleHandleFindsNothingAfterReuse) {
    Slab<int> slab;
    const SlabHandle first = slab.emplace(1);
    slab.erase(first);
    const SlabHandle second = slab.emplace(2);
    EXPECT_EQ(second.index, first.index);
    EXPECT_EQ(slab.find(first), nullptr);
    ASSERT_NE(slab.find(second), nullptr);
    EXPECT_EQ(*slab.find(second), 2);
    EXPECT_EQ(slab.find(SlabHandle{}), nullptr);
    EXPECT_EQ(slab.find(SlabHandle{77, 1}), nullptr);
    EXPECT_EQ(slab.handle_at(second.index), second);
    EXPECT_EQ(slab.handle_at(77), std::nullopt);
    slab.erase(second);
    EXPECT_EQ(slab.handle_at(second.index), std::nullopt);
}

TEST(Slab, ForEachMayEraseWhatItVisits) {
    Slab<int> slab;
    for (int i = 0; i < 100; ++i) slab.emplace(i);
    slab.for_each([&](SlabHandle handle, int& value) {
        if (value % 2 == 0) slab.erase(handle);
    });
    EXPECT_EQ(slab.size(), 50u);
    slab.for_each([](SlabHandle, int& value) { EXPECT_EQ(value % 2, 1); });
}

TEST(Slab, ObjectsStayWhereTheyAreWhileItGrows) {
    Slab<int> slab;
    std::vector<std::pair<SlabHandle, int*>> known;
    for (int i = 0; i < 100; ++i) {
        const SlabHandle handle = slab.emplace(i);
        known.emplace_back(handle, slab.find(handle));
    }
    for (int i = 0; i < 100; ++i) {
        const auto [handle, place] = known[static_cast<std::size_t>(i)];
        EXPECT_EQ(slab.find(handle), place);
        EXPECT_EQ(*place, i);
        EXPECT_EQ(slab.handle_at(handle.index), handle);
    }
}

TEST(SeededHash, DependsOnSeedLengthAndEveryByte) {
    SeededRandom random(1);
    const SeededHash one(random);
    const SeededHash other(random);
    std::array<std::uint8_t, 20> bytes{};
    const std::uint64_t base = one(bytes);
    EXPECT_NE(base, other(bytes));
    EXPECT_NE(base, one(ByteView(bytes).first(19)));
    for (std::uint8_t& byte : bytes) {
        byte = 1;
        EXPECT_NE(one(bytes), base);
        byte = 0;
    }
}

}  // namespace
}  // namespace stoq
