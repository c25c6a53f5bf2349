// Handshakes that succeed.
#include <algorithm>

#include <gtest/gtest.h>

#include "support/tls_pair.h"
#include "tls/library.h"

namespace stoq::tls {
namespace {

using test::client_credentials;
using test::server_credentials;
using test::test_identity;
using test::TlsPair;
using test::TlsSide;

void expect_complete(const TlsPair& pair) {
    EXPECT_FALSE(pair.client.error) << pair.client.session->info().failure;
    EXPECT_FALSE(pair.server.error) << pair.server.session->info().failure;
    EXPECT_TRUE(pair.is_complete());
}

void expect_equal_secrets(const TlsPair& pair) {
    for (const EncryptionLevel level : {EncryptionLevel::kHandshake, EncryptionLevel::kOneRtt}) {
        for (const Direction direction : {Direction::kReceive, Direction::kSend}) {
            const Direction other =
                direction == Direction::kSend ? Direction::kReceive : Direction::kSend;
            const auto mine = pair.client.secrets.find({level, direction});
            const auto theirs = pair.server.secrets.find({level, other});
            ASSERT_NE(mine, pair.client.secrets.end());
            ASSERT_NE(theirs, pair.server.secrets.end());
            EXPECT_EQ(mine->second, theirs->second);
            EXPECT_GE(mine->second.size(), 32u);
        }
    }
    const auto secret = [&pair](Direction direction) {
        return pair.client.secrets.at({EncryptionLevel::kOneRtt, direction});
    };
    EXPECT_NE(secret(Direction::kSend), secret(Direction::kReceive));
}

void expect_handshake_signed_with(KeyType type, const char* signature) {
    SCOPED_TRACE(signature);
    TlsPair pair;
    pair.start(client_credentials(type), server_credentials(type));
    pair.run();
    expect_complete(pair);
    expect_equal_secrets(pair);
    EXPECT_EQ(pair.client.session->info().signature, signature);
    EXPECT_EQ(pair.server.session->info().signature, signature);
}

TEST(TlsHandshake, CompletesWithEachClassicalKindOfIdentity) {
    expect_handshake_signed_with(KeyType::kP256, "ecdsa_secp256r1_sha256");
    expect_handshake_signed_with(KeyType::kEd25519, "ed25519");
}

TEST(TlsHandshake, CompletesWithEachKindOfMlDsaIdentity) {
    expect_handshake_signed_with(KeyType::kMlDsa65, "mldsa65");
    expect_handshake_signed_with(KeyType::kMlDsa87, "mldsa87");
}

TEST(TlsHandshake, CompletesWithEachFalconKindOfIdentity) {
    if (!kHasFalcon) GTEST_SKIP() << "built without Falcon";
    const std::pair<KeyType, const char*> kinds[] = {
        {KeyType::kFalcon512, "falcon512"},
        {KeyType::kFalcon1024, "falcon1024"},
        {KeyType::kFalconPadded512, "falconpadded512"},
        {KeyType::kFalconPadded1024, "falconpadded1024"},
        {KeyType::kP256Falcon512, "p256_falcon512"},
        {KeyType::kP521Falcon1024, "p521_falcon1024"},
        {KeyType::kP256FalconPadded512, "p256_falconpadded512"},
        {KeyType::kP521FalconPadded1024, "p521_falconpadded1024"},
    };
    for (const auto& [type, signature] : kinds) expect_handshake_signed_with(type, signature);
}

TEST(TlsHandshake, AServerMayHoldIdentitiesOfTwoKinds) {
    Credentials server = server_credentials(KeyType::kP256);
    server.identities.push_back(test_identity(KeyType::kEd25519).identity);
    Credentials client = client_credentials();
    client.trust = Trust::insecure();
    TlsPair pair;
    pair.start(client, server);
    pair.run();
    expect_complete(pair);
    const HandshakeInfo& info = pair.client.session->info();
    const KeyType shown = info.signature == "ed25519" ? KeyType::kEd25519 : KeyType::kP256;
    EXPECT_EQ(info.peer_fingerprint, test_identity(shown).identity.fingerprint());
}

TEST(TlsHandshake, ExchangesTransportParametersAndInfo) {
    TlsPair pair;
    pair.start(client_credentials(), server_credentials());
    pair.run();
    expect_complete(pair);
    EXPECT_EQ(pair.server.peer_parameters, TlsPair::kClientParameters);
    EXPECT_EQ(pair.client.peer_parameters, TlsPair::kServerParameters);
    const HandshakeInfo& client = pair.client.session->info();
    const HandshakeInfo& server = pair.server.session->info();
    EXPECT_EQ(client.alpn, "test");
    EXPECT_EQ(server.alpn, "test");
    EXPECT_EQ(server.server_name, "localhost");
    EXPECT_EQ(client.peer_fingerprint, test_identity().identity.fingerprint());
    EXPECT_EQ(client.peer_subject, "CN=localhost");
    EXPECT_TRUE(server.peer_fingerprint.empty());
    EXPECT_FALSE(client.resumed);
    EXPECT_TRUE(client.failure.empty());
}

TEST(TlsHandshake, NegotiatesTheHybridGroupByDefault) {
    TlsPair pair;
    pair.start(client_credentials(), server_credentials());
    pair.run();
    expect_complete(pair);
    EXPECT_EQ(pair.client.session->info().group, "X25519MLKEM768");
    EXPECT_EQ(pair.server.session->info().group, "X25519MLKEM768");
}

TEST(TlsHandshake, FallsBackToClassicalGroups) {
    struct Case {
        const char* server_groups;
        const char* group;
        int client_hellos;
    };
    // The second has no key share in the first ClientHello: a HelloRetryRequest comes first.
    for (const Case& each : {Case{"X25519", "x25519", 1}, Case{"P-256", "secp256r1", 2}}) {
        TlsPair pair;
        Credentials server = server_credentials();
        server.groups = each.server_groups;
        pair.start(client_credentials(), server);
        int client_hellos = 0;
        pair.meddle = [&](Role from, EncryptionLevel level, auto&) {
            client_hellos += from == Role::kClient && level == EncryptionLevel::kInitial;
        };
        pair.run();
        expect_complete(pair);
        expect_equal_secrets(pair);
        EXPECT_EQ(pair.client.session->info().group, each.group);
        EXPECT_EQ(client_hellos, each.client_hellos) << each.group;
    }
}

TEST(TlsHandshake, NegotiatesEachCipherSuite) {
    struct Case {
        CipherSuites allowed;
        crypto::CipherSuite suite;
        const char* name;
        std::size_t secret_length;
    };
    const Case cases[] = {
        {{true, false, false}, crypto::CipherSuite::kAes128GcmSha256, "TLS_AES_128_GCM_SHA256", 32},
        {{false, true, false}, crypto::CipherSuite::kAes256GcmSha384, "TLS_AES_256_GCM_SHA384", 48},
        {{false, false, true},
         crypto::CipherSuite::kChaCha20Poly1305Sha256,
         "TLS_CHACHA20_POLY1305_SHA256",
         32},
    };
    for (const Case& each : cases) {
        TlsPair pair;
        Credentials client = client_credentials();
        client.cipher_suites = each.allowed;
        pair.start(client, server_credentials());
        pair.run();
        expect_complete(pair);
        EXPECT_EQ(pair.client.session->info().cipher_suite, each.name);
        for (const TlsSide* side : {&pair.client, &pair.server}) {
            EXPECT_EQ(side->cipher_suites.at(EncryptionLevel::kHandshake), each.suite);
            EXPECT_EQ(side->cipher_suites.at(EncryptionLevel::kOneRtt), each.suite);
            for (const auto& [key, secret] : side->secrets) {
                EXPECT_EQ(secret.size(), each.secret_length);
            }
        }
    }
}

TEST(TlsHandshake, PrefersAes128) {
    TlsPair pair;
    pair.start(client_credentials(), server_credentials());
    pair.run();
    EXPECT_EQ(pair.client.session->info().cipher_suite, "TLS_AES_128_GCM_SHA256");
}

//= test 9001-8.1-1
TEST(TlsHandshake, TheServersOrderOfProtocolsDecides) {
    TlsPair pair;
    Credentials client = client_credentials();
    client.alpn = {"b", "a", "c"};
    Credentials server = server_credentials();
    server.alpn = {"x", "a", "b"};
    pair.start(client, server);
    pair.run();
    expect_complete(pair);
    EXPECT_EQ(pair.client.session->info().alpn, "a");
    EXPECT_EQ(pair.server.session->info().alpn, "a");
}

TEST(TlsHandshake, WorksOneByteAtATime) {
    TlsPair pair;
    pair.chunk = 1;
    pair.start(client_credentials(), server_credentials());
    pair.run();
    expect_complete(pair);
    expect_equal_secrets(pair);
}

TEST(TlsHandshake, WorksWithTheClientHelloCutAnywhere) {
    Credentials client = client_credentials();
    client.groups = "X25519";
    const auto client_context = Context::create(Role::kClient, client).value();
    const auto server_context = Context::create(Role::kServer, server_credentials()).value();
    std::size_t length = SIZE_MAX;
    for (std::size_t cut = 1; cut < length; ++cut) {
        TlsPair pair;
        pair.start(client_context, server_context);
        const auto hello = pair.client.take(EncryptionLevel::kInitial);
        length = hello.size();
        pair.server.receive(EncryptionLevel::kInitial, ByteView(hello).first(cut));
        EXPECT_FALSE(pair.server.session->has_pending()) << cut;
        EXPECT_FALSE(pair.server.peer_parameters) << cut;
        pair.server.receive(EncryptionLevel::kInitial, ByteView(hello).subspan(cut));
        ASSERT_FALSE(pair.server.error) << cut;
        ASSERT_TRUE(pair.server.session->has_pending()) << cut;
    }
    EXPECT_LT(length, 1000u) << "the loop ended by the length of the ClientHello";
}

TEST(TlsHandshake, TheServersFlightArrivesCutAnywhere) {
    Credentials client = client_credentials();
    client.groups = "X25519";
    const auto client_context = Context::create(Role::kClient, client).value();
    const auto server_context = Context::create(Role::kServer, server_credentials()).value();
    std::size_t length = SIZE_MAX;
    for (std::size_t cut = 1; cut < length; cut += 7) {
        TlsPair pair;
        pair.start(client_context, server_context);
        pair.move(Role::kClient);
        pair.client.receive(EncryptionLevel::kInitial, pair.server.take(EncryptionLevel::kInitial));
        const auto flight = pair.server.take(EncryptionLevel::kHandshake);
        // An ECDSA signature is now and then a byte or two shorter than the one before.
        length = flight.size();
        if (cut >= length) break;
        pair.client.receive(EncryptionLevel::kHandshake, ByteView(flight).first(cut));
        EXPECT_EQ(pair.client.completions, 0) << cut;
        pair.client.receive(EncryptionLevel::kHandshake, ByteView(flight).subspan(cut));
        pair.run();
        ASSERT_TRUE(pair.is_complete()) << cut;
    }
}

TEST(TlsHandshake, CarriesAChainOfPostQuantumSize) {
    // 30 copies of one certificate behind the leaf: no path is built through them, but they travel.
    const auto& own = test_identity();
    std::string chain;
    for (int i = 0; i < 30; ++i) chain += own.pem.certificate();
    Credentials server = server_credentials();
    server.identities = {Identity::from_pem(chain, own.pem.key()).value()};
    TlsPair pair;
    pair.start(client_credentials(), server);
    pair.run();
    expect_complete(pair);
}

TEST(TlsHandshake, LogsKeysWhenAskedTo) {
    std::vector<std::string> lines;
    Credentials client = client_credentials();
    client.key_log = [&lines](std::string_view line) { lines.emplace_back(line); };
    TlsPair pair;
    pair.start(client, server_credentials());
    pair.run();
    expect_complete(pair);
    for (const std::string label :
         {"CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "SERVER_HANDSHAKE_TRAFFIC_SECRET ",
          "CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 "}) {
        EXPECT_EQ(
            std::ranges::count_if(lines, [&](const auto& line) { return line.starts_with(label); }),
            1)
            << label;
    }
}

TEST(TlsHandshake, ASessionOutlivesTheCallersHoldOnItsContext) {
    TlsPair pair;
    {
        auto client = Context::create(Role::kClient, client_credentials()).value();
        auto server = Context::create(Role::kServer, server_credentials()).value();
        pair.start(std::move(client), std::move(server));
    }
    pair.run();
    expect_complete(pair);
}

TEST(TlsHandshake, AuthenticatesTheClientWhenAskedTo) {
    for (const auto mode : {ClientAuthentication::kOptional, ClientAuthentication::kRequired}) {
        Credentials server = server_credentials();
        server.client_authentication = mode;
        server.trust = Trust::ca_pem(test_identity(KeyType::kEd25519).pem.certificate()).value();
        Credentials client = client_credentials();
        client.identities = {test_identity(KeyType::kEd25519).identity};
        TlsPair pair;
        pair.start(client, server);
        pair.run();
        expect_complete(pair);
        EXPECT_EQ(pair.server.session->info().peer_fingerprint,
                  test_identity(KeyType::kEd25519).identity.fingerprint());
    }
}

TEST(TlsHandshake, AClientWithoutCertificateIsWelcomeWhereItIsOptional) {
    Credentials server = server_credentials();
    server.client_authentication = ClientAuthentication::kOptional;
    server.trust = Trust::ca_pem(test_identity().pem.certificate()).value();
    TlsPair pair;
    pair.start(client_credentials(), server);
    pair.run();
    expect_complete(pair);
    EXPECT_TRUE(pair.server.session->info().peer_fingerprint.empty());
}

//= test 9001-6-3
TEST(TlsHandshake, AKeyUpdateMessageIsAnError) {
    TlsPair pair;
    pair.start(client_credentials(), server_credentials());
    pair.run();
    ASSERT_TRUE(pair.is_complete());
    constexpr std::array<std::uint8_t, 5> kKeyUpdate{24, 0, 0, 1, 0};
    constexpr std::uint8_t kUnexpectedMessage = 10;
    const auto result = pair.client.session->receive(EncryptionLevel::kOneRtt, kKeyUpdate);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, crypto_error(kUnexpectedMessage));
}

}  // namespace
}  // namespace stoq::tls
