// A client that moves to another address on purpose, and a server that would rather be elsewhere.
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "sim/scenario.h"

namespace stoq::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Address second_client_address() {
    return host_address(3, 50'000);
}

Address second_server_address() {
    return host_address(4, 4433);
}

// Remembers the events of paths, and hands all of them on.
class Watch final : public Application {
public:
    explicit Watch(Application& inner) : inner_(inner) {}

    void on_event(const Event& event, Instant now) override {
        if (const auto* moved = std::get_if<ConnectionMigrated>(&event)) {
            migrated.push_back({moved->local, moved->remote});
        } else if (const auto* stayed = std::get_if<MigrationFailed>(&event)) {
            failed.push_back({stayed->local, stayed->remote});
        }
        inner_.on_event(event, now);
    }
    bool pump(Instant now) override { return inner_.pump(now); }
    Instant next_wake() const override { return inner_.next_wake(); }

    std::vector<std::pair<Address, Address>> migrated;
    std::vector<std::pair<Address, Address>> failed;

private:
    Application& inner_;
};

// Looks at what leaves a host, and drops what it is told to.
class Gate final : public Element {
public:
    struct Seen {
        // Of short headers: the addresses that an ID was used with.
        std::map<std::string, std::set<std::string>> addresses_of_id;
        std::map<std::string, std::vector<std::size_t>> lengths;  // by source
        std::set<std::string> dead;                               // addresses
        std::size_t id_length = 8;
    };

    explicit Gate(Seen& seen) : seen_(seen) {}
    void process(InFlight in, std::vector<InFlight>& out) override {
        const Datagram& datagram = in.datagram;
        const std::string pair = to_string(datagram.source) + ">" + to_string(datagram.destination);
        seen_.lengths[to_string(datagram.source)].push_back(datagram.bytes.size());
        if ((datagram.bytes[0] & 0x80) == 0) {
            const std::string id(
                datagram.bytes.begin() + 1,
                datagram.bytes.begin() + 1 + static_cast<std::ptrdiff_t>(seen_.id_length));
            seen_.addresses_of_id[id].insert(pair);
        }
        if (seen_.dead.contains(to_string(datagram.source)) ||
            seen_.dead.contains(to_string(datagram.destination))) {
            return;
        }
        out.push_back(std::move(in));
    }

private:
    Seen& seen_;
};

class SimMigration : public testing::Test {
protected:
    explicit SimMigration(Scenario scenario = usual()) : world_(scenario) {
        world_.client_host().add_address(second_client_address());
        world_.server_host().add_address(second_server_address());
        world_.client_host().set_application(&client_watch_);
        world_.server_host().set_application(&server_watch_);
        world_.client_host().uplink().add_front(std::make_unique<Gate>(up_));
        world_.server_host().uplink().add_front(std::make_unique<Gate>(down_));
    }
    static Scenario usual() {
        Scenario scenario = plain_scenario(11, 3'000'000);
        for (LinkSettings* link : {&scenario.up, &scenario.down}) {
            link->bits_per_second = 20'000'000;
            link->queue_bytes = 100'000;
        }
        return scenario;
    }

    void start_and_confirm() {
        world_.start();
        ASSERT_TRUE(world_.run([&] {
            const auto info = endpoint().info(world_.client_connection());
            return info && info->confirmed;
        }));
        // The server's connection IDs are there a moment later.
        world_.simulation().run_for(milliseconds(100));
    }
    Endpoint& endpoint() { return world_.client_host().endpoint(); }
    ApiResult<void> migrate(MigrationMode mode = MigrationMode::kWhenValidated) {
        return endpoint().migrate(world_.client_connection(), second_client_address(), mode);
    }
    Address server_sees() {
        return world_.server_host().endpoint().info(world_.server().connection())->remote;
    }
    void expect_transfer() { ASSERT_TRUE(world_.run_transfer()) << world_.describe(); }
    // RFC 9000 section 9.5.
    static void expect_no_shared_ids(const Gate::Seen& seen) {
        for (const auto& [id, addresses] : seen.addresses_of_id) EXPECT_EQ(addresses.size(), 1u);
    }

