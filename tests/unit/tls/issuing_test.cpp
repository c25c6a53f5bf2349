// Authorities, certificates that they sign, raw keys, and keys behind a pass phrase.
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "support/tls_pair.h"
#include "tls/library.h"

namespace stoq {
namespace {

using test::make_identity;
using test::TestIdentity;
using test::TlsPair;
using Code = CredentialError::Code;
namespace fs = std::filesystem;

IdentityRequest request(KeyType type, const std::optional<Identity>& issuer = {}) {
    return {.key_type = type,
            .names = {"localhost"},
            .not_before = test::kTestNotBefore,
            .issuer = issuer};
}

TestIdentity authority(KeyType type, const std::optional<Identity>& issuer = {}) {
    IdentityRequest wanted = request(type, issuer);
    wanted.names = {issuer ? "Intermediate" : "Root authority"};
    wanted.is_ca = true;
    return make_identity(generate_identity(wanted).value());
}

TlsPair meet(const TestIdentity& root, const TestIdentity& leaf) {
    Credentials server = test::server_credentials();
    server.identities = {leaf.identity};
    Credentials client = test::client_credentials();
    client.trust = Trust::ca_pem(root.pem.certificate()).value();
    TlsPair pair;
    pair.start(client, server);
    pair.run();
    return pair;
}

std::size_t certificates_in(const std::string& pem) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = pem.find("BEGIN CERTIFICATE", at)) != pem.npos; ++at) ++count;
    return count;
}

TEST(Issuing, AnAuthorityOfAnyKindSignsALeafOfAnyKind) {
    std::vector<KeyType> kinds = {KeyType::kP256, KeyType::kEd25519, KeyType::kMlDsa65};
    if (tls::kHasFalcon)
        kinds.insert(kinds.end(), {KeyType::kFalconPadded1024, KeyType::kP256Falcon512});
    for (const KeyType above : kinds) {
        const TestIdentity root = authority(above);
        for (const KeyType below : kinds) {
            const TestIdentity leaf =
                make_identity(generate_identity(request(below, root.identity)).value());
            EXPECT_EQ(certificates_in(leaf.pem.certificate()), 1u) << "the root stays at home";
            const TlsPair pair = meet(root, leaf);
            EXPECT_TRUE(pair.is_complete()) << pair.client.session->info().failure;
        }
    }
}

TEST(Issuing, AnIntermediateTravelsWithTheLeaf) {
    const TestIdentity root = authority(KeyType::kMlDsa65);
    const TestIdentity intermediate = authority(KeyType::kMlDsa65, root.identity);
    const TestIdentity leaf =
        make_identity(generate_identity(request(KeyType::kMlDsa65, intermediate.identity)).value());
    EXPECT_EQ(certificates_in(leaf.pem.certificate()), 2u);
    const TlsPair pair = meet(root, leaf);
    ASSERT_TRUE(pair.is_complete()) << pair.client.session->info().failure;
    EXPECT_EQ(pair.client.session->info().peer_chain, "ML-DSA-65, ML-DSA-65, ML-DSA-65");
}

TEST(Issuing, ALeafCannotSignAndAStrangersRootDoesNotHelp) {
    const TestIdentity root = authority(KeyType::kP256);
    const TestIdentity leaf =
        make_identity(generate_identity(request(KeyType::kP256, root.identity)).value());
    const auto forged = generate_identity(request(KeyType::kP256, leaf.identity));
    ASSERT_FALSE(forged);
    EXPECT_EQ(forged.error().code, Code::kBadIssuer);
    const TlsPair pair = meet(authority(KeyType::kP256), leaf);
    EXPECT_FALSE(pair.is_complete());
    EXPECT_EQ(pair.client.session->info().certificate_problem, CertificateProblem::kUnknownIssuer);
}

