#include "streams/send_buffer.h"

#include <gtest/gtest.h>

#include "support/stream_link.h"

namespace stoq::streams {
namespace {

using test::pattern;

class SendBufferTest : public testing::Test {
protected:
    std::vector<std::uint8_t> read(std::uint64_t offset, std::size_t length) const {
        std::vector<std::uint8_t> bytes(length);
        buffer.copy(offset, bytes);
        return bytes;
    }

    BlockPool pool;
    SendBuffer buffer{pool};
};

TEST_F(SendBufferTest, CopiedBytesAreReadBackAcrossBlocks) {
    const std::size_t length = 3 * BlockPool::kBlockSize + 100;
    buffer.append(pattern(0, 10));
    buffer.append(pattern(10, length - 10));
    EXPECT_EQ(buffer.end_offset(), length);
    EXPECT_EQ(buffer.unsent(), length);
    EXPECT_EQ(pool.in_use(), 4u);
    EXPECT_EQ(read(0, length), pattern(0, length));
    EXPECT_EQ(read(4090, 20), pattern(4090, 20));
    EXPECT_EQ(read(5, 1), pattern(5, 1));
}

TEST_F(SendBufferTest, LargeSharedBytesAreSentFromWhereTheyLie) {
    const auto bytes = pattern(0, 5000);
    int released = 0;
    buffer.append(
        SharedBytes::borrow(bytes, [](void* count) { ++*static_cast<int*>(count); }, &released));
    EXPECT_EQ(pool.in_use(), 0u);
    EXPECT_EQ(buffer.view(100, 10'000).data(), bytes.data() + 100);
    EXPECT_EQ(buffer.view(100, 10'000).size(), 4900u);
    buffer.on_sent(0, 5000);
    EXPECT_EQ(buffer.on_acked(0, 4999), 4999u);
    EXPECT_EQ(released, 0);
    EXPECT_EQ(buffer.on_acked(4999, 1), 1u);
    EXPECT_EQ(released, 1);
}

TEST_F(SendBufferTest, SmallSharedBytesAreCopiedAndReleasedAtOnce) {
    const auto bytes = pattern(0, 100);
    int released = 0;
    buffer.append(
        SharedBytes::borrow(bytes, [](void* count) { ++*static_cast<int*>(count); }, &released));
    EXPECT_EQ(released, 1);
    EXPECT_EQ(read(0, 100), bytes);
}

TEST_F(SendBufferTest, CopiesAndReferencesMix) {
    buffer.append(pattern(0, 100));
    buffer.append(SharedBytes::take(pattern(100, 2000)));
    buffer.append(pattern(2100, 50));
    EXPECT_EQ(read(0, 2150), pattern(0, 2150));
    EXPECT_EQ(read(90, 20), pattern(90, 20));
    EXPECT_EQ(read(2095, 10), pattern(2095, 10));
}

TEST_F(SendBufferTest, ReleasesOnlyThePrefixThatIsAcknowledged) {
    buffer.append(pattern(0, 2 * BlockPool::kBlockSize));
    buffer.on_sent(0, 2 * BlockPool::kBlockSize);
    EXPECT_EQ(buffer.on_acked(4096, 4096), 0u);
    EXPECT_EQ(pool.in_use(), 2u);
    EXPECT_EQ(buffer.on_acked(0, 4000), 4000u);
    EXPECT_EQ(buffer.buffered(), 4192u);
    EXPECT_EQ(buffer.on_acked(4000, 96), 4192u);
    EXPECT_TRUE(buffer.all_acked());
    EXPECT_EQ(pool.in_use(), 0u);
}

TEST_F(SendBufferTest, AcknowledgedTwiceReleasesOnce) {
    buffer.append(pattern(0, 100));
    buffer.on_sent(0, 100);
    EXPECT_EQ(buffer.on_acked(0, 60), 60u);
    EXPECT_EQ(buffer.on_acked(0, 60), 0u);
    EXPECT_EQ(buffer.on_acked(30, 70), 40u);
}

TEST_F(SendBufferTest, OnlyWhatIsNotAcknowledgedIsLost) {
    buffer.append(pattern(0, 1000));
    buffer.on_sent(0, 1000);
    buffer.on_acked(0, 100);
    buffer.on_acked(300, 100);
    buffer.on_acked(600, 100);
    buffer.on_lost(50, 600);
    ASSERT_TRUE(buffer.has_lost());
    EXPECT_EQ(buffer.first_lost(), (Interval{100, 300}));
    // Sent in two pieces.
    buffer.on_sent(100, 150);
    EXPECT_EQ(buffer.first_lost(), (Interval{250, 300}));
    buffer.on_sent(250, 50);
    EXPECT_EQ(buffer.first_lost(), (Interval{400, 600}));
    EXPECT_EQ(buffer.next_offset(), 1000u);
}

TEST_F(SendBufferTest, LateAcknowledgementCancelsTheRetransmission) {
    buffer.append(pattern(0, 1000));
    buffer.on_sent(0, 1000);
    buffer.on_lost(0, 500);
    //= test 9000-13.3-6
    buffer.on_acked(100, 300);
    EXPECT_EQ(buffer.first_lost(), (Interval{0, 100}));
    buffer.on_acked(0, 100);
    EXPECT_EQ(buffer.first_lost(), (Interval{400, 500}));
    buffer.on_acked(400, 600);
    EXPECT_FALSE(buffer.has_lost());
}

TEST_F(SendBufferTest, RestartMakesEverythingUnsent) {
    buffer.append(pattern(0, 1000));
    buffer.on_sent(0, 800);
    buffer.on_lost(0, 100);
    buffer.restart();
    EXPECT_FALSE(buffer.has_lost());
    EXPECT_EQ(buffer.next_offset(), 0u);
    EXPECT_EQ(buffer.unsent(), 1000u);
    EXPECT_EQ(read(0, 1000), pattern(0, 1000));
}

TEST_F(SendBufferTest, ReusedBufferStartsAtZeroAndHoldsNoBlocks) {
    buffer.append(pattern(0, 10'000));
    buffer.on_sent(0, 10'000);
    buffer.on_lost(0, 10);
    buffer.reuse();
    EXPECT_EQ(pool.in_use(), 0u);
    EXPECT_EQ(buffer.end_offset(), 0u);
    EXPECT_FALSE(buffer.has_lost());
    buffer.append(pattern(0, 50));
    EXPECT_EQ(read(0, 50), pattern(0, 50));
}

TEST_F(SendBufferTest, RetransmissionFindsItsBytesAmongManyChunks) {
    for (std::uint64_t offset = 0; offset < 100'000; offset += 2000) {
        buffer.append(SharedBytes::take(pattern(offset, 2000)));
    }
    buffer.on_sent(0, 100'000);
    buffer.on_acked(0, 31'000);
    for (const std::uint64_t offset : {99'999ull, 31'000ull, 55'555ull, 60'000ull, 31'001ull}) {
        EXPECT_EQ(buffer.view(offset, 1)[0], test::pattern_at(offset)) << offset;
    }
}

}  // namespace
}  // namespace stoq::streams