    World world_;
    Watch client_watch_{world_.client()};
    Watch server_watch_{world_.server()};
    Gate::Seen up_;
    Gate::Seen down_;
};

//= test 9000-9.1-1
//= test 9000-9.5-2
//= test 9000-9.5-3
TEST_F(SimMigration, MovesWhenTheNewPathIsProved) {
    start_and_confirm();
    ASSERT_TRUE(migrate());
    expect_transfer();
    ASSERT_EQ(client_watch_.migrated.size(), 1u);
    EXPECT_EQ(client_watch_.migrated[0].first, second_client_address());
    EXPECT_TRUE(client_watch_.failed.empty());
    ASSERT_FALSE(server_watch_.migrated.empty());
    EXPECT_EQ(server_watch_.migrated.back().second, second_client_address());
    EXPECT_EQ(server_sees(), second_client_address());
    EXPECT_EQ(endpoint().info(world_.client_connection())->local, second_client_address());
    // The first thing on the new path is a challenge, in a datagram that tells of its size.
    const auto& lengths = up_.lengths[to_string(second_client_address())];
    ASSERT_FALSE(lengths.empty());
    EXPECT_EQ(lengths.front(), 1200u);
    EXPECT_GT(lengths.size(), 100u);
    expect_no_shared_ids(up_);
    expect_no_shared_ids(down_);
}

TEST_F(SimMigration, MovesAtOnceWhenThePresentPathIsDead) {
    start_and_confirm();
    up_.dead.insert(to_string(client_address()));
    down_.dead.insert(to_string(client_address()));
    ASSERT_TRUE(migrate(MigrationMode::kAtOnce));
    expect_transfer();
    EXPECT_EQ(client_watch_.migrated.size(), 1u);
    EXPECT_EQ(server_sees(), second_client_address());
    expect_no_shared_ids(up_);
    expect_no_shared_ids(down_);
}

TEST_F(SimMigration, StaysWhenTheNewPathDoesNotWork) {
    start_and_confirm();
    up_.dead.insert(to_string(second_client_address()));
    ASSERT_TRUE(migrate());
    expect_transfer();
    world_.simulation().run_for(seconds(5));
    EXPECT_TRUE(client_watch_.migrated.empty());
    ASSERT_EQ(client_watch_.failed.size(), 1u);
    EXPECT_EQ(client_watch_.failed[0].first, second_client_address());
    EXPECT_EQ(server_sees(), client_address());
}

//= test 9000-9.3.2-1
TEST_F(SimMigration, GoesBackWhenItMovedTooSoon) {
    start_and_confirm();
    up_.dead.insert(to_string(second_client_address()));
    ASSERT_TRUE(migrate(MigrationMode::kAtOnce));
    expect_transfer();
    ASSERT_EQ(client_watch_.failed.size(), 1u);
    ASSERT_EQ(client_watch_.migrated.size(), 2u);
    EXPECT_EQ(client_watch_.migrated[1].first, client_address());
    EXPECT_EQ(server_sees(), client_address());
}

TEST_F(SimMigration, MovesBackAndForthAsLongAsThereAreConnectionIds) {
    start_and_confirm();
    for (int i = 0; i < 6; ++i) {
        const Address to = i % 2 == 0 ? second_client_address() : client_address();
        ASSERT_TRUE(endpoint().migrate(world_.client_connection(), to)) << i;
        // Where the queue is full, the challenge is lost and comes again a second later.
        const std::size_t wanted = client_watch_.migrated.size() + 1;
        ASSERT_TRUE(world_.run([&] { return client_watch_.migrated.size() == wanted; })) << i;
        world_.simulation().run_for(milliseconds(100));
    }
    expect_transfer();
    expect_no_shared_ids(up_);
    expect_no_shared_ids(down_);
}

//= test 9000-9-1
TEST_F(SimMigration, IsRefusedWhereItCannotBe) {
    world_.start();
    EXPECT_EQ(migrate().error(), ApiError::kNotReady);
    start_and_confirm();
    EXPECT_EQ(endpoint().migrate(world_.client_connection(), client_address()).error(),
              ApiError::kInvalidArgument);
    EXPECT_EQ(endpoint().migrate(world_.client_connection(), {}).error(),
              ApiError::kInvalidArgument);
    EXPECT_EQ(world_.server_host()
                  .endpoint()
                  .migrate(world_.server().connection(), second_server_address())
                  .error(),
              ApiError::kNotSupported);
    // While one is under way, another takes its place.
    EXPECT_TRUE(migrate());
    EXPECT_TRUE(endpoint().migrate(world_.client_connection(), host_address(3, 50'001)));
}

class SimForbiddenMigration : public SimMigration {
protected:
    SimForbiddenMigration() : SimMigration(forbidding()) {}
    static Scenario forbidding() {
        Scenario scenario = usual();
        scenario.server.disable_active_migration = true;
        return scenario;
    }
};

//= test 9000-9-2
//= test 9000-18.2-3
TEST_F(SimForbiddenMigration, IsNotTried) {
    start_and_confirm();
    EXPECT_EQ(migrate().error(), ApiError::kNotSupported);
}

class SimPreferredAddress : public SimMigration {
protected:
    SimPreferredAddress() : SimMigration(preferring()) {}
    static Scenario preferring() {
        Scenario scenario = usual();
        scenario.server.preferred_addresses = {second_server_address()};
        return scenario;
    }
};

//= test 9000-9.6.1-2
//= test 9000-9.6.1-3
//= test 9000-9.6.2-1
TEST_F(SimPreferredAddress, ClientsMoveThere) {
    world_.start();
    expect_transfer();
    ASSERT_EQ(client_watch_.migrated.size(), 1u);
    EXPECT_EQ(client_watch_.migrated[0].second, second_server_address());
    EXPECT_EQ(endpoint().info(world_.client_connection())->remote, second_server_address());
    EXPECT_EQ(world_.server_host().endpoint().info(world_.server().connection())->local,
              second_server_address());
    EXPECT_GT(down_.lengths[to_string(second_server_address())].size(), 1'000u);
    expect_no_shared_ids(up_);
    expect_no_shared_ids(down_);
}

//= test 9000-9.6.1-4
TEST_F(SimPreferredAddress, ClientsStayWhenTheyGetNoAnswerFromThere) {
    up_.dead.insert(to_string(second_server_address()));
    world_.start();
    expect_transfer();
    world_.simulation().run_for(seconds(5));
    EXPECT_TRUE(client_watch_.migrated.empty());
    EXPECT_EQ(client_watch_.failed.size(), 1u);
    EXPECT_EQ(endpoint().info(world_.client_connection())->remote, server_address());
}

class SimIgnoredPreferredAddress : public SimMigration {
protected:
    SimIgnoredPreferredAddress() : SimMigration(ignoring()) {}
    static Scenario ignoring() {
        Scenario scenario = usual();
        scenario.server.preferred_addresses = {second_server_address()};
        scenario.client.follow_preferred_address = false;
        return scenario;
    }
};

TEST_F(SimIgnoredPreferredAddress, ClientsThatDoNotWantToStay) {
    world_.start();
    expect_transfer();
    EXPECT_TRUE(client_watch_.migrated.empty());
    EXPECT_FALSE(up_.lengths.empty());
    for (const auto& [id, addresses] : up_.addresses_of_id) {
        for (const std::string& pair : addresses) {
            EXPECT_TRUE(pair.ends_with(to_string(server_address()))) << pair;
        }
    }
}

}  // namespace
}  // namespace stoq::sim
