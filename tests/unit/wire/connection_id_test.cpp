#include "wire/connection_id.h"

#include <vector>

#include <gtest/gtest.h>

namespace stoq::wire {
namespace {

TEST(ConnectionId, KeepsEveryLengthUpToTwenty) {
    std::vector<std::uint8_t> bytes(kMaxConnectionIdLength, 0x5a);
    for (std::size_t length = 0; length <= kMaxConnectionIdLength; ++length) {
        const auto id = ConnectionId::from(ByteView(bytes).first(length));
        ASSERT_TRUE(id);
        EXPECT_EQ(id->length(), length);
        EXPECT_EQ(id->empty(), length == 0);
        EXPECT_TRUE(std::equal(id->view().begin(), id->view().end(), bytes.begin()));
    }
}

TEST(ConnectionId, RefusesTwentyOneBytes) {
    const std::vector<std::uint8_t> bytes(kMaxConnectionIdLength + 1);
    EXPECT_FALSE(ConnectionId::from(bytes));
}

TEST(ConnectionId, DiffersByLengthEvenWhenTheBytesAreZero) {
    const std::vector<std::uint8_t> zeros(8);
    const auto id = ConnectionId::from(zeros);
    EXPECT_EQ(*id, *ConnectionId::from(zeros));
    EXPECT_FALSE(*id == *ConnectionId::from(ByteView(zeros).first(7)));
    EXPECT_FALSE(*id == ConnectionId());
}

//= test 9000-10.3.1-4
TEST(StatelessResetToken, EveryBitCounts) {
    const StatelessResetToken token{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    EXPECT_EQ(token, *StatelessResetToken::from(token.bytes));
    for (std::size_t bit = 0; bit < 8 * kStatelessResetTokenLength; ++bit) {
        StatelessResetToken other = token;
        other.bytes[bit / 8] = static_cast<std::uint8_t>(other.bytes[bit / 8] ^ (1u << (bit % 8)));
        EXPECT_FALSE(token == other) << "bit " << bit;
    }
}

TEST(StatelessResetToken, HasSixteenBytes) {
    const std::vector<std::uint8_t> bytes(17);
    EXPECT_TRUE(StatelessResetToken::from(ByteView(bytes).first(16)));
    EXPECT_FALSE(StatelessResetToken::from(ByteView(bytes).first(15)));
    EXPECT_FALSE(StatelessResetToken::from(bytes));
}

}  // namespace
}  // namespace stoq::wire