TEST(Issuing, ARawKeyIsNoIssuer) {
    const TestIdentity root = authority(KeyType::kP256);
    const Identity raw = Identity::raw_from_pem(root.pem.key()).value();
    const auto issued = generate_identity(request(KeyType::kP256, raw));
    ASSERT_FALSE(issued);
    EXPECT_EQ(issued.error().code, Code::kBadIssuer);
}

TEST(Issuing, AnAuthorityNeedsANameOfReasonableLength) {
    for (const std::vector<std::string>& names :
         {std::vector<std::string>{}, {""}, {std::string(65, 'a')}}) {
        const auto pem = generate_identity({.names = names, .is_ca = true});
        ASSERT_FALSE(pem);
        EXPECT_EQ(pem.error().code, Code::kBadName);
    }
}

class Files : public testing::Test {
protected:
    Files() {
        std::string pattern = (fs::temp_directory_path() / "stoq-issuing-XXXXXX").string();
        directory_ = mkdtemp(pattern.data());
    }
    ~Files() override { fs::remove_all(directory_); }
    fs::path directory_;
};

TEST_F(Files, ARawKeyIsSavedWithoutACertificateAndLoaded) {
    IdentityRequest wanted = request(KeyType::kMlDsa65);
    wanted.raw = true;
    const PemIdentity pem = generate_identity(wanted).value();
    EXPECT_TRUE(pem.certificate().empty());
    ASSERT_TRUE(pem.save(directory_ / "id"));
    EXPECT_FALSE(fs::exists(directory_ / "id" / "cert.pem"));
    const auto identity = Identity::load(directory_ / "id");
    ASSERT_TRUE(identity) << identity.error().message();
    EXPECT_TRUE(identity->is_raw());
    EXPECT_TRUE(identity->is_post_quantum());
}

TEST_F(Files, AKeyBehindAPassPhraseOpensWithItOnly) {
    std::vector<KeyType> kinds = {KeyType::kP256, KeyType::kMlDsa65};
    if (tls::kHasFalcon) kinds.push_back(KeyType::kFalcon1024);
    for (const KeyType type : kinds) {
        IdentityRequest wanted = request(type);
        wanted.pass_phrase = "correct horse";
        const PemIdentity pem = generate_identity(wanted).value();
        EXPECT_NE(pem.key().find("BEGIN ENCRYPTED PRIVATE KEY"), std::string::npos);
        const auto home = directory_ / std::to_string(static_cast<int>(type));
        ASSERT_TRUE(pem.save(home));
        EXPECT_EQ(Identity::load(home).error().code, Code::kEncryptedKey);
        const auto wrong = Identity::load(home, "incorrect horse");
        ASSERT_FALSE(wrong);
        EXPECT_EQ(wrong.error().code, Code::kWrongPassPhrase);
        EXPECT_NE(wrong.error().message().find("key.pem"), std::string::npos);
        const auto right = Identity::load(home, "correct horse");
        ASSERT_TRUE(right) << right.error().message();
        EXPECT_EQ(Identity::raw_from_pem(pem.key(), "correct horse")->fingerprint(),
                  right->fingerprint());
    }
}

TEST(PassPhrase, IsNotLookedAtForAKeyThatHasNone) {
    const auto& pem = test::test_identity().pem;
    EXPECT_TRUE(Identity::from_pem(pem.certificate(), pem.key(), "anything"));
}

TEST(PassPhrase, AnEncryptedKeyThatWasTornOrChangedIsRefused) {
    IdentityRequest wanted = request(KeyType::kEd25519);
    wanted.pass_phrase = "correct horse";
    const PemIdentity pem = generate_identity(wanted).value();
    std::string changed = pem.key();
    changed[changed.size() / 2] = changed[changed.size() / 2] == 'A' ? 'B' : 'A';
    const std::string torn = pem.key().substr(0, pem.key().size() / 2);
    for (const std::string& key : {changed, torn}) {
        EXPECT_FALSE(Identity::from_pem(pem.certificate(), key, "correct horse"));
    }
}

}  // namespace
}  // namespace stoq
