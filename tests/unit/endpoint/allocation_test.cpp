// Whole connections in the steady state allocate nothing: not the sender, not the receiver, with
// and without loss, and not for a key update either.
#include <cstdlib>

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include "stoq/endpoint.h"
#include "support/counting_allocator.h"
#include "support/test_credentials.h"

namespace stoq {
namespace {

using namespace std::chrono_literals;
using test::allocation_count;

void* counted_malloc(std::size_t size, const char*, int) {
    ++allocation_count;
    return std::malloc(size);
}

void* counted_realloc(void* memory, std::size_t size, const char*, int) {
    ++allocation_count;
    return std::realloc(memory, size);
}

void plain_free(void* memory, const char*, int) {
    std::free(memory);
}

// What OpenSSL takes counts as well. It has to be told before it takes anything.
const bool openssl_is_counted =
    CRYPTO_set_mem_functions(counted_malloc, counted_realloc, plain_free) == 1;

constexpr std::size_t kMaxDatagrams = 32;

// Windows that are full before the counting starts: memory grows as long as they do.
Settings full_windows() {
    Settings settings;
    settings.max_stream_window = settings.initial_stream_window = 1 << 20;
    settings.max_connection_window = settings.initial_connection_window = 1 << 20;
    settings.initial_send_buffer_per_stream = settings.max_send_buffer_per_stream = 1 << 20;
    return settings;
}

// Two endpoints, a path between them that takes a millisecond a round, and no allocation of its
// own. Every `drop_every`-th datagram of the client is lost, none when it is 0.
class Pair {
public:
    explicit Pair(std::size_t drop_every) : drop_every_(drop_every) {
        EXPECT_TRUE(server_.listen({test::server_credentials(), full_windows()}));
        connection_ =
            client_
                .connect({.remote = server_address_,
                          .server_name = "localhost",
                          .credentials = std::make_shared<Credentials>(test::client_credentials()),
                          .settings = full_windows()},
                         now_)
                .value();
        for (int i = 0; i < 50; ++i) round();
        stream_ = client_.open_stream(connection_, Directionality::kUnidirectional).value();
    }

    // Has the server read `bytes` more.
    void transfer(std::uint64_t bytes) {
        const std::uint64_t goal = read_ + bytes;
        for (int rounds = 0; read_ < goal && rounds < 200'000; ++rounds) {
            while (client_.write(connection_, stream_, data_).value_or(0) != 0) {
            }
            round();
        }
        EXPECT_GE(read_, goal);
    }

    std::uint64_t packets_sent() const { return client_.statistics(connection_)->packets_sent; }
    std::uint64_t packets_lost() const { return client_.statistics(connection_)->packets_lost; }

    bool update_keys() { return client_.update_keys(connection_).has_value(); }
    std::uint64_t key_updates() const { return client_.statistics(connection_)->key_updates; }

private:
    void round() {
        now_ += 1ms;
        for (Endpoint* endpoint : {&client_, &server_}) {
            if (endpoint->next_timeout() <= now_) endpoint->on_timeout(now_);
        }
        while (move(client_, server_, client_address_, server_address_, drop_every_)) read();
        while (move(server_, client_, server_address_, client_address_, 0)) client_.settle();
        while (client_.poll_event()) {
        }
    }

    bool move(Endpoint& from, Endpoint& to, const Address& source, const Address& destination,
              std::size_t drop_every) {
        TransmitSlot slot;
        slot.buffer = memory_;
        slot.max_datagrams = kMaxDatagrams;
        if (!from.transmit(slot, now_)) return false;
        std::size_t count = 0;
        for (Bytes rest = slot.buffer.first(slot.length); !rest.empty();) {
            const Bytes one = rest.first(std::min(slot.datagram_length, rest.size()));
            rest = rest.subspan(one.size());
            if (drop_every != 0 && ++datagrams_ % drop_every == 0) continue;
            received_[count++] = {.data = one, .local = destination, .remote = source};
        }
        to.receive(std::span(received_).first(count), now_);
        return true;
    }

    void read() {
        while (const auto event = server_.poll_event()) {
            const auto* readable = std::get_if<StreamReadable>(&*event);
            if (readable == nullptr) continue;
            for (;;) {
                const auto view = server_.peek(readable->connection, readable->stream);
                if (!view || view->bytes.empty()) break;
                read_ += view->bytes.size();
                EXPECT_TRUE(
                    server_.consume(readable->connection, readable->stream, view->bytes.size()));
            }
        }
        server_.settle();
    }

    SeededRandom client_random_{1};
    SeededRandom server_random_{2};
    const Address client_address_ = parse_address("192.0.2.1:1000");
    const Address server_address_ = parse_address("192.0.2.2:443");
    Endpoint client_ = Endpoint::create({}, client_random_).value();
    Endpoint server_ = Endpoint::create({}, server_random_).value();
    Instant now_{1s};
    ConnectionHandle connection_;
    StreamId stream_{0};
    std::size_t drop_every_;
    std::size_t datagrams_ = 0;
    std::uint64_t read_ = 0;
    std::array<std::uint8_t, 65'507> memory_;
    std::array<std::uint8_t, 16'384> data_{};
    std::array<ReceivedDatagram, kMaxDatagrams> received_;
};

class SteadyConnection : public testing::TestWithParam<std::size_t> {};

TEST_P(SteadyConnection, AllocatesNothing) {
    Pair pair(GetParam());
    pair.transfer(64 << 20);
    const std::uint64_t packets = pair.packets_sent();
    const std::uint64_t before = allocation_count.load();
    pair.transfer(64 << 20);
    EXPECT_EQ(allocation_count.load() - before, 0u);
    EXPECT_GE(pair.packets_sent() - packets, 40'000u);
    EXPECT_EQ(pair.packets_lost() > 0, GetParam() != 0);
}

// Old keys leave their memory to later ones.
TEST(KeyUpdates, AllocateNothing) {
    Pair pair(0);
    ASSERT_TRUE(openssl_is_counted);
    const auto update = [&pair] {
        for (int i = 0; i < 100 && !pair.update_keys(); ++i) pair.transfer(1 << 20);
        pair.transfer(1 << 20);
    };
    pair.transfer(16 << 20);
    update();
    const std::uint64_t updates = pair.key_updates();
    const std::uint64_t before = allocation_count.load();
    for (int i = 0; i < 10; ++i) update();
    EXPECT_EQ(allocation_count.load() - before, 0u);
    EXPECT_EQ(pair.key_updates() - updates, 10u);
}

INSTANTIATE_TEST_SUITE_P(DropEvery, SteadyConnection, testing::Values(0, 1'009, 101, 37));

}  // namespace
}  // namespace stoq
