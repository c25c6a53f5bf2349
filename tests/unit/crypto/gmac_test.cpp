#include "crypto/gmac.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace stoq::crypto {
namespace {

using test::from_hex;
using test::to_hex;

// NIST SP 800-38D test case 1: nothing at all under a key of zeros.
TEST(GmacTest, NothingHasTheTagOfTheFirstTestCaseOfGcm) {
    const std::array<std::uint8_t, 16> key{};
    EXPECT_EQ(to_hex(gmac_aes128(key, Nonce{}, {})), "58e2fccefa7e3061367f1d57a4e7455a");
}

TEST(GmacTest, TagDependsOnTheBytesAndNotOnHowTheyAreCut) {
    const std::array<std::uint8_t, 16> key = {1, 2, 3};
    const auto bytes = from_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b");
    const Tag whole = gmac_aes128(key, Nonce{}, {bytes});
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        const auto head = ByteView(bytes).first(cut);
        const auto tail = ByteView(bytes).subspan(cut);
        EXPECT_EQ(gmac_aes128(key, Nonce{}, {head, tail}), whole) << cut;
        if (cut < bytes.size()) {
            EXPECT_NE(gmac_aes128(key, Nonce{}, {head}), whole) << cut;
        }
    }
}

}  // namespace
}  // namespace stoq::crypto
