// A server that has better things to do lets handshakes wait: before any signature.
#include <gtest/gtest.h>

#include "sim/scenario.h"

namespace stoq::sim {
namespace {

using std::chrono::milliseconds;

// A client's host and a server's on a path of 10 ms each way. ClientHellos take two datagrams.
class Server {
public:
    explicit Server(std::size_t max_half_open = 100)
        : server_(simulation_.add_host({.address = server_address(),
                                        .endpoint = {.max_half_open = max_half_open},
                                        .seed = 2})) {
        for (Host* host : {&client_, &server_}) {
            host->uplink().add(
                std::make_unique<Delay>(Delay::Settings{.delay = milliseconds(10)}, 1));
        }
        EXPECT_TRUE(endpoint().listen(server_config({})));
    }

    Endpoint& endpoint() { return server_.endpoint(); }
    void permit(std::size_t count) { endpoint().admit_handshakes(count, simulation_.now()); }
    void connect(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            handles_.push_back(
                client_.endpoint().connect(client_config({}), simulation_.now()).value());
        }
        wait();
    }
    void wait(Duration time = milliseconds(60)) { simulation_.run_for(time); }
    // Which of the connections are established, in the order in which they were made.
    std::string established() {
        std::string text;
        for (const ConnectionHandle handle : handles_) {
            const auto info = client_.endpoint().info(handle);
            text += info && info->established ? '1' : '0';
        }
        return text;
    }

private:
    Simulation simulation_;
    Host& client_ = simulation_.add_host({.address = client_address(), .endpoint = {}, .seed = 1});
    Host& server_;
    std::vector<ConnectionHandle> handles_;
};

TEST(SimAdmission, WithoutACallNobodyWaits) {
    Server server;
    server.connect(3);
    EXPECT_EQ(server.established(), "111");
    EXPECT_EQ(server.endpoint().held_datagrams(), 0u);
}

// The token of a Retry is good for ten seconds, and came in time.
TEST(SimAdmission, WhoWaitsLongDoesNotLoseItsRetryToken) {
    Server server(1);  // under load at once
    server.permit(0);
    server.connect(1);
    ASSERT_GT(server.endpoint().held_datagrams(), 0u);
    ASSERT_GT(server.endpoint().statistics().retries_sent, 0u);
    server.wait(std::chrono::seconds(11));
    const std::uint64_t dropped = server.endpoint().statistics().datagrams_dropped;
    server.permit(SIZE_MAX);
    server.wait();
    EXPECT_EQ(server.endpoint().statistics().datagrams_dropped, dropped);
    EXPECT_GT(server.endpoint().statistics().connections_accepted, 0u);
}

TEST(SimAdmission, HandshakesBeginInOrderWhenTheyArePermitted) {
    Server server;
    server.permit(0);
    server.connect(4);
    EXPECT_EQ(server.established(), "0000");
    EXPECT_EQ(server.endpoint().held_datagrams(), 8u);
    EXPECT_EQ(server.endpoint().statistics().connections_accepted, 0u);
    server.permit(1);
    server.wait();
    EXPECT_EQ(server.established(), "1000");
    EXPECT_EQ(server.endpoint().held_datagrams(), 6u);
    server.permit(2);
    server.wait();
    EXPECT_EQ(server.established(), "1110");
    server.permit(SIZE_MAX);
    server.wait();
    EXPECT_EQ(server.established(), "1111");
    EXPECT_EQ(server.endpoint().held_datagrams(), 0u);
}

TEST(SimAdmission, APermitThatIsLeftServesTheNextComer) {
    Server server;
    server.permit(1);
    server.connect(2);
    EXPECT_EQ(server.established(), "10");
}

// What waits counts like handshakes in progress: from half of the limit on, clients have to prove
// their address before they may even wait.
TEST(SimAdmission, RetryComesBeforeWaiting) {
    Server server(8);
    server.permit(0);
    server.connect(6);
    EXPECT_EQ(server.endpoint().statistics().connections_accepted, 0u);
    EXPECT_GT(server.endpoint().statistics().retries_sent, 0u);
    // Those behind a Retry wait as well.
    EXPECT_EQ(server.established(), "000000");
    server.permit(SIZE_MAX);
    server.wait();
    server.wait();
    EXPECT_EQ(server.established(), "111111");
}

TEST(SimAdmission, WhatIsKeptIsBounded) {
    Server server(100'000);
    server.permit(0);
    for (int i = 0; i < 20; ++i) server.connect(100);
    // Of 1200 bytes, two for each client: there is room for about 3500 of 4000 and more.
    EXPECT_LE(server.endpoint().held_datagrams() * 1200, 4u << 20);
    EXPECT_GT(server.endpoint().held_datagrams() * 1200, 4'000'000u);
    EXPECT_GT(server.endpoint().statistics().datagrams_dropped, 0u);
    EXPECT_EQ(server.endpoint().statistics().connections_accepted, 0u);
}

}  // namespace
}  // namespace stoq::sim
