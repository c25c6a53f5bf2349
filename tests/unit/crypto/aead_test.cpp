// Known answers, run against every backend of this build and machine.
#include "crypto/aead.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "support/hex.h"
#include "support/rfc9001_vectors.h"

namespace stoq::crypto {
namespace {

using test::from_hex;
using test::to_hex;

class AeadTest : public testing::TestWithParam<Backend> {
protected:
    void SetUp() override {
        if (!is_available(GetParam())) {
            GTEST_SKIP() << "intel-ipsec-mb is not in this build, or the processor lacks AES-NI "
                            "or PCLMULQDQ";
        }
    }
};

Nonce nonce_from(std::string_view hex) {
    Nonce nonce{};
    std::ranges::copy(from_hex(hex), nonce.begin());
    return nonce;
}

struct KnownAnswer {
    const char* name;
    CipherSuite suite;
    std::string_view key;
    std::string_view nonce;
    std::string_view associated_data;
    std::string_view plaintext;
    std::string_view sealed;
};

constexpr KnownAnswer kKnownAnswers[] = {
    // RFC 9001 appendix A.5.
    {"ChaCha20 of RFC 9001", CipherSuite::kChaCha20Poly1305Sha256, test::rfc9001::kChaCha20Keys.key,
     test::rfc9001::kChaCha20Nonce, test::rfc9001::kChaCha20Header, "01",
     test::rfc9001::kChaCha20Ciphertext},
    // The GCM specification, test cases 4 and 16.
    {"AES-128-GCM test case 4", CipherSuite::kAes128GcmSha256, "feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
     "49a6b525b16aedf5aa0de657ba637b39",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5a"
     "ac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47"},
    {"AES-256-GCM test case 16", CipherSuite::kAes256GcmSha384,
     "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e24"
     "49a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b10"
     "56828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"},
};

TEST_P(AeadTest, SealsAndOpensKnownAnswers) {
    for (const KnownAnswer& answer : kKnownAnswers) {
        SCOPED_TRACE(answer.name);
        const auto key = from_hex(answer.key);
        const auto associated_data = from_hex(answer.associated_data);
        const auto plaintext = from_hex(answer.plaintext);
        std::vector<std::uint8_t> buffer(plaintext.size() + kTagSize);

        const SealRequest seal{associated_data, plaintext, buffer.data(), nonce_from(answer.nonce)};
        make_aead(answer.suite, Direction::kSeal, key, GetParam())->seal({&seal, 1});
        EXPECT_EQ(to_hex(buffer), answer.sealed);

        OpenRequest open{associated_data, buffer, nonce_from(answer.nonce), false};
        make_aead(answer.suite, Direction::kOpen, key, GetParam())->open({&open, 1});
        EXPECT_TRUE(open.authentic);
        EXPECT_EQ(to_hex(ByteView(buffer).first(plaintext.size())), answer.plaintext);
    }
}

TEST_P(AeadTest, AReplacedKeyIsAsGoodAsANewOne) {
    for (const KnownAnswer& answer : kKnownAnswers) {
        SCOPED_TRACE(answer.name);
        const auto key = from_hex(answer.key);
        const std::vector<std::uint8_t> other_key(key.size(), 0x5a);
        const auto associated_data = from_hex(answer.associated_data);
        const auto plaintext = from_hex(answer.plaintext);
        std::vector<std::uint8_t> buffer(plaintext.size() + kTagSize);
        const SealRequest seal{associated_data, plaintext, buffer.data(), nonce_from(answer.nonce)};
        OpenRequest open{associated_data, buffer, nonce_from(answer.nonce), false};

        const auto sealer = make_aead(answer.suite, Direction::kSeal, other_key, GetParam());
        const auto opener = make_aead(answer.suite, Direction::kOpen, other_key, GetParam());
        sealer->seal({&seal, 1});
        EXPECT_NE(to_hex(buffer), answer.sealed);
        opener->open({&open, 1});
        EXPECT_TRUE(open.authentic);

        sealer->replace_key(key);
        sealer->seal({&seal, 1});
        EXPECT_EQ(to_hex(buffer), answer.sealed);
        const auto sealed = buffer;
        opener->open({&open, 1});
        EXPECT_FALSE(open.authentic) << "the old key still opens";

        opener->wipe_key();
        opener->replace_key(key);
        buffer = sealed;
        opener->open({&open, 1});
        EXPECT_TRUE(open.authentic);
        EXPECT_EQ(to_hex(ByteView(buffer).first(plaintext.size())), answer.plaintext);
    }
}

TEST_P(AeadTest, PlaintextInTwoPlacesIsSealedLikeInOne) {
    for (const KnownAnswer& answer : kKnownAnswers) {
        SCOPED_TRACE(answer.name);
        const auto key = from_hex(answer.key);
        const auto associated_data = from_hex(answer.associated_data);
        const auto plaintext = from_hex(answer.plaintext);
        const auto aead = make_aead(answer.suite, Direction::kSeal, key, GetParam());
        for (std::size_t cut = 0; cut < plaintext.size(); ++cut) {
            std::vector<std::uint8_t> buffer(plaintext.size() + kTagSize);
            std::copy_n(plaintext.begin(), cut, buffer.begin());
            const SealRequest seal{.associated_data = associated_data,
                                   .plaintext = ByteView(buffer).first(cut),
                                   .output = buffer.data(),
                                   .nonce = nonce_from(answer.nonce),
                                   .tail = ByteView(plaintext).subspan(cut)};
            aead->seal({&seal, 1});
            EXPECT_EQ(to_hex(buffer), answer.sealed) << cut;
        }
    }
}

TEST_P(AeadTest, MasksKnownSamples) {
    const struct {
        CipherSuite suite;
        std::string_view key, sample, mask;
    } kCases[] = {
        {CipherSuite::kAes128GcmSha256, test::rfc9001::kClientKeys.header_key,
         test::rfc9001::kClientSample, test::rfc9001::kClientMask},
        {CipherSuite::kAes128GcmSha256, test::rfc9001::kServerKeys.header_key,
         test::rfc9001::kServerSample, test::rfc9001::kServerMask},
        // FIPS 197 appendix C.3: the first five bytes of the block.
        {CipherSuite::kAes256GcmSha384,
         "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
         "00112233445566778899aabbccddeeff", "8ea2b7ca51"},
        {CipherSuite::kChaCha20Poly1305Sha256, test::rfc9001::kChaCha20Keys.header_key,
         test::rfc9001::kChaCha20Sample, test::rfc9001::kChaCha20Mask},
    };
    for (const auto& [suite, key, sample, mask] : kCases) {
        const auto masker = make_header_masker(suite, from_hex(key), GetParam());
        const auto bytes = from_hex(sample);
        const std::uint8_t* from = bytes.data();
        HeaderMask result{};
        masker->masks({&from, 1}, {&result, 1});
        EXPECT_EQ(to_hex(result), mask);
    }
}

TEST_P(AeadTest, AMaskTouchesNothingBesideItsFiveBytes) {
    for (std::size_t count = 1; count <= 70; ++count) {
        const std::vector<std::uint8_t> sample(kSampleSize, 0x5a);
        const std::vector<const std::uint8_t*> samples(count, sample.data());
        std::vector<HeaderMask> masks(count + 1, HeaderMask{1, 2, 3, 4, 5});
        const std::vector<std::uint8_t> key(16, 7);
        make_header_masker(CipherSuite::kAes128GcmSha256, key, GetParam())
            ->masks(samples, std::span(masks).first(count));
        for (std::size_t i = 1; i < count; ++i) EXPECT_EQ(masks[i], masks[0]) << count;
        EXPECT_EQ(masks[count], (HeaderMask{1, 2, 3, 4, 5})) << count;
    }
}

TEST_P(AeadTest, AnEmptyMessageIsOpenedByItsTagAlone) {
    for (const KnownAnswer& answer : kKnownAnswers) {
        const auto key = from_hex(answer.key);
        const auto header = from_hex(answer.associated_data);
        std::vector<std::uint8_t> buffer(kTagSize);
        const SealRequest seal{header, {}, buffer.data(), Nonce{}};
        make_aead(answer.suite, Direction::kSeal, key, GetParam())->seal({&seal, 1});
        const auto aead = make_aead(answer.suite, Direction::kOpen, key, GetParam());
        OpenRequest open{header, buffer, Nonce{}, false};
        aead->open({&open, 1});
        EXPECT_TRUE(open.authentic) << answer.name;
        buffer[3] ^= 1;
        aead->open({&open, 1});
        EXPECT_FALSE(open.authentic) << answer.name;
    }
}

INSTANTIATE_TEST_SUITE_P(EveryBackend, AeadTest,
                         testing::Values(Backend::kOpenssl, Backend::kIpsecMb),
                         [](const auto& parameter) {
                             return parameter.param == Backend::kOpenssl ? "Openssl" : "IpsecMb";
                         });

TEST(AeadDeathTest, AKeyOfAnotherSizeIsRefused) {
    const std::vector<std::uint8_t> key(17);
    EXPECT_DEATH(make_aead(CipherSuite::kAes128GcmSha256, Direction::kSeal, key), "internal error");
    EXPECT_DEATH(make_header_masker(CipherSuite::kAes128GcmSha256, key), "internal error");
    for (const Backend backend : {Backend::kAutomatic, Backend::kOpenssl}) {
        const auto aead = make_aead(CipherSuite::kAes128GcmSha256, Direction::kSeal,
                                    ByteView(key).first(16), backend);
        EXPECT_DEATH(aead->replace_key(key), "internal error");
    }
}

}  // namespace
}  // namespace stoq::crypto
