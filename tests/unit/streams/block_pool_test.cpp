#include "streams/block_pool.h"

#include <gtest/gtest.h>

namespace stoq::streams {
namespace {

TEST(BlockPool, BlockThatWasGivenBackIsTakenAgain) {
    BlockPool pool;
    BlockPool::Block block = pool.take();
    const std::uint8_t* const address = block.get();
    EXPECT_EQ(pool.in_use(), 1u);
    block.reset();
    EXPECT_EQ(pool.in_use(), 0u);
    EXPECT_EQ(pool.free_count(), 1u);
    EXPECT_EQ(pool.take().get(), address);
}

TEST(BlockPool, KeepsNoMoreFreeBlocksThanItsLimit) {
    BlockPool pool(2);
    {
        const BlockPool::Block blocks[] = {pool.take(), pool.take(), pool.take()};
        EXPECT_EQ(pool.in_use(), 3u);
    }
    EXPECT_EQ(pool.in_use(), 0u);
    EXPECT_EQ(pool.free_count(), 2u);
}

}  // namespace
}  // namespace stoq::streams
