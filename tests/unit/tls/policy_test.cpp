// What the post-quantum policy promises, between all kinds of peers.
#include <gtest/gtest.h>

#include "support/tls_pair.h"
#include "tls/library.h"

namespace stoq::tls {
namespace {

using test::client_credentials;
using test::make_identity;
using test::server_credentials;
using test::test_identity;
using test::TestIdentity;
using test::TlsPair;
using Code = CredentialError::Code;

constexpr std::uint8_t kHandshakeFailure = 40;
constexpr std::uint8_t kBadCertificate = 42;
constexpr std::uint8_t kInsufficientSecurity = 71;

TlsPair attempt(const Credentials& client, const Credentials& server) {
    TlsPair pair;
    pair.start(client, server);
    pair.run();
    return pair;
}

const HandshakeInfo& client_info(const TlsPair& pair) {
    return pair.client.session->info();
}

// A server with a post-quantum and a classical identity, and clients that trust both.
Credentials dual_server() {
    Credentials server = server_credentials(KeyType::kP256);
    server.identities.push_back(test_identity(KeyType::kMlDsa65).identity);
    return server;
}

Credentials any_client() {
    Credentials client = client_credentials();
    client.trust = Trust::ca_pem(test_identity(KeyType::kP256).pem.certificate() +
                                 test_identity(KeyType::kMlDsa65).pem.certificate())
                       .value();
    return client;
}

// --- Key exchange ---

TEST(PostQuantumKeyExchange, IsRequiredByDefaultForStoqsOwnProtocolsOnly) {
    Credentials classical = client_credentials();
    classical.groups = "X25519";
    Credentials server = server_credentials();
    EXPECT_TRUE(attempt(classical, server).is_complete());
    classical.alpn = {"stoq-file/1"};
    classical.post_quantum.key_exchange = PostQuantum::kOff;
    server.alpn = {"stoq-file/1"};
    EXPECT_FALSE(attempt(classical, server).is_complete());
    // A server of other protocols besides takes whoever comes.
    server.alpn = {"stoq-file/1", "h3"};
    EXPECT_TRUE(attempt(classical, server).is_complete());
}

TEST(PostQuantumKeyExchange, AServerThatRequiresItTellsAClassicalClientSo) {
    Credentials client = client_credentials();
    client.post_quantum.key_exchange = PostQuantum::kOff;
    Credentials server = server_credentials();
    server.post_quantum.key_exchange = PostQuantum::kRequire;
    const TlsPair pair = attempt(client, server);
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.error->code, crypto_error(kInsufficientSecurity));
    EXPECT_EQ(pair.server.error->reason, Reason::kPostQuantumRequired);
    EXPECT_FALSE(pair.server.session->has_pending());
}

TEST(PostQuantumKeyExchange, AClientThatRequiresItFindsNothingInCommonWithAClassicalServer) {
    Credentials client = client_credentials();
    client.post_quantum.key_exchange = PostQuantum::kRequire;
    Credentials server = server_credentials();
    server.post_quantum.key_exchange = PostQuantum::kOff;
    const TlsPair pair = attempt(client, server);
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.error->code, crypto_error(kHandshakeFailure));
    EXPECT_EQ(pair.client.completions, 0);
}

TEST(PostQuantumKeyExchange, PreferredMeetsEverybody) {
    for (const auto policy : {PostQuantum::kOff, PostQuantum::kPrefer, PostQuantum::kRequire}) {
        Credentials other = client_credentials();
        other.post_quantum.key_exchange = policy;
        const TlsPair pair = attempt(other, server_credentials());
        ASSERT_TRUE(pair.is_complete());
        EXPECT_EQ(client_info(pair).post_quantum_key_exchange, policy != PostQuantum::kOff);
        EXPECT_EQ(pair.server.session->info().post_quantum_key_exchange,
                  policy != PostQuantum::kOff);
    }
}

