// Tickets: resuming, and the ways in which a ticket is of no use.
#include <algorithm>

#include <gtest/gtest.h>

#include "support/tls_pair.h"

namespace stoq::tls {
namespace {

using test::client_credentials;
using test::server_credentials;
using test::test_identity;
using test::TlsPair;

using Ticket = std::vector<std::uint8_t>;
using SharedContext = std::shared_ptr<const Context>;

constexpr TicketSecret secret_of(std::uint8_t value) {
    TicketSecret secret{};
    secret.fill(value);
    return secret;
}

SharedContext client_context(const Credentials& credentials = client_credentials()) {
    return Context::create(Role::kClient, credentials).value();
}

SharedContext server_context(const Credentials& credentials = server_credentials(),
                             const std::vector<TicketSecret>& secrets = {secret_of(1)}) {
    return Context::create(Role::kServer, credentials, secrets).value();
}

TlsPair connect(const SharedContext& client, const SharedContext& server, ByteView ticket = {},
                std::string_view name = "localhost") {
    TlsPair pair;
    pair.start(client, server, name, ticket);
    pair.run();
    return pair;
}

Ticket first_ticket(const SharedContext& client, const SharedContext& server) {
    const TlsPair pair = connect(client, server);
    EXPECT_TRUE(pair.is_complete());
    EXPECT_FALSE(pair.client.tickets.empty());
    return pair.client.tickets.empty() ? Ticket{} : pair.client.tickets.front();
}

void expect_full_handshake(const TlsPair& pair) {
    EXPECT_TRUE(pair.is_complete()) << pair.client.session->info().failure;
    EXPECT_FALSE(pair.client.session->info().resumed);
    EXPECT_FALSE(pair.server.session->info().resumed);
}

TEST(TlsResumption, ATicketResumes) {
    const auto client = client_context();
    const auto server = server_context();
    const Ticket ticket = first_ticket(client, server);
    const TlsPair pair = connect(client, server, ticket);
    ASSERT_TRUE(pair.is_complete());
    const HandshakeInfo& info = pair.client.session->info();
    EXPECT_TRUE(info.resumed);
    EXPECT_TRUE(pair.server.session->info().resumed);
    EXPECT_TRUE(info.signature.empty()) << "nothing is signed in a resumed handshake";
    EXPECT_EQ(info.original_signature, "ecdsa_secp256r1_sha256");
    EXPECT_FALSE(info.post_quantum_authentication);
    EXPECT_EQ(info.group, "X25519MLKEM768") << "key exchange still takes place";
    EXPECT_EQ(info.peer_fingerprint, test_identity().identity.fingerprint());
    EXPECT_EQ(info.alpn, "test");
    EXPECT_FALSE(pair.client.tickets.empty()) << "another ticket for the next time";
}

TEST(TlsResumption, ATicketRemembersTheServersTransportParameters) {
    const Ticket ticket = first_ticket(client_context(), server_context());
    const auto remembered = remembered_transport_parameters(ticket);
    ASSERT_TRUE(remembered);
    EXPECT_TRUE(std::ranges::equal(*remembered, TlsPair::kServerParameters));
}

TEST(TlsResumption, TicketsSurviveARestartWithTheSameSecret) {
    const auto client = client_context();
    const Ticket ticket = first_ticket(client, server_context());
    EXPECT_TRUE(connect(client, server_context(), ticket).server.session->info().resumed);
}

TEST(TlsResumption, TicketsSurviveAChangeOfTheServersIdentity) {
    const auto client = client_context();
    const Ticket ticket = first_ticket(client, server_context());
    const auto renewed = server_context(server_credentials(KeyType::kMlDsa65));
    EXPECT_TRUE(connect(client, renewed, ticket).client.session->info().resumed);
}

TEST(TlsResumption, OldSecretsOpenTicketsButDoNotSealThem) {
    const auto client = client_context();
    const auto before = server_context(server_credentials(), {secret_of(1)});
    const auto during = server_context(server_credentials(), {secret_of(2), secret_of(1)});
    const auto after = server_context(server_credentials(), {secret_of(2)});
    const Ticket old = first_ticket(client, before);
    EXPECT_TRUE(connect(client, during, old).server.session->info().resumed);
    expect_full_handshake(connect(client, after, old));
    EXPECT_TRUE(
        connect(client, after, first_ticket(client, during)).server.session->info().resumed);
}

TEST(TlsResumption, WithoutSecretsTicketsDieWithTheContext) {
    const auto client = client_context();
    const auto server = server_context(server_credentials(), {});
    const Ticket ticket = first_ticket(client, server);
    EXPECT_TRUE(connect(client, server, ticket).server.session->info().resumed);
    expect_full_handshake(connect(client, server_context(server_credentials(), {}), ticket));
}

TEST(TlsResumption, ATicketIsOfNoUseWhereTheServerWouldBeJudgedOtherwise) {
    const auto server = server_context();
    Credentials careless = client_credentials();
    careless.trust = Trust::insecure();
    const Ticket ticket = first_ticket(client_context(careless), server);
    // Were it taken, a handshake that never checked anything would vouch for the next one.
    expect_full_handshake(connect(client_context(), server, ticket));
    const Ticket good = first_ticket(client_context(), server);
    expect_full_handshake(connect(client_context(), server, good, "127.0.0.1"));
}

TEST(TlsResumption, AServerForgetsTicketsWhenItAsksForMoreFromItsClients) {
    const auto client = client_context();
    const Ticket ticket = first_ticket(client, server_context());
    Credentials stricter = server_credentials();
    stricter.client_authentication = ClientAuthentication::kRequired;
    stricter.trust = Trust::ca_pem(test_identity().pem.certificate()).value();
    const TlsPair pair = connect(client, server_context(stricter), ticket);
    EXPECT_TRUE(pair.server.error) << "the ticket stood in for a client certificate";
}

// A year after test_identity() was made, it has run out.
constexpr std::chrono::sys_seconds kAfterwards =
    test::kTestNotBefore + std::chrono::hours(24 * 365 + 1);

TEST(TlsResumption, AClientsTicketDoesNotOutliveItsCertificate) {
    Credentials asking = server_credentials();
    asking.client_authentication = ClientAuthentication::kRequired;
    asking.trust = Trust::ca_pem(test_identity().pem.certificate()).value();
    Credentials shown = client_credentials();
    shown.identities = {test_identity().identity};
    const auto client = client_context(shown);
    const Ticket ticket = first_ticket(client, server_context(asking));
    EXPECT_TRUE(connect(client, server_context(asking), ticket).server.session->info().resumed);
    asking.verification_time = kAfterwards;
    const TlsPair pair = connect(client, server_context(asking), ticket);
    EXPECT_TRUE(pair.server.error) << "a ticket stood in for a certificate that had run out";
    EXPECT_EQ(pair.server.session->info().certificate_problem, CertificateProblem::kExpired);
}

TEST(TlsResumption, AServersTicketDoesNotOutliveItsCertificate) {
    Credentials credentials = client_credentials();
    const Ticket ticket = first_ticket(client_context(credentials), server_context());
    credentials.verification_time = kAfterwards;
    const TlsPair pair = connect(client_context(credentials), server_context(), ticket);
    EXPECT_TRUE(pair.client.error);
    EXPECT_EQ(pair.client.session->info().certificate_problem, CertificateProblem::kExpired);
    // A pinned key has no dates.
    credentials.trust = Trust::fingerprint(test_identity().identity.fingerprint()).value();
    const auto pinning = client_context(credentials);
    const Ticket other = first_ticket(pinning, server_context());
    EXPECT_TRUE(connect(pinning, server_context(), other).client.session->info().resumed);
}

TEST(TlsResumption, ADamagedTicketOnlyCostsTheFullHandshake) {
    const auto client = client_context();
    const auto server = server_context();
    const Ticket ticket = first_ticket(client, server);
    for (std::size_t at = 0; at < ticket.size(); at += 11) {
        Ticket damaged = ticket;
        damaged[at] ^= 0x10;
        TlsPair pair;
        pair.start(client, server, "localhost", damaged);
        pair.run();
        // Damage to the resumption secret itself is found by the PSK binder, as an error.
        EXPECT_TRUE(pair.is_complete() || pair.server.error) << at;
    }
}

TEST(TlsResumption, TicketsCanBeTurnedOffOnEitherSide) {
    Credentials no_tickets = server_credentials();
    no_tickets.session_tickets = false;
    EXPECT_TRUE(connect(client_context(), server_context(no_tickets)).client.tickets.empty());
    Credentials forgetful = client_credentials();
    forgetful.session_tickets = false;
    const TlsPair pair = connect(client_context(forgetful), server_context());
    EXPECT_TRUE(pair.is_complete());
    EXPECT_TRUE(pair.client.tickets.empty());
}

class TlsEarlyData : public testing::Test {
protected:
    void SetUp() override {
        Credentials client_settings = client_credentials();
        Credentials server_settings = server_credentials();
        client_settings.early_data = server_settings.early_data = true;
        client_ = client_context(client_settings);
        server_ = server_context(server_settings);
        strikes_.advance(Instant(std::chrono::seconds(1)));
    }

