// The provider through OpenSSL's own interfaces, as libssl and the program openssl use it.
#include "falcon/provider.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/x509.h>

#include "falcon/algorithms.h"
#include "stoq/types.h"

namespace stoq::falcon {
namespace {

template <auto kFree>
struct Freeing {
    template <typename T>
    void operator()(T* object) const {
        kFree(object);
    }
};
using LibraryHandle = std::unique_ptr<OSSL_LIB_CTX, Freeing<OSSL_LIB_CTX_free>>;
using ProviderHandle = std::unique_ptr<OSSL_PROVIDER, Freeing<OSSL_PROVIDER_unload>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freeing<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freeing<EVP_MD_CTX_free>>;
using BioHandle = std::unique_ptr<BIO, Freeing<BIO_free>>;
using CertificateHandle = std::unique_ptr<X509, Freeing<X509_free>>;

OSSL_LIB_CTX* library() {
    static const LibraryHandle made(OSSL_LIB_CTX_new());
    static const ProviderHandle base(OSSL_PROVIDER_load(made.get(), "default"));
    static const bool added =
        OSSL_PROVIDER_add_builtin(made.get(), kProviderName, initialize_provider) == 1;
    static const ProviderHandle falcon(added ? OSSL_PROVIDER_load(made.get(), kProviderName)
                                             : nullptr);
    EXPECT_TRUE(base && falcon);
    return made.get();
}

class FalconProvider : public testing::TestWithParam<std::size_t> {
protected:
    const Algorithm& algorithm() const { return kAlgorithms[GetParam()]; }

    KeyHandle make_key() const {
        const KeyContext context(EVP_PKEY_CTX_new_from_name(library(), algorithm().name, nullptr));
        EVP_PKEY* key = nullptr;
        EXPECT_EQ(EVP_PKEY_keygen_init(context.get()), 1);
        EXPECT_EQ(EVP_PKEY_generate(context.get(), &key), 1);
        return KeyHandle(key);
    }

    EVP_PKEY* key() const {
        static KeyHandle made[kAlgorithmCount];
        if (!made[GetParam()]) made[GetParam()] = make_key();
        return made[GetParam()].get();
    }
};

std::string name_of(const testing::TestParamInfo<std::size_t>& info) {
    return kAlgorithms[info.param].name;
}

INSTANTIATE_TEST_SUITE_P(Each, FalconProvider, testing::Range<std::size_t>(0, kAlgorithmCount),
                         name_of);

constexpr unsigned char kMessage[] = {'m', 'e', 's', 's', 'a', 'g', 'e'};

std::vector<unsigned char> sign_with(EVP_PKEY* key) {
    const DigestContext context(EVP_MD_CTX_new());
    EXPECT_EQ(
        EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, library(), nullptr, key, nullptr),
        1);
    std::size_t size = 0;
    EXPECT_EQ(EVP_DigestSign(context.get(), nullptr, &size, kMessage, sizeof(kMessage)), 1);
    std::vector<unsigned char> signature(size);
    EXPECT_EQ(EVP_DigestSign(context.get(), signature.data(), &size, kMessage, sizeof(kMessage)),
              1);
    signature.resize(size);
    return signature;
}

bool verifies(EVP_PKEY* key, const std::vector<unsigned char>& signature) {
    const DigestContext context(EVP_MD_CTX_new());
    return EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, library(), nullptr, key,
                                   nullptr) == 1 &&
           EVP_DigestVerify(context.get(), signature.data(), signature.size(), kMessage,
                            sizeof(kMessage)) == 1;
}