TEST(PostQuantumKeyExchange, OtherGroupsCanBeSelected) {
    for (const char* group : {"SecP384r1MLKEM1024", "MLKEM1024", "SecP256r1MLKEM768"}) {
        Credentials client = client_credentials();
        client.post_quantum.key_exchange = PostQuantum::kRequire;
        client.groups = group;
        Credentials server = server_credentials();
        if (std::string_view(group).starts_with("SecP256")) server.groups = group;
        const TlsPair pair = attempt(client, server);
        ASSERT_TRUE(pair.is_complete()) << group;
        EXPECT_EQ(client_info(pair).group, group);
        EXPECT_TRUE(client_info(pair).post_quantum_key_exchange);
    }
}

TEST(PostQuantumKeyExchange, RequiringItExcludesAnyListWithAClassicalGroup) {
    for (const char* groups : {"X25519", "*X25519MLKEM768 / *X25519", "DEFAULT"}) {
        Credentials credentials = client_credentials();
        credentials.post_quantum.key_exchange = PostQuantum::kRequire;
        credentials.groups = groups;
        const auto context = Context::create(Role::kClient, credentials);
        ASSERT_FALSE(context) << groups;
        EXPECT_EQ(context.error().code, Code::kPolicyConflict);
    }
}

// --- Authentication ---

TEST(PostQuantumAuthentication, OneServerServesBothKindsOfClient) {
    const std::pair<PostQuantum, const char*> cases[] = {
        {PostQuantum::kOff, "ecdsa_secp256r1_sha256"},
        {PostQuantum::kPrefer, "mldsa65"},
        {PostQuantum::kRequire, "mldsa65"},
    };
    for (const auto& [policy, signature] : cases) {
        Credentials client = any_client();
        client.post_quantum.authentication = policy;
        const TlsPair pair = attempt(client, dual_server());
        ASSERT_TRUE(pair.is_complete()) << client_info(pair).failure;
        EXPECT_EQ(client_info(pair).signature, signature);
        EXPECT_EQ(client_info(pair).post_quantum_authentication, policy != PostQuantum::kOff);
        EXPECT_EQ(pair.server.session->info().post_quantum_authentication,
                  policy != PostQuantum::kOff);
    }
}

TEST(PostQuantumAuthentication, AClassicalServerIsTakenWherePreferredAndRefusedWhereRequired) {
    Credentials client = any_client();
    TlsPair pair = attempt(client, server_credentials());
    ASSERT_TRUE(pair.is_complete());
    EXPECT_FALSE(client_info(pair).post_quantum_authentication);
    EXPECT_EQ(client_info(pair).peer_chain, "EC");
    client.post_quantum.authentication = PostQuantum::kRequire;
    pair = attempt(client, server_credentials());
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.error->code, crypto_error(kHandshakeFailure));
    EXPECT_EQ(pair.client.completions, 0);
}

TEST(PostQuantumAuthentication, AServerThatRequiresItTellsAClassicalClientSo) {
    Credentials client = any_client();
    client.post_quantum.authentication = PostQuantum::kOff;
    Credentials server = dual_server();
    server.post_quantum.authentication = PostQuantum::kRequire;
    const TlsPair pair = attempt(client, server);
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.error->code, crypto_error(kInsufficientSecurity));
    EXPECT_EQ(pair.server.error->reason, Reason::kPostQuantumRequired);
}

TEST(PostQuantumAuthentication, AServerNeedsAnIdentityThatItsPolicyAllows) {
    const std::pair<PostQuantum, KeyType> cases[] = {{PostQuantum::kRequire, KeyType::kP256},
                                                     {PostQuantum::kOff, KeyType::kMlDsa65}};
    for (const auto& [policy, type] : cases) {
        Credentials server = server_credentials(type);
        server.post_quantum.authentication = policy;
        const auto context = Context::create(Role::kServer, server);
        ASSERT_FALSE(context);
        EXPECT_EQ(context.error().code, Code::kPolicyConflict);
    }
}