    TlsPair connect(ByteView ticket, StrikeRegister* strikes, EarlyDataLimits limits = {}) {
        TlsPair pair;
        pair.strikes = strikes;
        pair.early_data_limits = limits;
        pair.start(client_, server_, "localhost", ticket);
        pair.run();
        EXPECT_TRUE(pair.is_complete());
        return pair;
    }
    bool is_accepted(ByteView ticket, StrikeRegister* strikes, EarlyDataLimits limits = {}) {
        const TlsPair pair = connect(ticket, strikes, limits);
        const bool accepted = pair.client.session->info().early_data_accepted;
        EXPECT_EQ(pair.server.secrets.contains({EncryptionLevel::kZeroRtt, Direction::kReceive}),
                  accepted);
        return accepted;
    }

    SharedContext client_;
    SharedContext server_;
    SeededRandom random_{3};
    StrikeRegister strikes_{100, random_};
};

// A client refuses tickets with any other value than the one that QUIC allows.
//= test 9001-4.6.1-1
TEST_F(TlsEarlyData, KeysAgree) {
    const Ticket ticket = connect({}, &strikes_).client.tickets.at(0);
    const TlsPair pair = connect(ticket, &strikes_);
    EXPECT_TRUE(pair.client.session->info().early_data_accepted);
    const auto sent = pair.client.secrets.find({EncryptionLevel::kZeroRtt, Direction::kSend});
    const auto read = pair.server.secrets.find({EncryptionLevel::kZeroRtt, Direction::kReceive});
    ASSERT_NE(sent, pair.client.secrets.end());
    ASSERT_NE(read, pair.server.secrets.end());
    EXPECT_EQ(sent->second, read->second);
}

TEST_F(TlsEarlyData, IsForTheRegisterThatTheTicketNames) {
    const Ticket ticket = connect({}, &strikes_).client.tickets.at(0);
    StrikeRegister other(100, random_);
    other.advance(Instant(std::chrono::seconds(1)));
    EXPECT_FALSE(is_accepted(ticket, &other));
    EXPECT_FALSE(is_accepted(ticket, nullptr));
    EXPECT_TRUE(is_accepted(ticket, &strikes_));
    // One that was made without a register names none.
    const Ticket unnamed = connect({}, nullptr).client.tickets.at(0);
    EXPECT_FALSE(is_accepted(unnamed, &strikes_));
}

//= test 9000-7.4.1-5
//= test 9000-7.4.1-6
//= test 9221-3-8
TEST_F(TlsEarlyData, IsRefusedWhereALimitHasFallen) {
    EarlyDataLimits limits{};
    limits.fill(10);
    const Ticket ticket = connect({}, &strikes_, limits).client.tickets.at(0);
    for (std::size_t i = 0; i < limits.size(); ++i) {
        EarlyDataLimits changed = limits;
        changed[i] = 9;
        EXPECT_FALSE(is_accepted(ticket, &strikes_, changed)) << i;
        changed[i] = 11;
        EXPECT_TRUE(is_accepted(ticket, &strikes_, changed)) << i;
    }
}

TEST(TlsResumption, ThereAreNoEarlyDataKeysUnlessAskedFor) {
    const auto client = client_context();
    const auto server = server_context();
    const TlsPair pair = connect(client, server, first_ticket(client, server));
    EXPECT_TRUE(pair.client.session->info().resumed);
    EXPECT_FALSE(pair.client.secrets.contains({EncryptionLevel::kZeroRtt, Direction::kSend}));
}

}  // namespace
}  // namespace stoq::tls
