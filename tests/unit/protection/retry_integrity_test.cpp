#include "protection/retry_integrity.h"

#include <vector>

#include <gtest/gtest.h>

#include "support/hex.h"
#include "support/rfc9001_vectors.h"

namespace stoq::protection {
namespace {

class RetryIntegrityTest : public testing::Test {
protected:
    const std::vector<std::uint8_t> original_id_ = test::from_hex(test::rfc9001::kConnectionId);
    const std::vector<std::uint8_t> packet_ = test::from_hex(test::rfc9001::kRetryPacket);
};

TEST_F(RetryIntegrityTest, TagIsThatOfRfc9001) {
    const auto tag = retry_integrity_tag(
        original_id_, ByteView(packet_).first(packet_.size() - crypto::kTagSize));
    EXPECT_EQ(test::to_hex(tag), "04a265ba2eff4d829058fb3f0f2496ba");
    EXPECT_TRUE(retry_integrity_is_valid(original_id_, packet_));
}

TEST_F(RetryIntegrityTest, AnyFlippedBitIsRefused) {
    for (std::size_t bit = 0; bit < packet_.size() * 8; ++bit) {
        auto damaged = packet_;
        damaged[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
        EXPECT_FALSE(retry_integrity_is_valid(original_id_, damaged)) << bit;
    }
}

TEST_F(RetryIntegrityTest, AnotherOriginalConnectionIdIsRefused) {
    auto other = original_id_;
    other.back() ^= 1;
    EXPECT_FALSE(retry_integrity_is_valid(other, packet_));
    EXPECT_FALSE(retry_integrity_is_valid({}, packet_));
    EXPECT_FALSE(retry_integrity_is_valid(ByteView(original_id_).first(7), packet_));
}

TEST_F(RetryIntegrityTest, APacketTooShortForATagIsRefused) {
    for (std::size_t size = 0; size < packet_.size(); ++size) {
        EXPECT_FALSE(retry_integrity_is_valid(original_id_, ByteView(packet_).first(size))) << size;
    }
}

TEST_F(RetryIntegrityTest, AHugeTokenIsNoProblem) {
    std::vector<std::uint8_t> retry(60'000, 0xab);
    const auto tag = retry_integrity_tag(original_id_, retry);
    retry.insert(retry.end(), tag.begin(), tag.end());
    EXPECT_TRUE(retry_integrity_is_valid(original_id_, retry));
}

}  // namespace
}  // namespace stoq::protection
