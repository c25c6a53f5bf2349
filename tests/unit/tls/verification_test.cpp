// How a peer's certificate is judged, and what the user is told.
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "support/tls_pair.h"

namespace stoq::tls {
namespace {

using test::client_credentials;
using test::make_identity;
using test::make_pem;
using test::server_credentials;
using test::test_identity;
using test::TlsPair;

constexpr std::uint8_t kBadCertificate = 42;
constexpr std::uint8_t kCertificateExpired = 45;
constexpr std::uint8_t kUnknownCa = 48;
constexpr std::uint8_t kCertificateRequired = 116;

void expect_refused(const TlsPair& pair, CertificateProblem problem, std::uint8_t alert,
                    std::string_view said) {
    ASSERT_TRUE(pair.client.error);
    EXPECT_EQ(pair.client.error->code, crypto_error(alert));
    EXPECT_EQ(pair.client.error->reason, Reason::kTlsAlert);
    const HandshakeInfo& info = pair.client.session->info();
    EXPECT_EQ(info.certificate_problem, problem);
    EXPECT_NE(info.failure.find(said), std::string::npos) << info.failure;
    EXPECT_EQ(pair.client.completions, 0);
    EXPECT_FALSE(pair.client.session->has_pending()) << "nothing follows a refusal";
}

TlsPair attempt(const Credentials& client, const Credentials& server,
                std::string_view name = "localhost") {
    TlsPair pair;
    pair.start(client, server, name);
    pair.run();
    return pair;
}

//= test 9001-4.4-1
//= test 9001-4.8-1
TEST(TlsVerification, RefusesAnUnknownIssuer) {
    Credentials client = client_credentials();
    client.trust = Trust::ca_pem(make_pem().certificate()).value();
    expect_refused(attempt(client, server_credentials()), CertificateProblem::kUnknownIssuer,
                   kUnknownCa, "CN=localhost");
    client.trust.reset();  // the system's authorities
    expect_refused(attempt(client, server_credentials()), CertificateProblem::kUnknownIssuer,
                   kUnknownCa, "CN=localhost");
}

TEST(TlsVerification, RefusesOutsideOfTheValidity) {
    Credentials client = client_credentials();
    client.verification_time = test::kTestNotBefore + std::chrono::hours(24 * 365 + 1);
    expect_refused(attempt(client, server_credentials()), CertificateProblem::kExpired,
                   kCertificateExpired, "expired on 2027-01-01 00:00 UTC");
    client.verification_time = test::kTestNotBefore - std::chrono::hours(1);
    expect_refused(attempt(client, server_credentials()), CertificateProblem::kNotYetValid,
                   kBadCertificate, "not valid before 2026-01-01 00:00 UTC");
}

TEST(TlsVerification, ChecksTheNameOrAddress) {
    for (const char* name : {"localhost", "LOCALHOST", "localhost.", "127.0.0.1", "::1", "[::1]"}) {
        EXPECT_TRUE(attempt(client_credentials(), server_credentials(), name).is_complete())
            << name;
    }
    for (const char* name : {"example.org", "127.0.0.2", "::2", "sub.localhost"}) {
        expect_refused(attempt(client_credentials(), server_credentials(), name),
                       CertificateProblem::kWrongHost, kBadCertificate,
                       "localhost, 127.0.0.1, [::1]");
    }
}

TEST(TlsVerification, SendsNamesButNoAddressesAsServerName) {
    EXPECT_EQ(attempt(client_credentials(), server_credentials(), "localhost")
                  .server.session->info()
                  .server_name,
              "localhost");
    EXPECT_EQ(attempt(client_credentials(), server_credentials(), "127.0.0.1")
                  .server.session->info()
                  .server_name,
              "");
}

TEST(TlsVerification, APinnedKeyNeedsNoIssuerNameOrDate) {
    Credentials client = client_credentials();
    client.trust = Trust::fingerprint(test_identity().identity.fingerprint()).value();
    client.verification_time = test::kTestNotBefore + std::chrono::hours(24 * 3650);
    EXPECT_TRUE(attempt(client, server_credentials(), "elsewhere.example").is_complete());
    EXPECT_TRUE(attempt(client, server_credentials(), "").is_complete());
}

TEST(TlsVerification, RefusesAnyKeyButThePinnedOne) {
    Credentials client = client_credentials();
    client.trust =
        Trust::fingerprint(test_identity(KeyType::kEd25519).identity.fingerprint()).value();
    expect_refused(attempt(client, server_credentials()), CertificateProblem::kPinMismatch,
                   kBadCertificate, test_identity().identity.fingerprint());
}

TEST(TlsVerification, InsecureTrustAcceptsAnybody) {
    Credentials client = client_credentials();
    client.trust = Trust::insecure();
    client.verification_time = test::kTestNotBefore + std::chrono::hours(24 * 3650);
    EXPECT_TRUE(attempt(client, server_credentials(), "elsewhere.example").is_complete());
}

// A root, an intermediate and a leaf, signed by hand.
class Chain {
public:
    Chain() {
        root_ = sign("Root", root_key_.get(), nullptr, root_key_.get(), /*authority=*/true);
        intermediate_ = sign("Intermediate", intermediate_key_.get(), root_.get(), root_key_.get(),
                             /*authority=*/true);
        leaf_ = sign("Leaf", leaf_key_.get(), intermediate_.get(), intermediate_key_.get(),
                     /*authority=*/false);
    }

