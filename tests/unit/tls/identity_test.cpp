#include "stoq/identity.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "support/test_credentials.h"
#include "tls/openssl_handles.h"

namespace stoq {
namespace {

using test::make_pem;
using test::test_identity;
using Code = CredentialError::Code;
namespace fs = std::filesystem;

class IdentityFiles : public testing::Test {
protected:
    IdentityFiles() {
        std::string pattern = (fs::temp_directory_path() / "stoq-identity-XXXXXX").string();
        directory_ = mkdtemp(pattern.data());
    }
    ~IdentityFiles() override { fs::remove_all(directory_); }

    void write(const fs::path& name, std::string_view text) const {
        std::ofstream(directory_ / name) << text;
        fs::permissions(directory_ / name, fs::perms::owner_read | fs::perms::owner_write);
    }

    static unsigned mode_of(const fs::path& path) {
        struct stat status{};
        return stat(path.c_str(), &status) == 0 ? status.st_mode & 0777u : 0u;
    }

    fs::path directory_;
};

Code code_of(const CredentialResult<Identity>& result) {
    EXPECT_FALSE(result.has_value());
    return result ? Code::kInternal : result.error().code;
}

tls::CertificateHandle parse(const std::string& pem) {
    const tls::BioHandle text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    return tls::CertificateHandle(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
}

TEST_F(IdentityFiles, ASavedIdentityLoadsAndOnlyItsOwnerCanReadTheKey) {
    const PemIdentity pem = make_pem();
    const fs::path home = directory_ / "id";
    ASSERT_TRUE(pem.save(home));
    EXPECT_EQ(mode_of(home), 0700u);
    EXPECT_EQ(mode_of(home / "key.pem"), 0600u);
    const auto identity = Identity::load(home);
    ASSERT_TRUE(identity) << identity.error().message();
    EXPECT_TRUE(identity->warnings().empty());
    EXPECT_EQ(identity->fingerprint(),
              Identity::from_pem(pem.certificate(), pem.key())->fingerprint());
}

TEST_F(IdentityFiles, SavingOverwritesNeitherFile) {
    const PemIdentity pem = make_pem();
    for (const char* existing : {"cert.pem", "key.pem"}) {
        write(existing, "precious");
        const auto saved = pem.save(directory_);
        ASSERT_FALSE(saved) << existing;
        EXPECT_EQ(saved.error().code, Code::kFileExists);
        std::string text;
        std::ifstream(directory_ / existing) >> text;
        EXPECT_EQ(text, "precious");
        fs::remove(directory_ / existing);
        EXPECT_TRUE(fs::is_empty(directory_)) << "half of an identity was left behind";
    }
}

TEST_F(IdentityFiles, AKeyThatOthersMayReadIsUsedWithAWarning) {
    ASSERT_TRUE(make_pem().save(directory_));
    fs::permissions(directory_ / "key.pem", fs::perms::group_read, fs::perm_options::add);
    const auto identity = Identity::load(directory_);
    ASSERT_TRUE(identity);
    ASSERT_EQ(identity->warnings().size(), 1u);
    EXPECT_NE(identity->warnings()[0].find("key.pem"), std::string::npos);
}

TEST_F(IdentityFiles, ErrorsNameTheFileAtFault) {
    struct Case {
        const char* name;
        std::string certificate;
        std::string key;
        Code code;
        const char* at_fault;
    };
    const PemIdentity pem = make_pem();
    const Case cases[] = {
        {"no certificate in it", pem.key(), pem.key(), Code::kNoCertificate, "cert.pem"},
        {"no key in it", pem.certificate(), pem.certificate(), Code::kNoKey, "key.pem"},
        {"another certificate's key", pem.certificate(), make_pem().key(), Code::kKeyMismatch,
         "key.pem"},
        {"another kind of key", pem.certificate(), make_pem(KeyType::kEd25519).key(),
         Code::kKeyMismatch, "key.pem"},
    };
    for (const Case& each : cases) {
        write("cert.pem", each.certificate);
        write("key.pem", each.key);
        const auto identity = Identity::load(directory_);
        EXPECT_EQ(code_of(identity), each.code) << each.name;
        EXPECT_NE(identity.error().message().find(each.at_fault), std::string::npos)
            << identity.error().message();
    }
}

TEST_F(IdentityFiles, AMissingFileAndADirectoryAreToldApart) {
    EXPECT_EQ(code_of(Identity::load(directory_ / "nowhere")), Code::kFileNotFound);
    EXPECT_EQ(code_of(Identity::from_files(directory_, directory_)), Code::kFileUnreadable);
}

TEST(Identity, RefusesTextThatIsNoIdentity) {
    const PemIdentity pem = make_pem();
    const std::string torn = pem.certificate().substr(0, pem.certificate().size() / 2);
    std::string garbled = pem.certificate();
    garbled.replace(garbled.size() / 2, 4, "AAAA");
    std::string bad_key = pem.key();
    bad_key.replace(bad_key.find('\n') + 1, 4, "AAAA");
    const std::string encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    EXPECT_EQ(code_of(Identity::from_pem("", pem.key())), Code::kNoCertificate);
    EXPECT_EQ(code_of(Identity::from_pem(torn, pem.key())), Code::kBadCertificate);
    EXPECT_EQ(code_of(Identity::from_pem(pem.certificate(), "")), Code::kNoKey);
    EXPECT_EQ(code_of(Identity::from_pem(pem.certificate(), bad_key)), Code::kBadKey);
    EXPECT_EQ(code_of(Identity::from_pem(pem.certificate(), encrypted)), Code::kEncryptedKey);
    // A changed byte parses or does not; with the key it never makes an identity of another key.
    const auto changed = Identity::from_pem(garbled, pem.key());
    if (changed) {
        EXPECT_EQ(changed->fingerprint(),
                  Identity::from_pem(pem.certificate(), pem.key())->fingerprint());
    }
}

TEST(Identity, TheFingerprintIsTheSha256OfTheSubjectPublicKeyInfo) {
    const auto& [pem, identity] = test_identity();
    const auto certificate = parse(pem.certificate());
    unsigned char* der = nullptr;
    const int length = i2d_PUBKEY(X509_get0_pubkey(certificate.get()), &der);
    ASSERT_GT(length, 0);
    unsigned char digest[32];
    EVP_Q_digest(nullptr, "SHA256", nullptr, der, static_cast<std::size_t>(length), digest,
                 nullptr);
    OPENSSL_free(der);
    std::string hex;
    for (const unsigned char byte : digest) {
        constexpr char kDigits[] = "0123456789abcdef";
        hex += {kDigits[byte >> 4], kDigits[byte & 15]};
    }
    EXPECT_EQ(identity.fingerprint(), hex);
}

TEST(Identity, TellsItsKindSubjectAndValidity) {
    EXPECT_EQ(test_identity(KeyType::kP256).identity.key_kind(), "EC");
    EXPECT_EQ(test_identity(KeyType::kEd25519).identity.key_kind(), "ED25519");
    const Identity& identity = test_identity().identity;
    EXPECT_EQ(identity.subject(), "CN=localhost");
    EXPECT_EQ(identity.not_before(), test::kTestNotBefore);
    EXPECT_EQ(identity.not_after(), test::kTestNotBefore + std::chrono::hours(24 * 365));
}

TEST(GenerateIdentity, TheCertificateNamesHostsAndAddresses) {
    const PemIdentity pem =
        make_pem(KeyType::kEd25519, {"example.org", "*.example.org", "192.0.2.1", "2001:db8::1"});
    const auto certificate = parse(pem.certificate());
    ASSERT_TRUE(certificate);
    EXPECT_EQ(X509_check_host(certificate.get(), "example.org", 0, 0, nullptr), 1);
    EXPECT_EQ(X509_check_host(certificate.get(), "a.example.org", 0, 0, nullptr), 1);
    EXPECT_EQ(X509_check_host(certificate.get(), "example.com", 0, 0, nullptr), 0);
    EXPECT_EQ(X509_check_ip_asc(certificate.get(), "192.0.2.1", 0), 1);
    EXPECT_EQ(X509_check_ip_asc(certificate.get(), "2001:db8::1", 0), 1);
    EXPECT_EQ(X509_check_ip_asc(certificate.get(), "192.0.2.2", 0), 0);
    EXPECT_EQ(X509_get_version(certificate.get()), X509_VERSION_3);
    EXPECT_EQ(X509_verify(certificate.get(), X509_get0_pubkey(certificate.get())), 1);
}

TEST(GenerateIdentity, TwoHaveDifferentKeysAndSerialNumbers) {
    const auto first = parse(make_pem().certificate());
    const auto second = parse(make_pem().certificate());
    EXPECT_NE(EVP_PKEY_eq(X509_get0_pubkey(first.get()), X509_get0_pubkey(second.get())), 1);
    EXPECT_NE(
        ASN1_INTEGER_cmp(X509_get0_serialNumber(first.get()), X509_get0_serialNumber(second.get())),
        0);
}

TEST(GenerateIdentity, RefusesNamesThatAreNeitherHostNorAddress) {
    const std::string long_label(64, 'a');
    for (const std::string& name :
         {std::string(), std::string("a b"), std::string("a..b"), std::string("a,DNS:b"),
          std::string("*"), std::string("x.*.y"), std::string("a\0b", 3), long_label}) {
        const auto pem = generate_identity({.names = {name}});
        ASSERT_FALSE(pem) << name;
        EXPECT_EQ(pem.error().code, Code::kBadName);
    }
    EXPECT_FALSE(generate_identity({.names = {}}));
}

TEST(GenerateIdentity, AcceptsANameThatIsTooLongForACommonName) {
    const std::string label(60, 'a');
    const PemIdentity pem = make_pem(KeyType::kP256, {label + "." + label});
    const auto identity = Identity::from_pem(pem.certificate(), pem.key());
    ASSERT_TRUE(identity);
    EXPECT_EQ(identity->subject(), "");
}

TEST(Trust, AcceptsFingerprintsInTheUsualSpellings) {
    const std::string plain = test_identity().identity.fingerprint();
    std::string spelled;
    for (std::size_t i = 0; i < plain.size(); ++i) {
        if (i != 0 && i % 2 == 0) spelled += ':';
        spelled += static_cast<char>(std::toupper(plain[i]));
    }
    EXPECT_TRUE(Trust::fingerprint(plain));
    EXPECT_TRUE(Trust::fingerprint(spelled));
}

TEST(Trust, RefusesWhatIsNoFingerprint) {
    const std::string plain = test_identity().identity.fingerprint();
    std::string not_hex = plain;
    not_hex[5] = 'g';
    for (const std::string& text :
         {std::string(), plain.substr(1), plain + "0", not_hex, " " + plain.substr(1)}) {
        const auto trust = Trust::fingerprint(text);
        ASSERT_FALSE(trust) << text;
        EXPECT_EQ(trust.error().code, Code::kBadFingerprint);
    }
}

TEST(Trust, OnlyTheInsecureOneSaysSo) {
    EXPECT_TRUE(Trust::insecure().is_insecure());
    EXPECT_FALSE(Trust::system().is_insecure());
    EXPECT_FALSE(Trust::fingerprint(test_identity().identity.fingerprint())->is_insecure());
}

TEST(Trust, RefusesAFileWithoutCertificates) {
    EXPECT_EQ(Trust::ca_pem("nothing here").error().code, Code::kNoCertificate);
    EXPECT_EQ(Trust::ca_file("/nonexistent/ca.pem").error().code, Code::kFileNotFound);
}

TEST(CredentialError, EveryCodeHasASentenceOfItsOwn) {
    std::vector<std::string> sentences;
    for (int code = 0; code <= static_cast<int>(Code::kInternal); ++code) {
        sentences.push_back(CredentialError{static_cast<Code>(code), {}}.message());
        EXPECT_FALSE(sentences.back().empty());
    }
    std::sort(sentences.begin(), sentences.end());
    EXPECT_EQ(std::adjacent_find(sentences.begin(), sentences.end()), sentences.end());
}

}  // namespace
}  // namespace stoq
