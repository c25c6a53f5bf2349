#include "crypto/cipher_suite.h"

#include <gtest/gtest.h>

namespace stoq::crypto {
namespace {

TEST(CipherSuiteTest, KnowsTheSuitesWithHeaderProtection) {
    EXPECT_EQ(cipher_suite_from(0x1301), CipherSuite::kAes128GcmSha256);
    EXPECT_EQ(cipher_suite_from(0x1302), CipherSuite::kAes256GcmSha384);
    EXPECT_EQ(cipher_suite_from(0x1303), CipherSuite::kChaCha20Poly1305Sha256);
}

//= test 9001-5.3-1
TEST(CipherSuiteTest, RefusesSuitesWithoutHeaderProtection) {
    for (const std::uint32_t code_point : {0x1300u, 0x1304u, 0x1305u, 0x0300'1301u, 0u}) {
        EXPECT_EQ(cipher_suite_from(code_point), std::nullopt) << code_point;
    }
}

//= test 9001-6.6-10
//= test 9001-6.6-11
TEST(CipherSuiteTest, EverySuiteHasBothUsageLimits) {
    constexpr auto kAes128 = properties_of(CipherSuite::kAes128GcmSha256);
    constexpr auto kAes256 = properties_of(CipherSuite::kAes256GcmSha384);
    constexpr auto kChaCha20 = properties_of(CipherSuite::kChaCha20Poly1305Sha256);
    EXPECT_EQ(kAes128.confidentiality_limit, 8'388'608u);
    EXPECT_EQ(kAes128.integrity_limit, 4'503'599'627'370'496u);
    EXPECT_EQ(kAes256.confidentiality_limit, 8'388'608u);
    EXPECT_EQ(kAes256.integrity_limit, 4'503'599'627'370'496u);
    EXPECT_EQ(kChaCha20.confidentiality_limit, 4'611'686'018'427'387'904u);
    EXPECT_EQ(kChaCha20.integrity_limit, 68'719'476'736u);
}

TEST(CipherSuiteTest, KeyAndHashSizesMatchTheirNames) {
    EXPECT_EQ(properties_of(CipherSuite::kAes128GcmSha256).key_size, 16u);
    EXPECT_EQ(properties_of(CipherSuite::kAes256GcmSha384).key_size, 32u);
    EXPECT_EQ(properties_of(CipherSuite::kChaCha20Poly1305Sha256).key_size, 32u);
    EXPECT_EQ(digest_size(properties_of(CipherSuite::kAes256GcmSha384).hash), 48u);
    EXPECT_EQ(digest_size(properties_of(CipherSuite::kChaCha20Poly1305Sha256).hash), 32u);
}

}  // namespace
}  // namespace stoq::crypto
