#include "streams/reassembler.h"

#include <gtest/gtest.h>

#include "support/stream_link.h"

namespace stoq::streams {
namespace {

using test::pattern;

class ReassemblerTest : public testing::Test {
protected:
    void insert(std::uint64_t offset, ByteView data) {
        ASSERT_TRUE(reassembler.insert(offset, data).has_value());
    }

    std::vector<std::uint8_t> read_all() {
        std::vector<std::uint8_t> bytes;
        for (ByteView piece = reassembler.peek(); !piece.empty(); piece = reassembler.peek()) {
            bytes.insert(bytes.end(), piece.begin(), piece.end());
            reassembler.consume(piece.size());
        }
        return bytes;
    }

    BlockPool pool;
    Reassembler reassembler{pool};
    const std::vector<std::uint8_t> source = pattern(0, 40'000);

    ByteView slice(std::size_t offset, std::size_t length) const {
        return ByteView(source).subspan(offset, length);
    }
};

TEST_F(ReassemblerTest, InOrderBytesAreReadWhereTheyWereReceived) {
    insert(0, slice(0, 1000));
    insert(1000, slice(1000, 500));
    EXPECT_EQ(reassembler.peek().data(), source.data());
    EXPECT_EQ(reassembler.peek().size(), 1000u);
    EXPECT_EQ(reassembler.readable(), 1500u);
    reassembler.consume(1200);
    EXPECT_EQ(reassembler.peek().data(), source.data() + 1200);
    reassembler.consume(300);
    EXPECT_FALSE(reassembler.has_borrowed());
    EXPECT_EQ(pool.in_use(), 0u);
}

TEST_F(ReassemblerTest, SettleCopiesOnlyWhatIsUnread) {
    auto datagram = pattern(0, 1000);
    insert(0, datagram);
    reassembler.consume(400);
    reassembler.settle();
    EXPECT_FALSE(reassembler.has_borrowed());
    std::fill(datagram.begin(), datagram.end(), std::uint8_t{0});
    EXPECT_EQ(reassembler.readable(), 600u);
    EXPECT_EQ(read_all(), pattern(400, 600));
    EXPECT_EQ(pool.in_use(), 0u);
}

TEST_F(ReassemblerTest, OwnedBytesAreReadBeforeBorrowedOnes) {
    insert(0, slice(0, 100));
    reassembler.settle();
    insert(100, slice(100, 100));
    EXPECT_NE(reassembler.peek().data(), source.data());
    EXPECT_EQ(reassembler.peek().size(), 100u);
    reassembler.consume(100);
    EXPECT_EQ(reassembler.peek().data(), source.data() + 100);
}

TEST_F(ReassemblerTest, GapIsFilledInAnyOrder) {
    insert(2000, slice(2000, 1000));
    insert(500, slice(500, 500));
    EXPECT_EQ(reassembler.readable(), 0u);
    EXPECT_TRUE(reassembler.peek().empty());
    insert(0, slice(0, 500));
    EXPECT_EQ(reassembler.readable(), 1000u);
    insert(1000, slice(1000, 1000));
    //= test 9000-2.2-1
    EXPECT_EQ(reassembler.readable(), 3000u);
    EXPECT_EQ(read_all(), pattern(0, 3000));
    EXPECT_EQ(pool.in_use(), 0u);
}

TEST_F(ReassemblerTest, GapFilledWhileEarlierBytesAreStillBorrowed) {
    insert(0, slice(0, 100));
    insert(200, slice(200, 100));
    EXPECT_TRUE(reassembler.has_borrowed());
    insert(100, slice(100, 100));
    EXPECT_FALSE(reassembler.has_borrowed());
    EXPECT_EQ(read_all(), pattern(0, 300));
}

TEST_F(ReassemblerTest, BytesBorrowAgainAfterTheGapIsRead) {
    insert(100, slice(100, 100));
    insert(0, slice(0, 100));
    EXPECT_EQ(read_all(), pattern(0, 200));
    insert(200, slice(200, 100));
    EXPECT_EQ(reassembler.peek().data(), source.data() + 200);
}

TEST_F(ReassemblerTest, DuplicatesAndOverlapsAddNothingTwice) {
    insert(0, slice(0, 100));
    insert(0, slice(0, 100));
    insert(50, slice(50, 100));
    EXPECT_EQ(reassembler.readable(), 150u);
    insert(300, slice(300, 100));
    insert(250, slice(250, 200));
    insert(140, slice(140, 150));
    EXPECT_EQ(reassembler.readable(), 450u);
    EXPECT_EQ(read_all(), pattern(0, 450));
    insert(0, slice(0, 450));
    EXPECT_EQ(reassembler.readable(), 0u);
}

TEST_F(ReassemblerTest, EmptyDataChangesNothing) {
    insert(0, {});
    insert(50, {});
    EXPECT_EQ(reassembler.contiguous_end(), 0u);
    insert(0, slice(0, 60));
    EXPECT_EQ(reassembler.peek().data(), source.data());
}

TEST_F(ReassemblerTest, BlocksBeforeTheReadPositionAreGivenBack) {
    insert(10, slice(10, 15'000));
    EXPECT_EQ(pool.in_use(), 4u);
    insert(0, slice(0, 10));
    reassembler.consume(8192);
    EXPECT_EQ(pool.in_use(), 2u);
    EXPECT_EQ(reassembler.peek().size(), 4096u);
}

TEST_F(ReassemblerTest, FarAwayRangeTakesOneBlock) {
    insert(1'000'000, slice(0, 1));
    EXPECT_EQ(pool.in_use(), 1u);
}

TEST_F(ReassemblerTest, TooManyGapsAreRefused) {
    struct Pieces {
        std::uint64_t most;
        std::size_t size;
    };
    for (const Pieces each : {Pieces{Reassembler::kMaxThinRanges, 1},
                              Pieces{Reassembler::kMaxThinRanges, Reassembler::kThinRange - 1},
                              Pieces{Reassembler::kMaxRanges, Reassembler::kThinRange}}) {
        reassembler.reuse();
        const auto offset = [&](std::uint64_t i) { return i * (each.size + 1); };
        for (std::uint64_t i = 1; i <= each.most; ++i) insert(offset(i), slice(0, each.size));
        // Once more, and a gap in the middle that becomes smaller.
        insert(offset(5), slice(0, each.size));
        insert(offset(5) - 1, slice(0, 1));
        insert(offset(each.most + 1), slice(0, each.size));
        const auto refused = reassembler.insert(offset(each.most + 2), slice(0, each.size));
        ASSERT_FALSE(refused.has_value()) << each.size;
        EXPECT_EQ(refused.error().code, TransportErrorCode::kInternalError);
        EXPECT_EQ(refused.error().reason, Reason::kTooManyPendingFrames);
        // Filling the first gap is welcome at any time.
        insert(0, slice(0, each.size + 1));
        EXPECT_EQ(reassembler.readable(), offset(2) - 1);
    }
}

TEST_F(ReassemblerTest, DiscardingCountsWithoutKeeping) {
    insert(0, slice(0, 100));
    insert(200, slice(200, 100));
    reassembler.discard();
    EXPECT_EQ(pool.in_use(), 0u);
    EXPECT_EQ(reassembler.readable(), 0u);
    insert(400, slice(400, 100));
    insert(100, slice(100, 100));
    EXPECT_EQ(reassembler.contiguous_end(), 300u);
    insert(300, slice(300, 100));
    EXPECT_EQ(reassembler.contiguous_end(), 500u);
    EXPECT_EQ(reassembler.readable(), 0u);
    EXPECT_EQ(pool.in_use(), 0u);
}

TEST_F(ReassemblerTest, ReusedReassemblerStartsAtZero) {
    insert(0, slice(0, 100));
    insert(300, slice(300, 100));
    reassembler.reuse();
    EXPECT_EQ(pool.in_use(), 0u);
    insert(0, slice(0, 50));
    EXPECT_EQ(reassembler.peek().data(), source.data());
    EXPECT_EQ(reassembler.readable(), 50u);
}

}  // namespace
}  // namespace stoq::streams
