// Raw public keys (RFC 7250) on both sides, and where certificates take their place.
#include <gtest/gtest.h>

#include "support/tls_pair.h"
#include "tls/library.h"

namespace stoq::tls {
namespace {

using test::client_credentials;
using test::server_credentials;
using test::test_identity;
using test::TlsPair;
using Code = CredentialError::Code;

constexpr std::uint8_t kBadCertificate = 42;
constexpr std::uint8_t kUnsupportedCertificate = 43;

TlsPair attempt(const Credentials& client, const Credentials& server) {
    TlsPair pair;
    pair.start(client, server);
    pair.run();
    return pair;
}

const HandshakeInfo& info_of(const test::TlsSide& side) {
    return side.session->info();
}

// The bare key of test_identity(type).
Identity raw_identity(KeyType type) {
    return Identity::raw_from_pem(test_identity(type).pem.key()).value();
}

Credentials raw_server(KeyType type = KeyType::kMlDsa65) {
    Credentials server = server_credentials();
    server.identities = {raw_identity(type)};
    return server;
}

Credentials pinning_client(KeyType type = KeyType::kMlDsa65) {
    Credentials client = client_credentials();
    client.trust = Trust::fingerprint(test_identity(type).identity.fingerprint()).value();
    return client;
}

TEST(RawPublicKey, HasTheFingerprintOfTheCertificatesKeyAndNoDates) {
    for (const KeyType type : {KeyType::kP256, KeyType::kEd25519, KeyType::kMlDsa65}) {
        const Identity raw = raw_identity(type);
        EXPECT_EQ(raw.fingerprint(), test_identity(type).identity.fingerprint());
        EXPECT_TRUE(raw.is_raw());
        EXPECT_FALSE(test_identity(type).identity.is_raw());
        EXPECT_TRUE(raw.subject().empty());
        EXPECT_EQ(raw.not_after(), std::chrono::sys_seconds::max());
    }
}

TEST(RawPublicKey, IdentifiesAServerToAClientThatPinsIt) {
    for (const KeyType type : {KeyType::kP256, KeyType::kEd25519, KeyType::kMlDsa65}) {
        const TlsPair pair = attempt(pinning_client(type), raw_server(type));
        ASSERT_TRUE(pair.is_complete()) << info_of(pair.client).failure;
        EXPECT_EQ(info_of(pair.client).peer_certificate_type, CertificateType::kRawPublicKey);
        EXPECT_EQ(info_of(pair.client).peer_fingerprint,
                  test_identity(type).identity.fingerprint());
        EXPECT_EQ(info_of(pair.client).post_quantum_authentication, type == KeyType::kMlDsa65);
    }
}

TEST(RawPublicKey, CanBeAFalconKey) {
    if (!kHasFalcon) GTEST_SKIP() << "built without Falcon";
    Credentials client = pinning_client(KeyType::kFalconPadded1024);
    client.post_quantum = {PostQuantum::kRequire, PostQuantum::kRequire};
    client.raw_public_keys = RawPublicKeys::kRequire;
    const TlsPair pair = attempt(client, raw_server(KeyType::kFalconPadded1024));
    ASSERT_TRUE(pair.is_complete()) << info_of(pair.client).failure;
    EXPECT_EQ(info_of(pair.client).peer_certificate_type, CertificateType::kRawPublicKey);
    EXPECT_EQ(info_of(pair.client).peer_chain, "falconpadded1024");
    EXPECT_TRUE(info_of(pair.client).post_quantum_authentication);
}

TEST(RawPublicKey, OfAServerWithACertificateSavesAPinningClientTheCertificate) {
    const TlsPair pair = attempt(pinning_client(), server_credentials(KeyType::kMlDsa65));
    ASSERT_TRUE(pair.is_complete()) << info_of(pair.client).failure;
    EXPECT_EQ(info_of(pair.client).peer_certificate_type, CertificateType::kRawPublicKey);
}

TEST(RawPublicKey, GivesWayToACertificateWhereOnlyOneSideCan) {
    Credentials client = pinning_client();
    client.raw_public_keys = RawPublicKeys::kOff;
    TlsPair pair = attempt(client, server_credentials(KeyType::kMlDsa65));
    ASSERT_TRUE(pair.is_complete());
    EXPECT_EQ(info_of(pair.client).peer_certificate_type, CertificateType::kX509);
    Credentials server = server_credentials(KeyType::kMlDsa65);
    server.raw_public_keys = RawPublicKeys::kOff;
    pair = attempt(pinning_client(), server);
    ASSERT_TRUE(pair.is_complete());
    EXPECT_EQ(info_of(pair.client).peer_certificate_type, CertificateType::kX509);
}

TEST(RawPublicKey, AClientThatRequiresOneRefusesTheCertificateOfThePinnedKey) {
    Credentials client = pinning_client();
    client.raw_public_keys = RawPublicKeys::kRequire;
    Credentials server = server_credentials(KeyType::kMlDsa65);
    server.raw_public_keys = RawPublicKeys::kOff;
    const TlsPair pair = attempt(client, server);
    ASSERT_TRUE(pair.client.error);
    EXPECT_EQ(pair.client.error->code, crypto_error(kUnsupportedCertificate));
    EXPECT_EQ(info_of(pair.client).certificate_problem, CertificateProblem::kNotRaw);
    EXPECT_EQ(pair.client.completions, 0);
}

TEST(RawPublicKey, AnotherThanThePinnedOneIsRefused) {
    const TlsPair pair = attempt(pinning_client(KeyType::kP256), raw_server());
    ASSERT_TRUE(pair.client.error);
    EXPECT_EQ(info_of(pair.client).certificate_problem, CertificateProblem::kPinMismatch);
    EXPECT_EQ(pair.client.error->code, crypto_error(kBadCertificate));
}

TEST(RawPublicKey, AServerWithNothingElseTellsAClientThatWantsACertificateSo) {
    const TlsPair pair = attempt(client_credentials(KeyType::kMlDsa65), raw_server());
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.error->code, crypto_error(kUnsupportedCertificate));
    EXPECT_NE(info_of(pair.server).failure.find("raw public key"), std::string::npos);
    Credentials server = server_credentials(KeyType::kMlDsa65);
    server.raw_public_keys = RawPublicKeys::kRequire;
    server.trust = Trust::insecure();
    EXPECT_FALSE(attempt(client_credentials(KeyType::kMlDsa65), server).is_complete());
}

TEST(RawPublicKey, BesideACertificateServesEachClientWithWhatItKnows) {
    Credentials server = raw_server(KeyType::kMlDsa65);
    server.identities.push_back(test_identity(KeyType::kP256).identity);
    TlsPair pair = attempt(pinning_client(KeyType::kMlDsa65), server);
    ASSERT_TRUE(pair.is_complete());
    EXPECT_EQ(info_of(pair.client).signature, "mldsa65");
    // This one offers ML-DSA too, but no raw keys.
    pair = attempt(client_credentials(KeyType::kP256), server);
    ASSERT_TRUE(pair.is_complete()) << info_of(pair.server).failure;
    EXPECT_EQ(info_of(pair.client).signature, "ecdsa_secp256r1_sha256");
    EXPECT_EQ(info_of(pair.client).peer_certificate_type, CertificateType::kX509);
}

TEST(RawPublicKey, IdentifiesAClientToo) {
    Credentials client = pinning_client(KeyType::kMlDsa65);
    client.identities = {raw_identity(KeyType::kMlDsa87)};
    Credentials server = raw_server(KeyType::kMlDsa65);
    server.trust =
        Trust::fingerprint(test_identity(KeyType::kMlDsa87).identity.fingerprint()).value();
    server.client_authentication = ClientAuthentication::kRequired;
    server.raw_public_keys = RawPublicKeys::kRequire;
    const TlsPair pair = attempt(client, server);
    ASSERT_TRUE(pair.is_complete()) << info_of(pair.server).failure;
    EXPECT_EQ(info_of(pair.server).peer_certificate_type, CertificateType::kRawPublicKey);
    EXPECT_EQ(info_of(pair.server).peer_fingerprint,
              test_identity(KeyType::kMlDsa87).identity.fingerprint());
    EXPECT_EQ(info_of(pair.server).client_signature, "mldsa87");
}

TEST(RawPublicKey, OfAClientIsNoAnswerToAServerWithAuthorities) {
    Credentials client = client_credentials(KeyType::kP256);
    client.identities = {raw_identity(KeyType::kMlDsa65)};
    Credentials server = server_credentials(KeyType::kP256);
    server.trust = Trust::ca_pem(test_identity(KeyType::kMlDsa65).pem.certificate()).value();
    server.client_authentication = ClientAuthentication::kRequired;
    const TlsPair pair = attempt(client, server);
    EXPECT_FALSE(pair.is_complete());
    EXPECT_EQ(info_of(pair.server).certificate_problem, CertificateProblem::kMissing);
}

TEST(RawPublicKey, SurvivesResumption) {
    const auto client = Context::create(Role::kClient, pinning_client()).value();
    const auto server = Context::create(Role::kServer, raw_server()).value();
    TlsPair first;
    first.start(client, server);
    first.run();
    ASSERT_FALSE(first.client.tickets.empty());
    TlsPair second;
    second.start(client, server, "localhost", first.client.tickets[0]);
    second.run();
    ASSERT_TRUE(second.is_complete()) << info_of(second.client).failure;
    EXPECT_TRUE(info_of(second.client).resumed);
    EXPECT_EQ(info_of(second.client).peer_certificate_type, CertificateType::kRawPublicKey);
    EXPECT_EQ(info_of(second.client).peer_fingerprint,
              test_identity(KeyType::kMlDsa65).identity.fingerprint());
}

TEST(RawPublicKey, ContradictionsAreErrors) {
    Credentials client = client_credentials();
    client.raw_public_keys = RawPublicKeys::kRequire;
    auto context = Context::create(Role::kClient, client);
    ASSERT_FALSE(context) << "an authority cannot judge a bare key";
    EXPECT_EQ(context.error().code, Code::kPolicyConflict);
    Credentials server = raw_server();
    server.raw_public_keys = RawPublicKeys::kOff;
    context = Context::create(Role::kServer, server);
    ASSERT_FALSE(context) << "nothing could be shown";
    EXPECT_EQ(context.error().code, Code::kPolicyConflict);
}

}  // namespace
}  // namespace stoq::tls