TEST(PostQuantumAuthentication, BothSidesCanBeAuthenticatedSo) {
    Credentials client = client_credentials(KeyType::kMlDsa65);
    client.identities = {test_identity(KeyType::kMlDsa87).identity};
    client.post_quantum.authentication = PostQuantum::kRequire;
    Credentials server = server_credentials(KeyType::kMlDsa65);
    server.trust = Trust::ca_pem(test_identity(KeyType::kMlDsa87).pem.certificate()).value();
    server.client_authentication = ClientAuthentication::kRequired;
    server.post_quantum.authentication = PostQuantum::kRequire;
    const TlsPair pair = attempt(client, server);
    ASSERT_TRUE(pair.is_complete()) << pair.server.session->info().failure;
    const HandshakeInfo& info = pair.server.session->info();
    EXPECT_EQ(info.signature, "mldsa65");
    EXPECT_EQ(info.client_signature, "mldsa87");
    EXPECT_EQ(info.peer_chain, "ML-DSA-87");
    EXPECT_TRUE(info.post_quantum_authentication);
    EXPECT_TRUE(client_info(pair).post_quantum_authentication);
}

TEST(PostQuantumAuthentication, AClassicalClientCertificateIsNoneWhereItIsRequired) {
    Credentials client = client_credentials(KeyType::kMlDsa65);
    client.identities = {test_identity(KeyType::kP256).identity};
    Credentials server = server_credentials(KeyType::kMlDsa65);
    server.trust = Trust::ca_pem(test_identity(KeyType::kP256).pem.certificate()).value();
    server.client_authentication = ClientAuthentication::kRequired;
    server.post_quantum.authentication = PostQuantum::kRequire;
    const TlsPair pair = attempt(client, server);
    ASSERT_TRUE(pair.server.error);
    EXPECT_EQ(pair.server.session->info().certificate_problem, CertificateProblem::kMissing);
}

// The same with Falcon, whose code points and key types come from our own provider.
TEST(PostQuantumAuthentication, FalconServesFalconClientsAndP256TheOthersOnOnePort) {
    if (!kHasFalcon) GTEST_SKIP() << "built without Falcon";
    Credentials server = server_credentials(KeyType::kP256);
    for (const KeyType type : {KeyType::kFalcon1024, KeyType::kMlDsa65, KeyType::kEd25519}) {
        server.identities.push_back(test_identity(type).identity);
    }
    Credentials client = client_credentials();
    client.trust = Trust::insecure();
    const std::pair<PostQuantum, const char*> cases[] = {
        {PostQuantum::kOff, "ecdsa_secp256r1_sha256"},
        {PostQuantum::kPrefer, "falcon1024"},
        {PostQuantum::kRequire, "falcon1024"},
    };
    for (const auto& [policy, signature] : cases) {
        client.post_quantum.authentication = policy;
        const TlsPair pair = attempt(client, server);
        ASSERT_TRUE(pair.is_complete()) << client_info(pair).failure;
        EXPECT_EQ(client_info(pair).signature, signature);
    }
}

TEST(PostQuantumAuthentication, FalconOnBothSides) {
    if (!kHasFalcon) GTEST_SKIP() << "built without Falcon";
    Credentials client = client_credentials(KeyType::kFalconPadded1024);
    client.identities = {test_identity(KeyType::kP521FalconPadded1024).identity};
    Credentials server = server_credentials(KeyType::kFalconPadded1024);
    server.trust =
        Trust::ca_pem(test_identity(KeyType::kP521FalconPadded1024).pem.certificate()).value();
    server.client_authentication = ClientAuthentication::kRequired;
    for (Credentials* side : {&client, &server}) {
        side->post_quantum = {PostQuantum::kRequire, PostQuantum::kRequire};
    }
    const TlsPair pair = attempt(client, server);
    ASSERT_TRUE(pair.is_complete()) << pair.server.session->info().failure;
    const HandshakeInfo& info = pair.server.session->info();
    EXPECT_EQ(info.signature, "falconpadded1024");
    EXPECT_EQ(info.client_signature, "p521_falconpadded1024");
    EXPECT_TRUE(info.post_quantum_authentication);
    EXPECT_TRUE(client_info(pair).post_quantum_authentication);
}

