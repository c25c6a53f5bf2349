// A second connection resumes what the first one has agreed: no certificate, no signature.
#include <gtest/gtest.h>

#include "sim/scenario.h"
#include "support/test_credentials.h"

namespace stoq::sim {
namespace {

using std::chrono::milliseconds;
using Ticket = std::vector<std::uint8_t>;

EndpointSettings with_key(std::uint8_t fill) {
    EndpointSettings settings;
    settings.persistent_key.fill(fill);
    return settings;
}

// Two hosts without applications on a path of 10 ms each way.
class Pair {
public:
    explicit Pair(std::uint8_t server_key = 1,
                  const Credentials& server = test::server_credentials())
        : server_(simulation_.add_host(
              {.address = server_address(), .endpoint = with_key(server_key), .seed = 2})) {
        for (Host* host : {&client_, &server_}) {
            host->uplink().add(
                std::make_unique<Delay>(Delay::Settings{.delay = milliseconds(10)}, 1));
        }
        EXPECT_TRUE(this->server().listen({server, {}}));
        set_credentials(test::client_credentials());
    }

    Endpoint& server() { return server_.endpoint(); }
    void set_credentials(const Credentials& credentials) {
        credentials_ = std::make_shared<const Credentials>(credentials);
    }
    // The connection after it was established, and the tickets that came.
    ConnectionInfo connect(const Ticket& ticket = {}, const std::string& name = "localhost") {
        ClientConfig config = client_config({});
        config.credentials = credentials_;
        config.server_name = name;
        config.ticket = ticket;
        const ConnectionHandle handle =
            client_.endpoint().connect(config, simulation_.now()).value();
        simulation_.run_for(milliseconds(200));
        tickets_.clear();
        for (const Event& event : client_.take_events()) {
            if (const auto* received = std::get_if<TicketReceived>(&event)) {
                EXPECT_EQ(received->connection, handle);
                tickets_.push_back(received->ticket);
            }
        }
        return client_.endpoint().info(handle).value_or(ConnectionInfo{});
    }
    const std::vector<Ticket>& tickets() const { return tickets_; }

private:
    Simulation simulation_;
    Host& client_ = simulation_.add_host({.address = client_address(), .endpoint = {}, .seed = 1});
    Host& server_;
    std::shared_ptr<const Credentials> credentials_;
    std::vector<Ticket> tickets_;
};

Ticket first_ticket(Pair& pair) {
    const ConnectionInfo info = pair.connect();
    EXPECT_TRUE(info.established);
    EXPECT_FALSE(info.resumed);
    EXPECT_FALSE(info.signature.empty());
    return pair.tickets().empty() ? Ticket{} : pair.tickets().front();
}

TEST(SimResumption, ATicketSparesTheSignature) {
    Pair pair;
    const Ticket ticket = first_ticket(pair);
    ASSERT_FALSE(ticket.empty());
    const ConnectionInfo info = pair.connect(ticket);
    EXPECT_TRUE(info.established);
    EXPECT_TRUE(info.resumed);
    EXPECT_TRUE(info.signature.empty());
    EXPECT_FALSE(info.original_signature.empty());
    EXPECT_EQ(info.key_exchange_group, "X25519MLKEM768");
    // And so on, with a ticket of this one.
    ASSERT_FALSE(pair.tickets().empty());
    EXPECT_TRUE(pair.connect(pair.tickets().front()).resumed);
}

TEST(SimResumption, ATicketOutlivesARestartWithTheSamePersistentKey) {
    Pair before;
    const Ticket ticket = first_ticket(before);
    Pair after;
    EXPECT_TRUE(after.connect(ticket).resumed);
    Pair other(2);
    const ConnectionInfo info = other.connect(ticket);
    EXPECT_TRUE(info.established);
    EXPECT_FALSE(info.resumed);
}

TEST(SimResumption, ATicketOutlivesAnotherIdentity) {
    Pair pair;
    const Ticket ticket = first_ticket(pair);
    ASSERT_TRUE(pair.server().replace_credentials(test::server_credentials(KeyType::kMlDsa65)));
    EXPECT_TRUE(pair.connect(ticket).resumed);
}

TEST(SimResumption, ATicketUnderAnotherPolicyOrTrustIsNotUsed) {
    Pair pair;
    const Ticket ticket = first_ticket(pair);
    Credentials anybody = test::client_credentials();
    anybody.trust = Trust::insecure();
    pair.set_credentials(anybody);
    const ConnectionInfo info = pair.connect(ticket);
    EXPECT_TRUE(info.established);
    EXPECT_FALSE(info.resumed);
    // Post-quantum authentication was not asked for when the ticket was made.
    Credentials stricter = test::client_credentials();
    stricter.post_quantum.authentication = PostQuantum::kRequire;
    pair.set_credentials(stricter);
    EXPECT_FALSE(pair.connect(ticket).established);
}

TEST(SimResumption, DamagedAndCutTicketsAreIgnored) {
    Pair pair;
    const Ticket ticket = first_ticket(pair);
    for (const std::size_t length : {std::size_t{1}, std::size_t{40}, ticket.size() / 2}) {
        const Ticket cut(ticket.begin(), ticket.begin() + static_cast<std::ptrdiff_t>(length));
        const ConnectionInfo info = pair.connect(cut);
        EXPECT_TRUE(info.established) << length;
        EXPECT_FALSE(info.resumed) << length;
    }
    Ticket damaged = ticket;
    damaged[damaged.size() / 2] ^= 0x10;
    EXPECT_TRUE(pair.connect(damaged).established);
}

TEST(SimResumption, WithoutTicketsOnEitherSideThereAreNone) {
    Credentials silent = test::server_credentials();
    silent.session_tickets = false;
    Pair pair(1, silent);
    EXPECT_TRUE(pair.connect().established);
    EXPECT_TRUE(pair.tickets().empty());
}

}  // namespace
}  // namespace stoq::sim
