// A server gets another identity while it runs.
#include <gtest/gtest.h>

#include "sim/scenario.h"
#include "support/test_credentials.h"

namespace stoq::sim {
namespace {

// Two hosts without applications on a path of 10 ms each way.
class Pair {
public:
    Pair() {
        for (Host* host : {&client_, &server_}) {
            host->uplink().add(std::make_unique<Delay>(
                Delay::Settings{.delay = std::chrono::milliseconds(10)}, 1));
        }
        Credentials anybody = test::client_credentials();
        anybody.trust = Trust::insecure();
        credentials_ = std::make_shared<const Credentials>(std::move(anybody));
    }

    Endpoint& client() { return client_.endpoint(); }
    Endpoint& server() { return server_.endpoint(); }

    ConnectionHandle connect() {
        ClientConfig config = client_config({});
        config.credentials = credentials_;
        const ConnectionHandle handle = client().connect(config, simulation_.now()).value();
        wait();
        return handle;
    }
    void wait() { simulation_.run_for(std::chrono::milliseconds(200)); }
    std::string fingerprint_seen(ConnectionHandle connection) {
        return client().info(connection).value().peer_certificate_fingerprint;
    }
    // What `bytes` the server has got on any stream since the last call.
    std::size_t bytes_arrived() {
        std::size_t bytes = 0;
        for (const Event& event : server_.take_events()) {
            const auto* readable = std::get_if<StreamReadable>(&event);
            if (readable == nullptr) continue;
            const std::size_t here =
                server().peek(readable->connection, readable->stream).value().bytes.size();
            (void)server().consume(readable->connection, readable->stream, here);
            bytes += here;
        }
        return bytes;
    }

private:
    Simulation simulation_;
    Host& client_ = simulation_.add_host({.address = client_address(), .endpoint = {}, .seed = 1});
    Host& server_ = simulation_.add_host({.address = server_address(), .endpoint = {}, .seed = 2});
    std::shared_ptr<const Credentials> credentials_;
};

std::string fingerprint_of(KeyType type) {
    return test::test_identity(type).identity.fingerprint();
}

TEST(SimRotation, NewConnectionsSeeTheNewIdentityAndOldOnesGoOn) {
    Pair pair;
    ASSERT_TRUE(pair.server().listen({test::server_credentials(KeyType::kP256), {}}));
    const ConnectionHandle old = pair.connect();
    EXPECT_EQ(pair.fingerprint_seen(old), fingerprint_of(KeyType::kP256));
    ASSERT_TRUE(pair.server().replace_credentials(test::server_credentials(KeyType::kMlDsa65)));
    const ConnectionHandle fresh = pair.connect();
    EXPECT_EQ(pair.fingerprint_seen(fresh), fingerprint_of(KeyType::kMlDsa65));
    for (const ConnectionHandle each : {old, fresh}) {
        const StreamId stream =
            pair.client().open_stream(each, Directionality::kBidirectional).value();
        const std::vector<std::uint8_t> bytes(100, 1);
        ASSERT_EQ(pair.client().write(each, stream, bytes).value(), bytes.size());
        pair.wait();
        EXPECT_EQ(pair.bytes_arrived(), bytes.size());
    }
}

TEST(SimRotation, AHandshakeInProgressIsFinishedWithWhatItBeganWith) {
    World world(plain_scenario(4, 1000));
    world.start();
    // The ClientHello has arrived at 10 ms, the client's Finished arrives at 30 ms.
    world.simulation().run_for(std::chrono::milliseconds(15));
    ASSERT_TRUE(world.server_host().endpoint().replace_credentials(
        test::server_credentials(KeyType::kMlDsa65)));
    ASSERT_TRUE(world.run_transfer()) << world.describe();
}

TEST(SimRotation, CredentialsThatCannotBeUsedChangeNothing) {
    Pair pair;
    const Credentials good = test::server_credentials(KeyType::kP256);
    EXPECT_EQ(pair.server().replace_credentials(good).error(), ApiError::kNotReady);
    ASSERT_TRUE(pair.server().listen({good, {}}));
    Credentials bad = good;
    bad.identities.clear();
    EXPECT_EQ(pair.server().replace_credentials(bad).error(), ApiError::kCredentials);
    EXPECT_EQ(pair.fingerprint_seen(pair.connect()), fingerprint_of(KeyType::kP256));
    const auto why = check_credentials(Role::kServer, bad);
    ASSERT_FALSE(why);
    EXPECT_EQ(why.error().code, CredentialError::Code::kNoIdentity);
}

}  // namespace
}  // namespace stoq::sim
