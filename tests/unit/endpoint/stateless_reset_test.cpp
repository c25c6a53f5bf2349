// A server that has lost its state, and the client that finds out.
#include <deque>
#include <vector>

#include <gtest/gtest.h>

#include "stoq/endpoint.h"
#include "support/test_credentials.h"

namespace stoq {
namespace {

using namespace std::chrono_literals;
using Datagram = std::vector<std::uint8_t>;

EndpointSettings settings_with_key(std::uint8_t fill) {
    EndpointSettings settings;
    settings.persistent_key.fill(fill);
    return settings;
}

class StatelessReset : public testing::Test {
protected:
    void SetUp() override {
        server_credentials_ = test::server_credentials();
        client_credentials_ = std::make_shared<Credentials>(test::client_credentials());
        ASSERT_TRUE(server_->listen({server_credentials_, {}}));
        const auto connection = client_->connect({.remote = server_address_,
                                                  .server_name = "localhost",
                                                  .credentials = client_credentials_},
                                                 now_);
        ASSERT_TRUE(connection);
        connection_ = *connection;
        for (int round = 0; round < 20; ++round) {
            now_ += 10ms;
            deliver(*server_, drain(*client_), client_address_, server_address_);
            deliver(*client_, drain(*server_), server_address_, client_address_);
            client_->on_timeout(now_);
            server_->on_timeout(now_);
            while (client_->poll_event()) {
            }
            while (server_->poll_event()) {
            }
        }
        ASSERT_TRUE(client_->info(connection_));
        ASSERT_TRUE(client_->info(connection_)->confirmed);
    }

    std::deque<Datagram> drain(Endpoint& endpoint) {
        std::deque<Datagram> datagrams;
        Datagram buffer(1500);
        for (int i = 0; i < 100; ++i) {
            TransmitSlot slot;
            slot.buffer = buffer;
            if (!endpoint.transmit(slot, now_)) break;
            datagrams.emplace_back(buffer.begin(),
                                   buffer.begin() + static_cast<std::ptrdiff_t>(slot.length));
        }
        return datagrams;
    }

    void deliver(Endpoint& endpoint, std::deque<Datagram> datagrams, const Address& from,
                 const Address& to) {
        for (Datagram& datagram : datagrams) {
            ReceivedDatagram received{.data = datagram, .local = to, .remote = from};
            endpoint.receive({&received, 1}, now_);
            endpoint.settle();
        }
    }

    // The client says something to a server that was restarted with this key; what comes back.
    std::deque<Datagram> say_something_to_new_server(std::uint8_t key) {
        restarted_.emplace(*Endpoint::create(settings_with_key(key), restarted_random_));
        EXPECT_TRUE(restarted_->listen({server_credentials_, {}}));
        const auto stream = client_->open_stream(connection_, Directionality::kBidirectional);
        EXPECT_TRUE(stream);
        EXPECT_TRUE(client_->write(connection_, *stream, ByteView(Datagram(100, 1))));
        deliver(*restarted_, drain(*client_), client_address_, server_address_);
        return drain(*restarted_);
    }

    // How the client's connection ended, if it did.
    std::optional<CloseKind> end() {
        while (const auto event = client_->poll_event()) {
            if (const auto* closed = std::get_if<ConnectionClosed>(&*event)) {
                return closed->info.kind;
            }
        }
        return std::nullopt;
    }

