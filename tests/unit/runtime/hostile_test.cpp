// Hostile datagrams at a live server on a real socket: all they change is counters.
#include <arpa/inet.h>
#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/echo_runtimes.h"
#include "support/forged_initial.h"

namespace stoq {
namespace {

using namespace std::chrono_literals;
using test::EchoClient;
using test::EchoServer;
using Packet = std::vector<std::uint8_t>;

Address loopback(std::uint16_t port) {
    return parse_address("127.0.0.1:" + std::to_string(port));
}

sockaddr_in to_system(const Address& address) {
    sockaddr_in made{};
    made.sin_family = AF_INET;
    made.sin_port = htons(address.port);
    made.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return made;
}

// A socket on 127.0.0.1 without a protocol behind it.
class RawSocket {
public:
    RawSocket() {
        const sockaddr_in any = to_system({});
        EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
    }
    ~RawSocket() { ::close(socket_); }
    RawSocket(const RawSocket&) = delete;
    RawSocket& operator=(const RawSocket&) = delete;

    Address address() const {
        sockaddr_in own{};
        socklen_t length = sizeof own;
        ::getsockname(socket_, reinterpret_cast<sockaddr*>(&own), &length);
        return loopback(ntohs(own.sin_port));
    }
    void send(ByteView bytes, const Address& to) const {
        const sockaddr_in remote = to_system(to);
        ::sendto(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&remote), sizeof remote);
    }
    // One datagram and the port that it came from; empty when none has come.
    Packet receive(std::uint16_t& port) const {
        Packet bytes(2'000);
        sockaddr_in from{};
        socklen_t length = sizeof from;
        const ssize_t size = ::recvfrom(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT,
                                        reinterpret_cast<sockaddr*>(&from), &length);
        bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
        port = ntohs(from.sin_port);
        return bytes;
    }

private:
    int socket_ = ::socket(AF_INET, SOCK_DGRAM, 0);
};

// Stands between a client and its server, and adds to each datagram of the client what somebody on
// the way may make of it. All of it has the client's address, as far as the server can see.
class Meddler {
public:
    Meddler(const Address& server, std::uint64_t seed) : server_(server), random_(seed) {}

    Address address() const { return socket_.address(); }
    std::size_t added() const { return added_; }

    void forward() {
        std::uint16_t port = 0;
        for (;;) {
            Packet bytes = socket_.receive(port);
            if (bytes.empty()) return;
            if (port == server_.port) {
                socket_.send(bytes, client_);
            } else {
                client_ = loopback(port);
                meddle(std::move(bytes));
            }
        }
    }

private:
    static constexpr std::size_t kLongestReset = 42;