// A chain is as strong as the weakest key in it.
TEST(PostQuantumAuthentication, AClassicalAuthorityAboveAPostQuantumLeafIsNotEnough) {
    const TestIdentity authority =
        make_identity(generate_identity({.key_type = KeyType::kP256,
                                         .names = {"Authority"},
                                         .not_before = test::kTestNotBefore,
                                         .is_ca = true})
                          .value());
    const TestIdentity leaf = make_identity(generate_identity({.key_type = KeyType::kMlDsa65,
                                                               .not_before = test::kTestNotBefore,
                                                               .issuer = authority.identity})
                                                .value());
    Credentials server = server_credentials();
    server.identities = {leaf.identity};
    Credentials client = client_credentials();
    client.trust = Trust::ca_pem(authority.pem.certificate()).value();
    TlsPair pair = attempt(client, server);
    ASSERT_TRUE(pair.is_complete()) << client_info(pair).failure;
    EXPECT_EQ(client_info(pair).signature, "mldsa65");
    EXPECT_EQ(client_info(pair).peer_chain, "ML-DSA-65, EC");
    EXPECT_FALSE(client_info(pair).post_quantum_authentication);

    client.post_quantum.authentication = PostQuantum::kRequire;
    pair = attempt(client, server);
    ASSERT_TRUE(pair.client.error);
    EXPECT_EQ(pair.client.error->code, crypto_error(kBadCertificate));
    EXPECT_EQ(client_info(pair).certificate_problem, CertificateProblem::kNotPostQuantum);
    EXPECT_NE(client_info(pair).failure.find("ML-DSA-65, EC"), std::string::npos);
    // Who pins the key relies on nothing above it.
    client.trust = Trust::fingerprint(leaf.identity.fingerprint()).value();
    EXPECT_TRUE(attempt(client, server).is_complete());
}

// --- Resumption ---

TEST(PostQuantumPolicy, ATicketServesOnlyThePolicyThatItWasMadeUnder) {
    const auto server = Context::create(Role::kServer, dual_server()).value();
    Credentials settings = any_client();
    const auto preferring = Context::create(Role::kClient, settings).value();
    settings.post_quantum.authentication = PostQuantum::kRequire;
    const auto requiring = Context::create(Role::kClient, settings).value();
    TlsPair first;
    first.start(preferring, server);
    first.run();
    ASSERT_FALSE(first.client.tickets.empty());
    TlsPair same;
    same.start(preferring, server, "localhost", first.client.tickets[0]);
    same.run();
    EXPECT_TRUE(client_info(same).resumed);
    EXPECT_EQ(client_info(same).original_signature, "mldsa65");
    EXPECT_TRUE(client_info(same).post_quantum_authentication);
    TlsPair stricter;
    stricter.start(requiring, server, "localhost", first.client.tickets[1]);
    stricter.run();
    ASSERT_TRUE(stricter.is_complete());
    EXPECT_FALSE(client_info(stricter).resumed);
}

TEST(PostQuantumPolicy, AServerOfAStricterPolicyDoesNotTakeEarlierTickets) {
    const TicketSecret secret{1, 2, 3};
    Credentials settings = dual_server();
    const auto preferring = Context::create(Role::kServer, settings, {&secret, 1}).value();
    settings.post_quantum.authentication = PostQuantum::kRequire;
    const auto requiring = Context::create(Role::kServer, settings, {&secret, 1}).value();
    const auto client = Context::create(Role::kClient, any_client()).value();
    TlsPair first;
    first.start(client, preferring);
    first.run();
    ASSERT_FALSE(first.client.tickets.empty());
    TlsPair second;
    second.start(client, requiring, "localhost", first.client.tickets[0]);
    second.run();
    ASSERT_TRUE(second.is_complete()) << client_info(second).failure;
    EXPECT_FALSE(client_info(second).resumed);
}

}  // namespace
}  // namespace stoq::tls
