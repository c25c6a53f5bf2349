#include "base/flat_map.h"

#include <map>
#include <memory>

#include <gtest/gtest.h>

#include "stoq/random.h"

namespace stoq {
namespace {

TEST(FlatMap, EmptyMapOwnsNothingAndFindsNothing) {
    FlatMap<int> map;
    EXPECT_TRUE(map.empty());
    EXPECT_EQ(map.capacity(), 0u);
    EXPECT_EQ(map.find(0), nullptr);
    EXPECT_FALSE(map.erase(0));
    EXPECT_EQ(map.find(FlatMap<int>::kNoKey), nullptr);
}

TEST(FlatMap, KeepsMoveOnlyValues) {
    FlatMap<std::unique_ptr<int>> map;
    for (std::uint64_t key = 0; key < 100; ++key) map.insert(key, std::make_unique<int>(key * 2));
    for (std::uint64_t key = 0; key < 100; ++key) {
        ASSERT_NE(map.find(key), nullptr);
        EXPECT_EQ(**map.find(key), static_cast<int>(key * 2));
    }
    map.clear();
    EXPECT_TRUE(map.empty());
    EXPECT_FALSE(map.contains(1));
}

TEST(FlatMap, SteadyTurnoverDoesNotGrow) {
    FlatMap<int> map;
    for (std::uint64_t key = 0; key < 10; ++key) map.insert(key * 4, 0);
    const std::size_t capacity = map.capacity();
    for (std::uint64_t key = 10; key < 10'000; ++key) {
        ASSERT_TRUE(map.erase((key - 10) * 4));
        map.insert(key * 4, 0);
    }
    EXPECT_EQ(map.capacity(), capacity);
    EXPECT_EQ(map.size(), 10u);
}

TEST(FlatMap, AgreesWithStdMapUnderRandomUse) {
    for (const std::uint64_t seed : {1u, 2u, 3u, 4u}) {
        SeededRandom random(seed);
        FlatMap<std::uint64_t> map(seed * 77);
        std::map<std::uint64_t, std::uint64_t> model;
        for (int step = 0; step < 20'000; ++step) {
            // Few keys, so that runs of neighbours form and are torn apart.
            const std::uint64_t key = random.next() % 200 << (seed * 8);
            if (model.contains(key)) {
                ASSERT_EQ(*map.find(key), model[key]) << "seed " << seed;
                ASSERT_TRUE(map.erase(key));
                model.erase(key);
            } else {
                ASSERT_FALSE(map.contains(key)) << "seed " << seed;
                const std::uint64_t value = random.next();
                EXPECT_EQ(map.insert(key, value), value);
                model[key] = value;
            }
            ASSERT_EQ(map.size(), model.size());
        }
        std::map<std::uint64_t, std::uint64_t> visited;
        map.for_each([&](std::uint64_t key, std::uint64_t& value) { visited[key] = value; });
        EXPECT_EQ(visited, model);
    }
}

}  // namespace
}  // namespace stoq
