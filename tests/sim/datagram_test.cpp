// Datagrams of the application (RFC 9221) over paths that lose and delay.
#include <set>

#include <gtest/gtest.h>

#include "sim/scenario.h"

namespace stoq::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Traffic {
    std::uint64_t count = 0;
    std::size_t size = 200;
    Duration interval = milliseconds(1);
    std::optional<Duration> lifetime = {};
};

// Sends numbered datagrams, and checks those that it gets.
class DatagramTraffic final : public Application {
public:
    DatagramTraffic(Endpoint& endpoint, const Traffic& traffic)
        : endpoint_(endpoint), traffic_(traffic) {}

    void on_event(const Event& event, Instant now) override {
        if (const auto* established = std::get_if<ConnectionEstablished>(&event)) {
            connection_ = established->connection;
            next_ = now;
        } else if (const auto* received = std::get_if<DatagramReceived>(&event)) {
            take(received->bytes);
        } else if (std::holds_alternative<DatagramWritable>(event)) {
            EXPECT_TRUE(blocked_);
            blocked_ = false;
            ++writable_;
        }
    }
    bool pump(Instant now) override {
        bool did = false;
        while (connection_ && !blocked_ && sent_ < traffic_.count && next_ <= now) {
            did |= send(now);
        }
        return did;
    }
    Instant next_wake() const override {
        return connection_ && !blocked_ && sent_ < traffic_.count ? next_ : kNever;
    }

    bool done() const { return sent_ == traffic_.count; }
    std::size_t received() const { return received_.size(); }
    std::uint64_t writable() const { return writable_; }
    ConnectionStatistics statistics() const { return endpoint_.statistics(*connection_).value(); }

private:
    bool send(Instant now) {
        std::vector<std::uint8_t> bytes(traffic_.size);
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = pattern(sent_, i);
        for (int i = 0; i < 4; ++i)
            bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(sent_ >> (8 * i));
        DatagramOptions options;
        if (traffic_.lifetime) options.deadline = now + *traffic_.lifetime;
        const auto result = endpoint_.send_datagram(*connection_, bytes, options);
        if (!result) {
            EXPECT_EQ(result.error(), ApiError::kWouldBlock);
            blocked_ = true;
            return false;
        }
        ++sent_;
        next_ += traffic_.interval;
        return true;
    }
    void take(ByteView bytes) {
        ASSERT_GE(bytes.size(), 4u);
        std::uint64_t number = 0;
        for (std::size_t i = 0; i < 4; ++i) number |= std::uint64_t{bytes[i]} << (8 * i);
        for (std::size_t i = 4; i < bytes.size(); ++i) ASSERT_EQ(bytes[i], pattern(number, i));
        EXPECT_TRUE(received_.insert(number).second) << number << " came twice";
    }

    Endpoint& endpoint_;
    Traffic traffic_;
    std::optional<ConnectionHandle> connection_;
    Instant next_{};
    bool blocked_ = false;
    std::uint64_t sent_ = 0;
    std::uint64_t writable_ = 0;
    std::set<std::uint64_t> received_;
};

struct DatagramWorld {
    DatagramWorld(Scenario scenario, const Traffic& up, const Traffic& down)
        : world(with_datagrams(scenario)),
          client(world.client_host().endpoint(), up),
          server(world.server_host().endpoint(), down) {
        world.client_host().set_application(&client);
        world.server_host().set_application(&server);
        world.start();
    }
    static Scenario with_datagrams(Scenario scenario) {
        scenario.client.max_datagram_frame_size = 65535;
        scenario.server.max_datagram_frame_size = 65535;
        return scenario;
    }
    bool run() {
        const bool done = world.run([&] { return client.done() && server.done(); });
        world.simulation().run_for(seconds(2));
        return done;
    }

    World world;
    DatagramTraffic client;
    DatagramTraffic server;
};

TEST(SimDatagram, OnAGoodPathEveryDatagramArrivesBothWays) {
    DatagramWorld pair(plain_scenario(1, 0), {.count = 500}, {.count = 300, .size = 1000});
    ASSERT_TRUE(pair.run());
    EXPECT_EQ(pair.server.received(), 500u);
    EXPECT_EQ(pair.client.received(), 300u);
    EXPECT_EQ(pair.client.statistics().datagram_frames_lost, 0u);
}

TEST(SimDatagram, WhatThePathLosesIsMissingAndNothingElse) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        Scenario scenario = plain_scenario(seed, 0);
        scenario.up.loss = 0.05;
        scenario.up.duplication = 0.05;
        scenario.up.reorder = 0.05;
        DatagramWorld pair(scenario, {.count = 1000}, {.count = 0});
        ASSERT_TRUE(pair.run()) << "seed " << seed;
        const ConnectionStatistics sender = pair.client.statistics();
        EXPECT_EQ(sender.datagram_frames_sent, 1000u) << "seed " << seed;
        EXPECT_LT(pair.server.received(), 1000u) << "seed " << seed;
        EXPECT_GT(pair.server.received(), 850u) << "seed " << seed;
        // Some that only seemed to be lost arrive late.
        EXPECT_GE(sender.datagram_frames_lost, 1000u - pair.server.received()) << "seed " << seed;
    }
}

//= test 9221-5.4-1
TEST(SimDatagram, BehindABottleneckTheControllerHoldsThemBackAndTheSenderIsToldOfRoom) {
    Scenario scenario = plain_scenario(2, 0);
    scenario.up.bits_per_second = 2'000'000;
    scenario.up.queue_bytes = 60'000;
    scenario.client.datagram_send_queue = 20'000;
    // Four times of what the path takes.
    DatagramWorld pair(scenario, {.count = 4000, .size = 1000, .interval = milliseconds(1)},
                       {.count = 0});
    ASSERT_TRUE(pair.run());
    EXPECT_GT(pair.client.writable(), 10u);
    const ConnectionStatistics sender = pair.client.statistics();
    EXPECT_EQ(sender.datagram_frames_sent, 4000u);
    EXPECT_GT(pair.server.received(), 3600u);
}

TEST(SimDatagram, LateOnesAreDroppedInsteadOfSentLate) {
    Scenario scenario = plain_scenario(3, 0);
    scenario.up.bits_per_second = 2'000'000;
    scenario.up.queue_bytes = 60'000;
    DatagramWorld pair(
        scenario,
        {.count = 4000, .size = 1000, .interval = milliseconds(1), .lifetime = milliseconds(20)},
        {.count = 0});
    ASSERT_TRUE(pair.run());
    const ConnectionStatistics sender = pair.client.statistics();
    EXPECT_EQ(sender.datagram_frames_sent + sender.datagram_frames_expired, 4000u);
    EXPECT_GT(sender.datagram_frames_expired, 1000u);
    EXPECT_GT(pair.server.received(), 500u);
}

TEST(SimDatagram, SilenceExpiresWhatWaits) {
    Scenario scenario = plain_scenario(4, 0);
    scenario.silence = Silence{milliseconds(500), seconds(5)};
    DatagramWorld pair(scenario, {.count = 2000, .lifetime = milliseconds(50)}, {.count = 0});
    ASSERT_TRUE(pair.run());
    const ConnectionStatistics sender = pair.client.statistics();
    EXPECT_EQ(sender.datagram_frames_sent + sender.datagram_frames_expired, 2000u);
    EXPECT_GT(sender.datagram_frames_expired, 100u);
}

}  // namespace
}  // namespace stoq::sim
