#include "crypto/hkdf.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "support/hex.h"
#include "support/rfc9001_vectors.h"

namespace stoq::crypto {
namespace {

using test::from_hex;
using test::to_hex;

TEST(HkdfTest, ExtractsTheInitialSecretOfRfc9001) {
    const auto salt = from_hex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a");
    const auto secret =
        hkdf_extract(HashAlgorithm::kSha256, salt, from_hex(test::rfc9001::kConnectionId));
    EXPECT_EQ(to_hex(secret.view()), test::rfc9001::kInitialSecret);
}

TEST(HkdfTest, ExpandsTheLabelsOfRfc9001) {
    const struct {
        test::rfc9001::DerivedKeys keys;
        const char* label;
    } kCases[] = {{test::rfc9001::kClientKeys, "client in"},
                  {test::rfc9001::kServerKeys, "server in"}};
    const Secret common{ByteView(from_hex(test::rfc9001::kInitialSecret))};
    for (const auto& [keys, label] : kCases) {
        constexpr auto kHash = HashAlgorithm::kSha256;
        const Secret secret = hkdf_expand_label(kHash, common, label, 32);
        EXPECT_EQ(to_hex(secret.view()), keys.secret);
        EXPECT_EQ(to_hex(hkdf_expand_label(kHash, secret, "quic key", 16).view()), keys.key);
        EXPECT_EQ(to_hex(hkdf_expand_label(kHash, secret, "quic iv", 12).view()), keys.iv);
        EXPECT_EQ(to_hex(hkdf_expand_label(kHash, secret, "quic hp", 16).view()), keys.header_key);
    }
}

// The same derivation by OpenSSL's own TLS 1.3 function.
std::string expanded_by_openssl(const char* digest, const Secret& secret, std::string label,
                                std::size_t length) {
    std::string prefix = "tls13 ";
    std::string hash = digest;
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    std::vector<std::uint8_t> key(secret.view().begin(), secret.view().end());
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash.data(), 0),
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key.data(), key.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix.data(), prefix.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, label.data(), label.size()),
        OSSL_PARAM_construct_end()};
    EVP_KDF* kdf = EVP_KDF_fetch(nullptr, "TLS13-KDF", nullptr);
    EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
    std::vector<std::uint8_t> output(length);
    EXPECT_EQ(EVP_KDF_derive(context, output.data(), output.size(), parameters), 1);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return to_hex(output);
}

TEST(HkdfTest, AgreesWithOpensslForBothHashesAndEveryLength) {
    const struct {
        HashAlgorithm hash;
        const char* name;
    } kHashes[] = {{HashAlgorithm::kSha256, "SHA256"}, {HashAlgorithm::kSha384, "SHA384"}};
    for (const auto& [hash, name] : kHashes) {
        Secret secret = Secret::of_size(digest_size(hash));
        for (std::size_t i = 0; i < secret.size(); ++i) {
            secret.writable()[i] = static_cast<std::uint8_t>(i * 7 + 1);
        }
        for (std::size_t length = 1; length <= Secret::kCapacity; ++length) {
            EXPECT_EQ(to_hex(hkdf_expand_label(hash, secret, "quic ku", length).view()),
                      expanded_by_openssl(name, secret, "quic ku", length))
                << name << " length " << length;
        }
    }
}

TEST(HkdfDeathTest, TooLongRequestsAreRefused) {
    const Secret secret = Secret::of_size(32);
    EXPECT_DEATH(hkdf_expand_label(HashAlgorithm::kSha256, secret, "quic key", 65),
                 "internal error");
    EXPECT_DEATH(hkdf_expand_label(HashAlgorithm::kSha256, secret, std::string(33, 'x'), 16),
                 "internal error");
}

}  // namespace
}  // namespace stoq::crypto
