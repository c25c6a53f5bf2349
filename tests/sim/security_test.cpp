// What an endpoint tells about the security of its connections, and why it refused one.
#include <gtest/gtest.h>

#include "sim/scenario.h"
#include "support/test_credentials.h"
#include "tls/library.h"

namespace stoq::sim {
namespace {

// Falcon and a hybrid, or what a build without liboqs has.
struct Kinds {
    KeyType server = KeyType::kFalcon1024;
    KeyType client = KeyType::kP521Falcon1024;
    const char* server_scheme = "falcon1024";
    const char* client_scheme = "p521_falcon1024";
    const char* server_chain = "falcon1024";
    const char* client_chain = "p521_falcon1024";
};
Kinds kinds() {
    if (tls::kHasFalcon) return {};
    return {KeyType::kMlDsa65, KeyType::kMlDsa87, "mldsa65", "mldsa87", "ML-DSA-65", "ML-DSA-87"};
}

Trust authority(KeyType type) {
    return Trust::ca_pem(test::test_identity(type).pem.certificate()).value();
}

// One handshake on a good path.
struct Handshake {
    World world{plain_scenario(1, 0)};

    Handshake(const Credentials& client, const Credentials& server) {
        ClientConfig config = client_config({});
        config.credentials = std::make_shared<const Credentials>(client);
        world.start(config);
        EXPECT_TRUE(world.server_host().endpoint().listen({server, {}}));
        (void)world.run(
            [this] { return world.both_established() || world.client().closed().has_value(); });
        world.simulation().run_for(std::chrono::seconds(1));
    }
    ConnectionInfo client() {
        return world.client_host().endpoint().info(world.client_connection()).value();
    }
    ConnectionInfo server() {
        return world.server_host().endpoint().info(world.server().connection()).value();
    }
};

TEST(SimSecurity, BothSidesTellWhatBothSidesSignedAndWhatWasBelieved) {
    const Kinds used = kinds();
    Credentials client = test::client_credentials(used.server);
    client.identities = {test::test_identity(used.client).identity};
    client.post_quantum = {PostQuantum::kRequire, PostQuantum::kRequire};
    Credentials server = test::server_credentials(used.server);
    server.trust = authority(used.client);
    server.client_authentication = ClientAuthentication::kRequired;
    server.post_quantum = {PostQuantum::kRequire, PostQuantum::kRequire};
    Handshake handshake(client, server);
    ASSERT_TRUE(handshake.world.both_established()) << handshake.world.describe();
    const ConnectionInfo at_client = handshake.client();
    const ConnectionInfo at_server = handshake.server();
    for (const ConnectionInfo& info : {at_client, at_server}) {
        EXPECT_EQ(info.key_exchange_group, "X25519MLKEM768");
        EXPECT_EQ(info.signature, used.server_scheme);
        EXPECT_EQ(info.client_signature, used.client_scheme);
        EXPECT_TRUE(info.post_quantum_key_exchange);
        EXPECT_TRUE(info.post_quantum_authentication);
        EXPECT_EQ(info.peer_certificate_type, CertificateType::kX509);
    }
    EXPECT_EQ(at_client.peer_chain, used.server_chain);
    EXPECT_EQ(at_server.peer_chain, used.client_chain);
    EXPECT_EQ(at_client.peer_certificate_fingerprint,
              test::test_identity(used.server).identity.fingerprint());
    EXPECT_EQ(at_server.peer_certificate_fingerprint,
              test::test_identity(used.client).identity.fingerprint());
}

TEST(SimSecurity, AClassicalHandshakeDoesNotPassForMore) {
    Credentials client = test::client_credentials();
    client.post_quantum = {PostQuantum::kOff, PostQuantum::kOff};
    Handshake handshake(client, test::server_credentials());
    ASSERT_TRUE(handshake.world.both_established()) << handshake.world.describe();
    for (const ConnectionInfo& info : {handshake.client(), handshake.server()}) {
        EXPECT_EQ(info.key_exchange_group, "x25519");
        EXPECT_EQ(info.signature, "ecdsa_secp256r1_sha256");
        EXPECT_FALSE(info.post_quantum_key_exchange);
        EXPECT_FALSE(info.post_quantum_authentication);
    }
}

TEST(SimSecurity, AClientIsToldThatTheServerRequiresMore) {
    Credentials client = test::client_credentials();
    client.post_quantum.key_exchange = PostQuantum::kOff;
    Credentials server = test::server_credentials();
    server.post_quantum.key_exchange = PostQuantum::kRequire;
    Handshake handshake(client, server);
    const auto& closed = handshake.world.client().closed();
    ASSERT_TRUE(closed) << handshake.world.describe();
    EXPECT_EQ(closed->kind, CloseKind::kPeerTransport);
    constexpr std::uint8_t kInsufficientSecurity = 71;
    EXPECT_EQ(closed->code, static_cast<std::uint64_t>(crypto_error(kInsufficientSecurity)));
    EXPECT_EQ(closed->reason, Reason::kPeerRequiresMore);
}

TEST(SimSecurity, AClientThatRequiresMoreThanTheServersCertificateSaysSo) {
    Credentials client = test::client_credentials();
    client.post_quantum.authentication = PostQuantum::kRequire;
    Handshake handshake(client, test::server_credentials());
    const auto& closed = handshake.world.client().closed();
    ASSERT_TRUE(closed) << handshake.world.describe();
    EXPECT_EQ(closed->reason, Reason::kPostQuantumRequired);
}

}  // namespace
}  // namespace stoq::sim
