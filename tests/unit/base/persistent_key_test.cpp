#include <algorithm>
#include <memory>

#include <gtest/gtest.h>

#include "stoq/settings.h"

namespace stoq {
namespace {

TEST(PersistentKey, IsSetWhenAnyByteIs) {
    PersistentKey key;
    EXPECT_FALSE(key.is_set());
    key.back() = 1;
    EXPECT_TRUE(key.is_set());
    EXPECT_EQ(PersistentKey(key), key);
}

TEST(PersistentKey, LeavesNothingBehind) {
    alignas(PersistentKey) std::array<std::uint8_t, sizeof(PersistentKey)> memory{};
    auto* const key = std::construct_at(reinterpret_cast<PersistentKey*>(memory.data()));
    key->fill(0xa5);
    std::destroy_at(key);
    const volatile std::uint8_t* const bytes = memory.data();
    EXPECT_TRUE(std::all_of(bytes, bytes + memory.size(), [](std::uint8_t b) { return b == 0; }));
}

}  // namespace
}  // namespace stoq
