// Somebody on the path strips what would make the connection stronger. TLS covers both hellos by
// its transcript, so the handshake must fail, whatever the policy; it must never end in something
// weaker.
#include <algorithm>

#include <gtest/gtest.h>

#include "sim/initial_meddler.h"
#include "sim/scenario.h"
#include "support/test_credentials.h"
#include "tls/library.h"

namespace stoq::sim {
namespace {

using test::HelloMessage;

constexpr std::uint16_t kX25519 = 0x001d;
constexpr std::uint16_t kEcdsaP256 = 0x0403;

bool is_classical_group(std::uint16_t group) {
    return group == kX25519 || group == 0x0017 || group == 0x0018;
}
bool is_classical_scheme(std::uint16_t scheme) {
    return scheme == kEcdsaP256 || scheme == 0x0503 || scheme == 0x0603 || scheme == 0x0807 ||
           scheme == 0x0808 || (scheme >= 0x0804 && scheme <= 0x0806);
}

void strip_groups(HelloMessage& hello) {
    hello.keep_numbers(test::kSupportedGroups, is_classical_group);
    hello.keep_shares(is_classical_group);
}
void strip_shares_only(HelloMessage& hello) {
    hello.keep_shares(is_classical_group);
}
void strip_schemes(HelloMessage& hello) {
    hello.keep_numbers(test::kSignatureAlgorithms, is_classical_scheme);
}
void strip_versions(HelloMessage& hello) {
    hello.remove(test::kSupportedVersions);
}
void older_version(HelloMessage& hello) {
    // TLS 1.2 alone; in a ServerHello the extension is the number itself.
    auto* const body = hello.find(test::kSupportedVersions);
    if (body != nullptr)
        *body = hello.is_client() ? std::vector<std::uint8_t>{2, 3, 3}
                                  : std::vector<std::uint8_t>{3, 3};
}
void strip_raw_keys(HelloMessage& hello) {
    hello.remove(test::kServerCertificateType);
}
void other_group(HelloMessage& hello) {
    auto* const body = hello.find(test::kKeyShare);
    if (body != nullptr) *body = {0, kX25519};  // as a HelloRetryRequest names it
}
void classical_share(HelloMessage& hello) {
    auto* const body = hello.find(test::kKeyShare);
    if (body == nullptr) return;
    *body = {0, kX25519, 0, 32};
    body->resize(4 + 32, 9);
}

struct Attack {
    const char* name;
    InitialMeddler::Change client_hello;
    InitialMeddler::Change server_hello;
};

const Attack kAttacks[] = {
    {"groups and shares", strip_groups, nullptr},
    {"shares", strip_shares_only, nullptr},
    {"signature schemes", strip_schemes, nullptr},
    {"all of these",
     [](HelloMessage& hello) {
         strip_groups(hello);
         strip_schemes(hello);
     },
     nullptr},
    {"supported versions", strip_versions, nullptr},
    {"an older version", older_version, nullptr},
    {"raw public keys", strip_raw_keys, nullptr},
    {"the server's version", nullptr, older_version},
    {"the server's version's extension", nullptr, strip_versions},
    {"the server's group", nullptr, other_group},
    {"the server's share", nullptr, classical_share},
};

KeyType strong_type() {
    return tls::kHasFalcon ? KeyType::kFalcon1024 : KeyType::kMlDsa65;
}

// A server with identities of both kinds, and clients that pin its post-quantum key or know both.
Credentials server_side(const PostQuantumPolicy& policy) {
    Credentials server = test::server_credentials(KeyType::kP256);
    server.identities.push_back(test::test_identity(strong_type()).identity);
    server.post_quantum = policy;
    return server;
}

ClientConfig client_side(const PostQuantumPolicy& policy, bool raw) {
    Credentials client = test::client_credentials();
    const auto& strong = test::test_identity(strong_type());
    const auto& weak = test::test_identity(KeyType::kP256);
    client.trust = raw ? Trust::fingerprint(strong.identity.fingerprint()).value()
                       : Trust::ca_pem(weak.pem.certificate() + strong.pem.certificate()).value();
    client.post_quantum = policy;
    ClientConfig config = client_config({});
    config.credentials = std::make_shared<const Credentials>(std::move(client));
    return config;
}

// Meddles with one handshake, and lets it run until there is nothing left to happen.
struct Outcome {
    bool established = false;
    int changed = 0;
    std::string told;
};

Outcome attempt(const Attack& attack, const PostQuantumPolicy& policy, bool raw) {
    InitialMeddler meddler(attack.client_hello, attack.server_hello);
    World world(plain_scenario(1, 0));
    world.client_host().uplink().add(meddler.toward_server());
    world.server_host().uplink().add(meddler.toward_client());
    world.start(client_side(policy, raw));
    EXPECT_TRUE(world.server_host().endpoint().listen({server_side(policy), {}}));
    (void)world.run([&] {
        return world.client().established() || world.server().established() ||
               world.client().closed().has_value();
    });
    world.simulation().run_for(std::chrono::seconds(30));
    return {.established = world.client().established() || world.server().established(),
            .changed = meddler.changed(),
            .told = world.describe()};
}

const PostQuantumPolicy kPolicies[] = {
    {},
    {.key_exchange = PostQuantum::kRequire, .authentication = PostQuantum::kRequire},
};

TEST(SimDowngrade, WithoutAChangeTheMeddledHandshakeCompletes) {
    // Otherwise the failures below would prove nothing.
    const Attack nothing = {"nothing", [](HelloMessage&) {}, [](HelloMessage&) {}};
    for (const PostQuantumPolicy& policy : kPolicies) {
        for (const bool raw : {false, true}) {
            const Outcome outcome = attempt(nothing, policy, raw);
            EXPECT_TRUE(outcome.established) << outcome.told;
            EXPECT_EQ(outcome.changed, 0);
        }
    }
}

TEST(SimDowngrade, EveryStrippedHelloFailsTheHandshakeUnderEveryPolicy) {
    for (const Attack& attack : kAttacks) {
        for (const PostQuantumPolicy& policy : kPolicies) {
            const bool raw = attack.name == std::string_view("raw public keys");
            const Outcome outcome = attempt(attack, policy, raw);
            EXPECT_GE(outcome.changed, 1) << attack.name << ": nothing was stripped";
            EXPECT_FALSE(outcome.established)
                << attack.name << " stripped, and the handshake completed\n"
                << outcome.told;
        }
    }
}

// The version in the header of the client's Initials.
void set_version(InFlight& in, std::uint32_t version) {
    auto& bytes = in.datagram.bytes;
    if (bytes.size() < 5 || (bytes[0] & 0x80) == 0) return;
    for (std::size_t i = 0; i < 4; ++i) {
        bytes[1 + i] = static_cast<std::uint8_t>(version >> (24 - 8 * i));
    }
}

TEST(SimDowngrade, AnotherVersionOfQuicInTheHeaderFailsTheHandshake) {
    constexpr std::uint32_t kReserved = 0x1a2a3a4a;
    constexpr std::uint32_t kVersion2 = 0x6b3343cf;
    for (const std::uint32_t version : {kReserved, kVersion2}) {
        World world(plain_scenario(2, 0));
        world.client_host().uplink().add(
            std::make_unique<Tap>([version](InFlight& in) { set_version(in, version); }));
        world.start();
        (void)world.run([&] { return world.client().closed().has_value(); });
        EXPECT_FALSE(world.client().established()) << world.describe();
        EXPECT_FALSE(world.server().established());
    }
}

}  // namespace
}  // namespace stoq::sim