BioHandle memory(ByteView bytes = {}) {
    BioHandle bio(BIO_new(BIO_s_mem()));
    BIO_write(bio.get(), bytes.data(), static_cast<int>(bytes.size()));
    return bio;
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

TEST_P(FalconProvider, TellsTheSizesOfItsKeys) {
    EXPECT_EQ(EVP_PKEY_get_size(key()), static_cast<int>(max_signature_size(algorithm())));
    EXPECT_EQ(EVP_PKEY_get_security_bits(key()), static_cast<int>(algorithm().security_bits));
    EXPECT_EQ(EVP_PKEY_get_bits(key()), static_cast<int>(8 * public_key_size(algorithm())));
    char digest[16];
    EXPECT_EQ(EVP_PKEY_get_default_digest_name(key(), digest, sizeof(digest)), 2) << "mandatory";
    EXPECT_STREQ(digest, "UNDEF");
    EXPECT_EQ(EVP_PKEY_is_a(key(), algorithm().oid), 1);
}

TEST_P(FalconProvider, SignsAndVerifiesWithoutADigest) {
    const auto signature = sign_with(key());
    EXPECT_TRUE(verifies(key(), signature));
    EXPECT_FALSE(verifies(make_key().get(), signature));
    auto changed = signature;
    changed[changed.size() / 2] ^= 4;
    EXPECT_FALSE(verifies(key(), changed));
}

TEST_P(FalconProvider, RefusesADigest) {
    const DigestContext context(EVP_MD_CTX_new());
    EXPECT_NE(
        EVP_DigestSignInit_ex(context.get(), nullptr, "SHA256", library(), nullptr, key(), nullptr),
        1);
}

TEST_P(FalconProvider, SignsMessagesThroughTheKeyInterface) {
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(library(), key(), nullptr));
    std::vector<unsigned char> signature(max_signature_size(algorithm()));
    std::size_t size = signature.size();
    ASSERT_EQ(EVP_PKEY_sign_init(context.get()), 1);
    ASSERT_EQ(EVP_PKEY_sign(context.get(), signature.data(), &size, kMessage, sizeof(kMessage)), 1);
    signature.resize(size);
    EXPECT_TRUE(verifies(key(), signature));
    ASSERT_EQ(EVP_PKEY_verify_init(context.get()), 1);
    EXPECT_EQ(EVP_PKEY_verify(context.get(), signature.data(), size, kMessage, sizeof(kMessage)),
              1);
    EXPECT_NE(EVP_PKEY_verify(context.get(), signature.data(), size, kMessage, 3), 1);
}

TEST_P(FalconProvider, PrivateKeysPassThroughPem) {
    const BioHandle out = memory();
    ASSERT_EQ(PEM_write_bio_PrivateKey_ex(out.get(), key(), nullptr, nullptr, 0, nullptr, nullptr,
                                          library(), nullptr),
              1);
    EXPECT_TRUE(text_of(out.get()).starts_with("-----BEGIN PRIVATE KEY-----\n"));
    const KeyHandle again(
        PEM_read_bio_PrivateKey_ex(out.get(), nullptr, nullptr, nullptr, library(), nullptr));
    ASSERT_TRUE(again);
    EXPECT_EQ(EVP_PKEY_eq(again.get(), key()), 1);
    EXPECT_TRUE(verifies(key(), sign_with(again.get())));
}

TEST_P(FalconProvider, PublicKeysPassThroughPem) {
    const BioHandle out = memory();
    ASSERT_EQ(PEM_write_bio_PUBKEY_ex(out.get(), key(), library(), nullptr), 1);
    EXPECT_TRUE(text_of(out.get()).starts_with("-----BEGIN PUBLIC KEY-----\n"));
    const KeyHandle again(
        PEM_read_bio_PUBKEY_ex(out.get(), nullptr, nullptr, nullptr, library(), nullptr));
    ASSERT_TRUE(again);
    EXPECT_EQ(EVP_PKEY_eq(again.get(), key()), 1);
    EXPECT_TRUE(verifies(again.get(), sign_with(key())));
}