    std::size_t below(std::size_t limit) { return random_.next_uint64() % limit; }
    void add(ByteView bytes) {
        socket_.send(bytes, server_);
        ++added_;
    }
    void meddle(Packet bytes) {
        // A client answers stateless resets of the server with such ones of its own, ever shorter;
        // if each made five more, the flood would be ours.
        const bool is_worth_it = bytes.size() > kLongestReset;
        if (is_worth_it) add_noise(bytes);
        socket_.send(bytes, server_);
        if (is_worth_it) add_copies(std::move(bytes));
    }
    // What comes before the datagram itself.
    void add_noise(const Packet& original) {
        Packet flipped = original;
        flipped[below(flipped.size())] ^= static_cast<std::uint8_t>(1u << below(8));
        add(flipped);
        Packet noise(1 + below(1'400));
        random_.fill(noise);
        add(noise);
        // Behind a header that leads to the connection.
        noise = original;
        random_.fill(Bytes(noise).subspan(std::min<std::size_t>(noise.size(), 20)));
        add(noise);
    }
    void add_copies(Packet original) {
        if (!earlier_.empty()) add(earlier_);
        add(original);
        earlier_ = original;
        original.resize(below(original.size()));
        if (!original.empty()) add(original);
    }

    RawSocket socket_;
    Address server_;
    Address client_;
    SeededRandom random_;
    Packet earlier_;
    std::size_t added_ = 0;
};

TEST(RuntimeUnderAttack, DamagedTruncatedAndReplayedDatagramsChangeNothingButCounters) {
    constexpr std::uint64_t kSeed = 5;
    SCOPED_TRACE(testing::Message() << "seed " << kSeed);
    EchoServer server;
    Meddler meddler(server.local, kSeed);
    EchoClient client(300'000);
    client.connect(meddler.address());
    const auto turn = [&](auto done) {
        for (int i = 0; i < test::kMaxTurns && !done(); ++i) {
            const bool worked = client.runtime->run_once(Duration::zero());
            meddler.forward();
            server.runtime->run_once(worked ? Duration::zero() : Duration(1ms));
            meddler.forward();
        }
        return done();
    };
    ASSERT_TRUE(turn([&] { return client.finished || client.closed || server.closed; }));
    ASSERT_FALSE(client.closed || server.closed);
    EXPECT_EQ(client.received, client.sent);

    const EndpointStatistics counts = server.runtime->endpoint().statistics();
    EXPECT_EQ(counts.connections_accepted, 1u);
    EXPECT_EQ(counts.connections_now, 1u);
    // Up to six were added to each that the client sent. Most belong to no connection, or none
    // opens.
    EXPECT_GE(meddler.added(), 500u);
    EXPECT_GE(counts.datagrams_received, meddler.added() / 2) << "the system lost too many";
    EXPECT_GE(counts.datagrams_dropped, meddler.added() / 8);

    client.runtime->close_all(9, "enough");
    ASSERT_TRUE(turn([&] { return server.closed.has_value(); }));
    EXPECT_EQ(server.closed->kind, CloseKind::kPeerApplication);
    EXPECT_EQ(server.closed->code, 9u);
}

constexpr std::size_t kFlood = 100'000;
constexpr std::size_t kBatch = 50;
constexpr std::size_t kForged = 5'000;
constexpr std::size_t kHeapPerConnection = 200'000;

// Initials that open, of clients that do not exist, cut off in the middle of a ClientHello.
std::vector<Packet> forge_initials(std::uint64_t seed) {
    SeededRandom random(seed);
    constexpr std::array<std::uint8_t, 12> kFrames{0x06, 0x00, 0x08, 0x01, 0x00, 0x01,
                                                   0x00, 0x03, 0x03, 0x00, 0x00, 0x00};
    std::vector<Packet> made(kForged);
    for (Packet& each : made) {
        each = test::forge_initial({.destination = test::random_connection_id(random),
                                    .source = test::random_connection_id(random),
                                    .frames = kFrames});
    }
    return made;
}

// Bytes of the C library's heap in use; 0 under a sanitizer, which brings a heap of its own.
std::size_t heap_in_use() {
    return mallinfo2().uordblks;
}

TEST(RuntimeUnderAttack, AHundredThousandForgedInitialsLeaveMemoryBoundedAndALiveTransferExact) {
    const std::vector<Packet> forged = forge_initials(7);
    RuntimeSettings settings;
    settings.endpoint.max_half_open = 200;
    EchoServer server("127.0.0.1:0", settings);
    // A piece leaves with each batch of the flood, so that the transfer lasts as long as it does.
    EchoClient client(kFlood / kBatch * 1'000);
    client.hold_back();
    client.connect(server.local);
    ASSERT_TRUE(
        test::turn_both(*server.runtime, *client.runtime, [&] { return client.established; }));

    const std::array<RawSocket, 20> sources;
    const std::size_t heap_before = heap_in_use();
    std::size_t heap = heap_before;
    std::uint64_t connections = 0;
    for (std::size_t sent = 0; sent < kFlood; sent += kBatch) {
        for (std::size_t i = sent; i < sent + kBatch; ++i) {
            sources[i / kForged % sources.size()].send(forged[i % kForged], server.local);
        }
        client.release(1'000);
        client.runtime->run_once(Duration::zero());
        while (server.runtime->run_once(Duration::zero())) {
        }
        heap = std::max(heap, heap_in_use());
        const EndpointStatistics counts = server.runtime->endpoint().statistics();
        connections = std::max(connections, counts.connections_now);
    }
    EXPECT_FALSE(client.finished) << "the flood came too late";
    ASSERT_TRUE(test::turn_both(*server.runtime, *client.runtime, [&] { return client.finished; }));
    EXPECT_EQ(client.received, client.sent);

    // Half of the half-open limit is let in; from there on a Retry is asked for.
    const EndpointStatistics counts = server.runtime->endpoint().statistics();
    EXPECT_LE(connections, 101u);
    EXPECT_LE(counts.half_open_now, 100u);
    EXPECT_GE(counts.datagrams_received, kFlood);
    EXPECT_GE(counts.retries_sent, kFlood / 2);
    EXPECT_LE(heap, heap_before + 101 * kHeapPerConnection);
    std::printf("connections %llu, retries %llu, heap +%zu bytes\n",
                static_cast<unsigned long long>(connections),
                static_cast<unsigned long long>(counts.retries_sent), heap - heap_before);
}

}  // namespace
}  // namespace stoq
