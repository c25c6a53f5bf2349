#include "protection/usage_limits.h"

#include <gtest/gtest.h>

namespace stoq::protection {
namespace {

TEST(UsageLimitsTest, UpdateComesBeforeCloseAndCloseBeforeTheLimit) {
    for (const auto suite :
         {crypto::CipherSuite::kAes128GcmSha256, crypto::CipherSuite::kAes256GcmSha384,
          crypto::CipherSuite::kChaCha20Poly1305Sha256}) {
        const UsageLimits limits = limits_of(suite);
        EXPECT_LT(limits.update_after, limits.close_after);
        EXPECT_LT(limits.close_after, limits.most_sealed);
        EXPECT_EQ(limits.most_sealed, crypto::properties_of(suite).confidentiality_limit);
        EXPECT_EQ(limits.most_failed, crypto::properties_of(suite).integrity_limit);
    }
}

}  // namespace
}  // namespace stoq::protection
