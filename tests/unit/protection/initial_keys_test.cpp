#include "protection/initial_keys.h"

#include <gtest/gtest.h>

#include "support/hex.h"
#include "support/rfc9001_vectors.h"

namespace stoq::protection {
namespace {

//= test 9001-5.2-2
TEST(InitialKeysTest, SecretsAreThoseOfRfc9001) {
    const auto secrets = derive_initial_secrets(test::from_hex(test::rfc9001::kConnectionId));
    EXPECT_EQ(test::to_hex(secrets.client.view()), test::rfc9001::kClientKeys.secret);
    EXPECT_EQ(test::to_hex(secrets.server.view()), test::rfc9001::kServerKeys.secret);
}

TEST(InitialKeysTest, AnEmptyConnectionIdHasSecretsToo) {
    const auto secrets = derive_initial_secrets({});
    EXPECT_EQ(secrets.client.size(), 32u);
    EXPECT_NE(test::to_hex(secrets.client.view()), test::to_hex(secrets.server.view()));
}

TEST(InitialKeysTest, EveryByteOfTheConnectionIdMatters) {
    const auto id = test::from_hex(test::rfc9001::kConnectionId);
    const auto expected = test::to_hex(derive_initial_secrets(id).client.view());
    for (std::size_t i = 0; i < id.size(); ++i) {
        auto other = id;
        other[i] ^= 1;
        EXPECT_NE(test::to_hex(derive_initial_secrets(other).client.view()), expected) << i;
    }
}

TEST(InitialKeysDeathTest, AVersionThatIsNotSpokenHasNoConstants) {
    EXPECT_EQ(&constants_of(1), &kQuicVersion1);
    EXPECT_DEATH(constants_of(2), "internal error");
}

}  // namespace
}  // namespace stoq::protection