TEST_P(FalconProvider, EncryptedPrivateKeysNeedTheirPassPhrase) {
    const BioHandle out = memory();
    const std::string right = "correct horse";
    ASSERT_EQ(PEM_write_bio_PKCS8PrivateKey(out.get(), key(), EVP_aes_256_cbc(), right.data(),
                                            static_cast<int>(right.size()), nullptr, nullptr),
              1);
    const std::string pem = text_of(out.get());
    EXPECT_TRUE(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    for (const char* phrase : {"correct horse", "wrong"}) {
        const BioHandle in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
        const KeyHandle again(PEM_read_bio_PrivateKey_ex(
            in.get(), nullptr, nullptr, const_cast<char*>(phrase), library(), nullptr));
        EXPECT_EQ(again && EVP_PKEY_eq(again.get(), key()) == 1, phrase == right);
    }
}

TEST_P(FalconProvider, KeysPassThroughParameters) {
    OSSL_PARAM* params = nullptr;
    ASSERT_EQ(EVP_PKEY_todata(key(), EVP_PKEY_KEYPAIR, &params), 1);
    const KeyContext context(EVP_PKEY_CTX_new_from_name(library(), algorithm().name, nullptr));
    EVP_PKEY* made = nullptr;
    EXPECT_EQ(EVP_PKEY_fromdata_init(context.get()), 1);
    EXPECT_EQ(EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_KEYPAIR, params), 1);
    OSSL_PARAM_free(params);
    const KeyHandle again(made);
    ASSERT_TRUE(again);
    EXPECT_EQ(EVP_PKEY_eq(again.get(), key()), 1);
    EXPECT_TRUE(verifies(key(), sign_with(again.get())));
}

TEST_P(FalconProvider, ACopyOfAKeyIsTheSameKey) {
    const KeyHandle copy(EVP_PKEY_dup(key()));
    ASSERT_TRUE(copy);
    EXPECT_EQ(EVP_PKEY_eq(copy.get(), key()), 1);
    EXPECT_TRUE(verifies(key(), sign_with(copy.get())));
}

TEST_P(FalconProvider, ChecksKeyPairs) {
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(library(), key(), nullptr));
    EXPECT_EQ(EVP_PKEY_pairwise_check(context.get()), 1);
    EXPECT_EQ(EVP_PKEY_public_check(context.get()), 1);
    EXPECT_NE(EVP_PKEY_eq(key(), make_key().get()), 1);
}

TEST_P(FalconProvider, PrintsKeysForPeople) {
    const BioHandle open = memory();
    EXPECT_EQ(EVP_PKEY_print_public(open.get(), key(), 0, nullptr), 1);
    EXPECT_TRUE(text_of(open.get()).starts_with(std::string(algorithm().title) + " Public-Key:\n"));
    EXPECT_EQ(text_of(open.get()).find("priv:"), std::string::npos);
    const BioHandle secret = memory();
    EXPECT_EQ(EVP_PKEY_print_private(secret.get(), key(), 0, nullptr), 1);
    EXPECT_NE(text_of(secret.get()).find("Private-Key:\npriv:\n    "), std::string::npos);
}

TEST_P(FalconProvider, SignsAndVerifiesCertificates) {
    const CertificateHandle certificate(X509_new_ex(library(), nullptr));
    ASSERT_EQ(X509_set_pubkey(certificate.get(), key()), 1);
    ASSERT_GT(X509_sign(certificate.get(), key(), nullptr), 0);
    EXPECT_EQ(X509_verify(certificate.get(), key()), 1);
    EXPECT_STREQ(OBJ_nid2sn(X509_get_signature_nid(certificate.get())), algorithm().name);
    EXPECT_NE(X509_verify(certificate.get(), make_key().get()), 1);

    const ASN1_BIT_STRING* signature = nullptr;
    X509_get0_signature(&signature, nullptr, certificate.get());
    auto* bytes = const_cast<unsigned char*>(ASN1_STRING_get0_data(signature));
    bytes[ASN1_STRING_length(signature) / 2] ^= 1;
    EXPECT_NE(X509_verify(certificate.get(), key()), 1);
}

}  // namespace
}  // namespace stoq::falcon