    SeededRandom client_random_{1};
    SeededRandom server_random_{2};
    SeededRandom restarted_random_{3};
    const Address client_address_ = parse_address("192.0.2.1:1000");
    const Address server_address_ = parse_address("192.0.2.2:4433");
    Instant now_{1s};
    Credentials server_credentials_;
    std::shared_ptr<const Credentials> client_credentials_;
    ApiResult<Endpoint> client_ = Endpoint::create({}, client_random_);
    ApiResult<Endpoint> server_ = Endpoint::create(settings_with_key(7), server_random_);
    std::optional<Endpoint> restarted_;
    ConnectionHandle connection_;
};

// However many datagrams of no connection come, those that have one take their turns.
TEST_F(StatelessReset, AFloodTakesNoMoreThanEveryOtherTurn) {
    const auto stream = client_->open_stream(connection_, Directionality::kBidirectional);
    ASSERT_TRUE(stream);
    ASSERT_TRUE(client_->write(connection_, *stream, ByteView(Datagram(3000, 1))));
    const std::deque<Datagram> flood(100, Datagram(40, 0x55));
    deliver(*client_, flood, server_address_, client_address_);
    std::size_t data = 0;
    for (int i = 0; i < 6; ++i) {
        deliver(*client_, flood, server_address_, client_address_);
        Datagram buffer(1500);
        TransmitSlot slot;
        slot.buffer = buffer;
        ASSERT_TRUE(client_->transmit(slot, now_));
        data += slot.length > 100;
    }
    EXPECT_EQ(data, 3u);
}

// Nobody makes an endpoint busy with data by what belongs to no connection.
TEST_F(StatelessReset, OnlyConnectionsHaveData) {
    const std::uint64_t before = client_->statistics().data_bytes;
    deliver(*client_, std::deque<Datagram>(100, Datagram(40, 0x55)), server_address_,
            client_address_);
    EXPECT_FALSE(drain(*client_).empty());
    EXPECT_EQ(client_->statistics().data_bytes, before);
    const std::uint64_t server_before = server_->statistics().data_bytes;
    const auto stream = client_->open_stream(connection_, Directionality::kBidirectional);
    ASSERT_TRUE(stream);
    ASSERT_TRUE(client_->write(connection_, *stream, ByteView(Datagram(1000, 1))));
    deliver(*server_, drain(*client_), client_address_, server_address_);
    EXPECT_GE(client_->statistics().data_bytes, before + 1000);
    EXPECT_EQ(server_->statistics().data_bytes - server_before,
              client_->statistics().data_bytes - before);
}

//= test 9000-10.3.1-2
//= test 9000-10.3.1-5
TEST_F(StatelessReset, RestartWithTheSameKeyEndsTheConnectionAndNothingIsSentAnyMore) {
    const auto resets = say_something_to_new_server(7);
    ASSERT_FALSE(resets.empty());
    deliver(*client_, resets, server_address_, client_address_);
    EXPECT_EQ(end(), CloseKind::kStatelessReset);
    deliver(*client_, resets, server_address_, client_address_);
    EXPECT_TRUE(drain(*client_).empty());
    now_ += 10s;
    client_->on_timeout(now_);
    EXPECT_TRUE(drain(*client_).empty());
    EXPECT_EQ(end(), std::nullopt);
    EXPECT_EQ(client_->statistics().connections_now, 0u);
}

TEST_F(StatelessReset, RestartWithAnotherKeyIsNotBelieved) {
    const auto resets = say_something_to_new_server(8);
    ASSERT_FALSE(resets.empty());
    deliver(*client_, resets, server_address_, client_address_);
    EXPECT_EQ(end(), std::nullopt);
}

//= test 9000-10.3-9
TEST_F(StatelessReset, TokenBehindALongHeaderOfAnUnknownVersionCountsAsWell) {
    auto resets = say_something_to_new_server(7);
    ASSERT_FALSE(resets.empty());
    Datagram long_header{0xc0, 0xfa, 0xfa, 0xfa, 0xfa, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0};
    long_header.insert(long_header.end(), resets.front().end() - 16, resets.front().end());
    deliver(*client_, {long_header}, server_address_, client_address_);
    EXPECT_EQ(end(), CloseKind::kStatelessReset);
}

EndpointSettings settings_of_worker(std::uint8_t number) {
    EndpointSettings settings = settings_with_key(7);
    settings.worker = WorkerSettings{.number = number, .first = 0, .count = 2};
    return settings;
}

class StatelessResetOfAWorker : public StatelessReset {
protected:
    StatelessResetOfAWorker() { server_ = Endpoint::create(settings_of_worker(1), server_random_); }
};

// More than a worker keeps for others in one turn: what is too much is lost, and nobody is reset.
TEST_F(StatelessResetOfAWorker, ConnectionsOfOtherWorkersAreNotReset) {
    constexpr std::size_t kMany = 10'000;
    const auto stream = client_->open_stream(connection_, Directionality::kBidirectional);
    ASSERT_TRUE(stream);
    ASSERT_TRUE(client_->write(connection_, *stream, ByteView(Datagram(100, 1))));
    Datagram said = drain(*client_).at(0);
    auto other = Endpoint::create(settings_of_worker(0), restarted_random_);
    ASSERT_TRUE(other);
    ASSERT_TRUE(other->listen({server_credentials_, {}}));
    for (std::size_t i = 0; i < kMany; ++i) {
        ReceivedDatagram received{
            .data = said, .local = server_address_, .remote = client_address_};
        other->receive({&received, 1}, now_);
    }
    EXPECT_GT(other->foreign_datagrams().size(), 1000u);
    EXPECT_EQ(other->statistics().stateless_resets_sent, 0u);
    EXPECT_EQ(other->statistics().datagrams_dropped + other->foreign_datagrams().size(), kMany);
}

}  // namespace
}  // namespace stoq
