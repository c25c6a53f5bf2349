#include "stoq/shared_bytes.h"

#include <gtest/gtest.h>

namespace stoq {
namespace {

void count(void* counter) {
    ++*static_cast<int*>(counter);
}

TEST(SharedBytes, ReleasedOnceWithTheLastReference) {
    const std::array<std::uint8_t, 4> bytes{1, 2, 3, 4};
    int released = 0;
    {
        const SharedBytes first = SharedBytes::borrow(bytes, &count, &released);
        SharedBytes second = first;
        const SharedBytes moved = std::move(second);
        EXPECT_EQ(moved.view().data(), bytes.data());
        second = moved;
        second = SharedBytes();
        EXPECT_EQ(released, 0);
    }
    EXPECT_EQ(released, 1);
}

TEST(SharedBytes, SliceKeepsTheOwner) {
    const std::array<std::uint8_t, 4> bytes{1, 2, 3, 4};
    int released = 0;
    SharedBytes slice;
    {
        const SharedBytes whole = SharedBytes::borrow(bytes, &count, &released);
        slice = whole.slice(1, 2);
        EXPECT_EQ(whole.slice(4).size(), 0u);
        EXPECT_EQ(whole.slice(2).size(), 2u);
    }
    EXPECT_EQ(released, 0);
    EXPECT_EQ(slice.view().data(), bytes.data() + 1);
    EXPECT_EQ(slice.size(), 2u);
    slice = {};
    EXPECT_EQ(released, 1);
}

TEST(SharedBytes, TakesAndCopiesVectors) {
    std::vector<std::uint8_t> source{7, 8, 9};
    const std::uint8_t* const address = source.data();
    const SharedBytes copied = SharedBytes::copy_of(source);
    const SharedBytes taken = SharedBytes::take(std::move(source));
    EXPECT_EQ(taken.view().data(), address);
    EXPECT_NE(copied.view().data(), address);
    EXPECT_TRUE(std::ranges::equal(copied.view(), taken.view()));
}

TEST(SharedBytes, ImmortalBytesHaveNoOwner) {
    static constexpr std::array<std::uint8_t, 2> kBytes{1, 2};
    const SharedBytes bytes = SharedBytes::immortal(kBytes);
    const SharedBytes copy = bytes;
    EXPECT_EQ(copy.view().data(), kBytes.data());
    EXPECT_TRUE(SharedBytes().empty());
}

}  // namespace
}  // namespace stoq
