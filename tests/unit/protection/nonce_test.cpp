#include "protection/nonce.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "support/hex.h"
#include "support/rfc9001_vectors.h"

namespace stoq::protection {
namespace {

crypto::Nonce iv() {
    crypto::Nonce result{};
    std::ranges::copy(test::from_hex(test::rfc9001::kChaCha20Keys.iv), result.begin());
    return result;
}

TEST(NonceTest, IsThatOfRfc9001) {
    const PacketNumber number(test::rfc9001::kChaCha20PacketNumber);
    EXPECT_EQ(test::to_hex(make_nonce(iv(), number)), test::rfc9001::kChaCha20Nonce);
}

TEST(NonceTest, TheFirstPacketOfTheFirstPathHasTheVectorItself) {
    EXPECT_EQ(make_nonce(iv(), PacketNumber(0)), iv());
}

TEST(NonceTest, TheSameNumberOnTwoPathsHasTwoNonces) {
    std::set<crypto::Nonce> seen;
    for (const std::uint32_t path : {0u, 1u, 0x8000'0000u}) {
        for (const std::uint64_t number :
             {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 61}) {
            EXPECT_TRUE(seen.insert(make_nonce(iv(), PacketNumber(number), path)).second);
        }
    }
}

}  // namespace
}  // namespace stoq::protection