    std::string root() const { return text_of(*root_); }
    std::string intermediate() const { return text_of(*intermediate_); }
    std::string leaf() const { return text_of(*leaf_); }
    std::string leaf_key() const {
        const BioHandle text(BIO_new(BIO_s_mem()));
        PEM_write_bio_PKCS8PrivateKey(text.get(), leaf_key_.get(), nullptr, nullptr, 0, nullptr,
                                      nullptr);
        return contents_of(*text);
    }

private:
    static KeyHandle make_key() {
        return KeyHandle(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
    }

    static std::string contents_of(BIO& bio) {
        char* data = nullptr;
        const long length = BIO_get_mem_data(&bio, &data);
        return {data, static_cast<std::size_t>(length)};
    }

    static std::string text_of(const X509& certificate) {
        const BioHandle text(BIO_new(BIO_s_mem()));
        PEM_write_bio_X509(text.get(), &certificate);
        return contents_of(*text);
    }

    static void extend(X509& certificate, int id, const char* value) {
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value);
        X509_add_ext(&certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }

    static CertificateHandle sign(const char* name, EVP_PKEY* key, const X509* issuer,
                                  EVP_PKEY* issuer_key, bool authority) {
        CertificateHandle certificate(X509_new());
        X509_set_version(certificate.get(), X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 7);
        const auto begin = test::kTestNotBefore.time_since_epoch().count();
        ASN1_TIME_set(X509_getm_notBefore(certificate.get()), begin);
        ASN1_TIME_set(X509_getm_notAfter(certificate.get()), begin + 300 * 24 * 3600);
        X509_set_pubkey(certificate.get(), key);
        X509_NAME* subject = X509_get_subject_name(certificate.get());
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
        X509_set_issuer_name(certificate.get(),
                             issuer != nullptr ? X509_get_subject_name(issuer) : subject);
        extend(*certificate, NID_basic_constraints,
               authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
        if (!authority) extend(*certificate, NID_subject_alt_name, "DNS:localhost");
        X509_sign(certificate.get(), issuer_key, EVP_sha256());
        return certificate;
    }

    KeyHandle root_key_ = make_key();
    KeyHandle intermediate_key_ = make_key();
    KeyHandle leaf_key_ = make_key();
    CertificateHandle root_;
    CertificateHandle intermediate_;
    CertificateHandle leaf_;
};

TEST(TlsVerification, FollowsTheChainThatTheServerSends) {
    const Chain chain;
    Credentials server = server_credentials();
    server.identities = {
        Identity::from_pem(chain.leaf() + chain.intermediate(), chain.leaf_key()).value()};
    Credentials client = client_credentials();
    client.trust = Trust::ca_pem(chain.root()).value();
    EXPECT_TRUE(attempt(client, server).is_complete());
    // Whoever is in the file is believed, below the root too.
    client.trust = Trust::ca_pem(chain.intermediate()).value();
    EXPECT_TRUE(attempt(client, server).is_complete());
    client.trust = Trust::ca_pem(chain.leaf()).value();
    EXPECT_TRUE(attempt(client, server).is_complete());
}

TEST(TlsVerification, RefusesAChainWithAHole) {
    const Chain chain;
    Credentials server = server_credentials();
    server.identities = {Identity::from_pem(chain.leaf(), chain.leaf_key()).value()};
    Credentials client = client_credentials();
    client.trust = Trust::ca_pem(chain.root()).value();
    expect_refused(attempt(client, server), CertificateProblem::kUnknownIssuer, kUnknownCa,
                   "CN=Leaf");
}

TEST(TlsVerification, AServerRefusesAClientWithoutTheRequiredCertificate) {
    Credentials server = server_credentials();
    server.client_authentication = ClientAuthentication::kRequired;
    server.trust = Trust::ca_pem(test_identity().pem.certificate()).value();
    const TlsPair pair = attempt(client_credentials(), server);
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.error->code, crypto_error(kCertificateRequired));
    EXPECT_EQ(pair.server.session->info().certificate_problem, CertificateProblem::kMissing);
    EXPECT_EQ(pair.server.completions, 0);
}

TEST(TlsVerification, AServerRefusesAClientThatItDoesNotKnow) {
    for (const auto mode : {ClientAuthentication::kOptional, ClientAuthentication::kRequired}) {
        Credentials server = server_credentials();
        server.client_authentication = mode;
        server.trust = Trust::fingerprint(test_identity().identity.fingerprint()).value();
        Credentials client = client_credentials();
        client.identities = {test_identity(KeyType::kEd25519).identity};
        const TlsPair pair = attempt(client, server);
        ASSERT_TRUE(pair.server.error);
        EXPECT_EQ(pair.server.error->code, crypto_error(kBadCertificate));
        EXPECT_EQ(pair.server.session->info().certificate_problem,
                  CertificateProblem::kPinMismatch);
        EXPECT_EQ(pair.server.completions, 0);
    }
}

// Text from a certificate goes to terminals.
TEST(TlsVerification, DescriptionsCarryNoControlCharacters) {
    BioHandle text(BIO_new(BIO_s_mem()));
    const KeyHandle key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    CertificateHandle certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    X509_set_pubkey(certificate.get(), key.get());
    const auto begin = test::kTestNotBefore.time_since_epoch().count();
    ASN1_TIME_set(X509_getm_notBefore(certificate.get()), begin);
    ASN1_TIME_set(X509_getm_notAfter(certificate.get()), begin + 300 * 24 * 3600);
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    const unsigned char name[] = "\x1b[31mred\n";
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, -1, -1, 0);
    X509_set_issuer_name(certificate.get(), subject);
    X509_sign(certificate.get(), key.get(), nullptr);
    PEM_write_bio_X509(text.get(), certificate.get());
    char* data = nullptr;
    const long length = BIO_get_mem_data(text.get(), &data);
    const std::string certificate_pem(data, static_cast<std::size_t>(length));
    BioHandle key_text(BIO_new(BIO_s_mem()));
    PEM_write_bio_PKCS8PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    const long key_length = BIO_get_mem_data(key_text.get(), &data);
    const auto identity = Identity::from_pem(
        certificate_pem, std::string(data, static_cast<std::size_t>(key_length)));
    ASSERT_TRUE(identity);
    for (const char c : identity->subject()) EXPECT_TRUE(c >= ' ' && c <= '~');
    EXPECT_NE(identity->subject().find("red"), std::string::npos);
}

}  // namespace
}  // namespace stoq::tls
