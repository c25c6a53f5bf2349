#include "wire/stateless_reset.h"

#include <vector>

#include <gtest/gtest.h>

#include "wire/packet_header.h"

namespace stoq::wire {
namespace {

const StatelessResetToken kToken{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

//= test 9000-10.3-8
TEST(StatelessReset, LooksLikeAShortHeaderAndEndsInTheToken) {
    SeededRandom random(1);
    for (std::size_t length = kMinStatelessResetLength; length < 60; ++length) {
        std::vector<std::uint8_t> bytes(length);
        ASSERT_TRUE(encode_stateless_reset(bytes, kToken, random));
        EXPECT_FALSE(has_long_header(bytes[0]));
        EXPECT_NE(bytes[0] & kFixedBit, 0);
        EXPECT_EQ(candidate_stateless_reset_token(bytes), kToken);
    }
}

//= test 9000-10.3-3
TEST(StatelessReset, DiffersEachTimeBeforeTheToken) {
    SeededRandom random(1);
    std::vector<std::uint8_t> first(40);
    std::vector<std::uint8_t> second(40);
    ASSERT_TRUE(encode_stateless_reset(first, kToken, random));
    ASSERT_TRUE(encode_stateless_reset(second, kToken, random));
    EXPECT_NE(first, second);
}

TEST(StatelessReset, OfLessThanTwentyOneBytesIsNeitherSentNorRecognized) {
    SeededRandom random(1);
    std::vector<std::uint8_t> bytes(kMinStatelessResetLength - 1);
    EXPECT_FALSE(encode_stateless_reset(bytes, kToken, random));
    EXPECT_FALSE(candidate_stateless_reset_token(bytes));
}

//= test 9000-10.3-9
TEST(StatelessReset, IsRecognizedBehindALongHeaderToo) {
    SeededRandom random(1);
    std::vector<std::uint8_t> bytes(50);
    ASSERT_TRUE(encode_stateless_reset(bytes, kToken, random));
    bytes[0] = static_cast<std::uint8_t>(bytes[0] | kHeaderFormBit);
    EXPECT_EQ(candidate_stateless_reset_token(bytes), kToken);
}

//= test 9000-10.3-5
//= test 9000-10.3-6
//= test 9000-10.3.3-1
TEST(StatelessReset, IsShorterThanWhatItAnswers) {
    EXPECT_FALSE(stateless_reset_length(0));
    EXPECT_FALSE(stateless_reset_length(21));
    for (std::size_t received = 22; received <= 43; ++received) {
        EXPECT_EQ(stateless_reset_length(received), received - 1);
    }
    for (std::size_t received : {44u, 100u, 1200u, 65'527u}) {
        const auto length = stateless_reset_length(received);
        ASSERT_TRUE(length);
        EXPECT_LT(*length, received);
        EXPECT_GE(*length, kMinStatelessResetLength);
    }
}

}  // namespace
}  // namespace stoq::wire
