#include "protection/packet_keys.h"

#include <memory>
#include <new>

#include <gtest/gtest.h>

#include "support/hex.h"
#include "support/rfc9001_vectors.h"

namespace stoq::protection {
namespace {

constexpr KeyParameters kChaCha20{.suite = crypto::CipherSuite::kChaCha20Poly1305Sha256};

crypto::Secret secret() {
    return crypto::Secret(ByteView(test::from_hex(test::rfc9001::kChaCha20Keys.secret)));
}

TEST(PacketKeysTest, InitializationVectorIsThatOfRfc9001) {
    const auto keys = make_packet_keys(kChaCha20, crypto::Direction::kSeal, secret());
    EXPECT_EQ(test::to_hex(keys.payload.iv.bytes()), test::rfc9001::kChaCha20Keys.iv);
}

TEST(PacketKeysTest, InitializationVectorIsWipedWhenItGoes) {
    const auto secret_iv =
        crypto::Secret(ByteView(test::from_hex(test::rfc9001::kChaCha20Keys.iv)));
    alignas(PacketIv) std::array<std::uint8_t, sizeof(PacketIv)> memory{};
    auto* const iv = new (memory.data()) PacketIv(secret_iv);
    ASSERT_EQ(test::to_hex(memory), test::rfc9001::kChaCha20Keys.iv);
    std::destroy_at(iv);
    EXPECT_EQ(memory, (std::array<std::uint8_t, sizeof(PacketIv)>{}));
}

TEST(PacketKeysTest, NextGenerationIsThatOfRfc9001) {
    EXPECT_EQ(test::to_hex(next_generation(kChaCha20, secret()).view()),
              test::rfc9001::kChaCha20NextSecret);
}

TEST(PacketKeysTest, NextGenerationKeepsTheSizeOfItsSecret) {
    const KeyParameters sha384{.suite = crypto::CipherSuite::kAes256GcmSha384};
    EXPECT_EQ(next_generation(sha384, crypto::Secret::of_size(48)).size(), 48u);
}

}  // namespace
}  // namespace stoq::protection
