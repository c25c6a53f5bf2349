#include "crypto/secret.h"

#include <algorithm>
#include <new>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

namespace stoq::crypto {
namespace {

constexpr std::array<std::uint8_t, 4> kBytes = {0xde, 0xad, 0xbe, 0xef};

bool contains(ByteView memory, ByteView bytes) {
    return std::search(memory.begin(), memory.end(), bytes.begin(), bytes.end()) != memory.end();
}

TEST(SecretTest, HoldsACopyOfItsBytes) {
    const Secret secret{ByteView(kBytes)};
    EXPECT_TRUE(equal_in_constant_time(secret.view(), kBytes));
    EXPECT_NE(secret.view().data(), kBytes.data());
}

TEST(SecretTest, IsNotCopiedByAccident) {
    static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
    const Secret original{ByteView(kBytes)};
    const Secret copy = original.clone();
    EXPECT_TRUE(equal_in_constant_time(original.view(), copy.view()));
}

TEST(SecretTest, MovedFromIsEmptyAndWiped) {
    Secret original{ByteView(kBytes)};
    const Secret moved = std::move(original);
    EXPECT_EQ(moved.size(), kBytes.size());
    EXPECT_TRUE(original.empty());
    EXPECT_FALSE(
        contains({reinterpret_cast<const std::uint8_t*>(&original), sizeof original}, kBytes));
}

TEST(SecretTest, AssignedOverForgetsWhatItHeld) {
    Secret secret{ByteView(kBytes)};
    secret = Secret::of_size(2);
    EXPECT_EQ(secret.size(), 2u);
    EXPECT_FALSE(contains({reinterpret_cast<const std::uint8_t*>(&secret), sizeof secret}, kBytes));
}

TEST(SecretTest, DestroyedLeavesNothingInMemory) {
    alignas(Secret) static std::array<std::uint8_t, sizeof(Secret)> memory{};
    Secret* secret = new (memory.data()) Secret(ByteView(kBytes));
    ASSERT_TRUE(contains(memory, kBytes));
    secret->~Secret();
    EXPECT_FALSE(contains(memory, kBytes));
}

TEST(SecretDeathTest, MoreThanItsCapacityIsRefused) {
    const std::vector<std::uint8_t> bytes(Secret::kCapacity + 1);
    EXPECT_DEATH(Secret{ByteView(bytes)}, "internal error");
    EXPECT_DEATH(Secret::of_size(bytes.size()), "internal error");
}

TEST(EqualInConstantTimeTest, ComparesLengthAndContent) {
    const std::array<std::uint8_t, 4> other = {0xde, 0xad, 0xbe, 0xee};
    EXPECT_TRUE(equal_in_constant_time(kBytes, kBytes));
    EXPECT_FALSE(equal_in_constant_time(kBytes, other));
    EXPECT_FALSE(equal_in_constant_time(kBytes, ByteView(kBytes).first(3)));
    EXPECT_TRUE(equal_in_constant_time({}, {}));
}

}  // namespace
}  // namespace stoq::crypto
