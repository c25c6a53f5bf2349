// The short path of a train writes the bytes that the plain path would have written.
//
// With an observer every packet is written frame by frame, so a transfer is run with and without
// one, and what the sender puts on the wire has to be the same. Keys have to be the same for that:
// OpenSSL draws its random numbers from a seeded generator here.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <functional>
#include <iostream>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/rand.h>

#include "observe/event_sink.h"
#include "stoq/endpoint.h"
#include "support/test_credentials.h"

namespace stoq {
namespace {

using Datagram = std::vector<std::uint8_t>;

constexpr std::uint64_t kSeed = 0x7a'1b'2c;

// Random numbers of OpenSSL that are the same after each restart().
class SeededOpenssl {
public:
    SeededOpenssl() { RAND_set_rand_method(&kMethod); }
    ~SeededOpenssl() { RAND_set_rand_method(nullptr); }
    SeededOpenssl(const SeededOpenssl&) = delete;
    SeededOpenssl& operator=(const SeededOpenssl&) = delete;
    static void restart() { random = SeededRandom(kSeed); }

private:
    static int bytes(unsigned char* out, int length) {
        random.fill({out, static_cast<std::size_t>(length)});
        return 1;
    }
    static int status() { return 1; }

    static inline SeededRandom random{kSeed};
    static inline const RAND_METHOD kMethod{nullptr, &bytes, nullptr, nullptr, &bytes, &status};
};

class CountingSink final : public observe::EventSink {
public:
    void on_event(const observe::EventContext&, const observe::Event&) override { ++events; }
    std::uint64_t events = 0;
};

// One kind of transfer, and what happens to it on the way.
struct Scenario {
    const char* name;
    Settings settings;
    // Opens and writes; called in every round after the handshake.
    std::function<void(Endpoint&, ConnectionHandle, int round)> work;
    int lost_every = 0;  // datagrams of the client, 0: none
};

std::vector<std::uint8_t> pattern(std::size_t length) {
    std::vector<std::uint8_t> bytes(length);
    SeededRandom(9).fill(bytes);
    return bytes;
}

// A client that sends, and a server that reads what comes.
class Transfer {
public:
    Transfer(const Scenario& scenario, observe::EventSink* sink) : scenario_(scenario) {
        SeededOpenssl::restart();
        ServerConfig server_config;
        server_config.credentials = test::server_credentials();
        server_config.settings = scenario.settings;
        EXPECT_TRUE(server_.listen(server_config));
        ClientConfig config;
        config.remote = parse_address("127.0.0.1:2");
        config.server_name = "localhost";
        config.credentials = std::make_shared<Credentials>(test::client_credentials());
        config.settings = scenario.settings;
        client_.set_event_sink(sink);
        connection_ = client_.connect(config, now_).value();
    }

    void run(int rounds) {
        for (int round = 0; round < rounds; ++round, now_ += std::chrono::microseconds(200)) {
            while (const auto event = client_.poll_event()) {
                established_ |= std::holds_alternative<ConnectionEstablished>(*event);
            }
            if (established_) scenario_.work(client_, connection_, round);
            if (client_.next_timeout() <= now_) client_.on_timeout(now_);
            for (Datagram& datagram : send(client_)) {
                if (established_) sent.push_back(datagram);
                ++count_;
                const int every = scenario_.lost_every;
                if (established_ && every > 0 && count_ % every == 0) continue;
                receive(server_, datagram, "127.0.0.1:1", "127.0.0.1:2");
            }
            read();
            if (server_.next_timeout() <= now_) server_.on_timeout(now_);
            for (Datagram& datagram : send(server_)) {
                receive(client_, datagram, "127.0.0.1:2", "127.0.0.1:1");
            }
        }
    }

    // Stream bytes: the short path takes most of them from where they lie.
    std::uint64_t copied_by_client() const { return client_.statistics().bytes_copied; }

    std::vector<Datagram> sent;  // by the client, after the handshake
    std::uint64_t received = 0;  // bytes of streams

private:
    std::vector<Datagram> send(Endpoint& from) {
        std::vector<Datagram> datagrams;
        std::vector<std::uint8_t> memory(65'507);
        for (int trains = 0; trains < 4; ++trains) {
            TransmitSlot slot;
            slot.buffer = memory;
            slot.max_datagrams = 64;
            if (!from.transmit(slot, now_)) break;
            for (std::size_t at = 0; at < slot.length; at += slot.datagram_length) {
                const auto end = std::min(at + slot.datagram_length, slot.length);
                datagrams.emplace_back(slot.buffer.begin() + static_cast<std::ptrdiff_t>(at),
                                       slot.buffer.begin() + static_cast<std::ptrdiff_t>(end));
            }
        }
        return datagrams;
    }

    void receive(Endpoint& to, Datagram& datagram, const char* from, const char* local) {
        ReceivedDatagram received_one{.data = datagram,
                                      .local = parse_address(local),
                                      .remote = parse_address(from),
                                      .ecn = Ecn::kEct0};
        to.receive({&received_one, 1}, now_);
        to.settle();
    }

    void read() {
        while (const auto event = server_.poll_event()) {
            const auto* readable = std::get_if<StreamReadable>(&*event);
            if (readable == nullptr) continue;
            std::array<ByteView, 8> pieces;
            for (;;) {
                const auto shown = server_.peek(readable->connection, readable->stream, pieces);
                if (!shown || shown->length == 0) break;
                received += shown->length;
                (void)server_.consume(readable->connection, readable->stream, shown->length);
            }
        }
    }

    const Scenario& scenario_;
    SeededRandom client_random_{kSeed};
    SeededRandom server_random_{kSeed + 1};
    Endpoint client_ = std::move(Endpoint::create({}, client_random_).value());
    Endpoint server_ = std::move(Endpoint::create({}, server_random_).value());
    ConnectionHandle connection_;
    Instant now_{std::chrono::seconds(1)};
    bool established_ = false;
    int count_ = 0;
};

Settings bulk_settings() {
    Settings settings;
    settings.initial_datagram_size = settings.max_datagram_size = 1452;
    return settings;
}

void write_shared(Endpoint& endpoint, ConnectionHandle connection, std::uint64_t index) {
    static const std::vector<std::uint8_t> block = pattern(100'003);
    (void)endpoint.write(connection, StreamId(4 * index + 2), SharedBytes::immortal(block));
}

void one_stream(Endpoint& endpoint, ConnectionHandle connection, int) {
    (void)endpoint.open_stream(connection, Directionality::kUnidirectional);
    write_shared(endpoint, connection, 0);
}

void small_writes(Endpoint& endpoint, ConnectionHandle connection, int round) {
    static const std::vector<std::uint8_t> block = pattern(7001);
    (void)endpoint.open_stream(connection, Directionality::kUnidirectional);
    for (int i = 0; i < 9; ++i) (void)endpoint.write(connection, StreamId(2), ByteView(block));
    if (round == 180) (void)endpoint.finish(connection, StreamId(2));
}

void many_streams(Endpoint& endpoint, ConnectionHandle connection, int round) {
    const auto id = endpoint.open_stream(connection, Directionality::kUnidirectional);
    if (!id) return;
    (void)endpoint.set_priority(connection, *id, round % 3 == 0 ? 1 : 4, round % 2 == 0);
    write_shared(endpoint, connection, id->index());
    (void)endpoint.finish(connection, *id);
}

class StreamTrainTest : public testing::TestWithParam<Scenario> {};

TEST_P(StreamTrainTest, ThePlainPathWritesTheSameBytes) {
    std::cout << "seed " << kSeed << "\n";
    const SeededOpenssl seeded;
    constexpr int kRounds = 200;
    // Whatever OpenSSL draws only once in a process is drawn here.
    Transfer(GetParam(), nullptr).run(kRounds);

    Transfer fast(GetParam(), nullptr);
    fast.run(kRounds);
    CountingSink sink;
    Transfer plain(GetParam(), &sink);
    plain.run(kRounds);

    EXPECT_GT(fast.sent.size(), 500u);
    EXPECT_GT(sink.events, plain.sent.size());
    EXPECT_GT(fast.received, 500'000u);
    EXPECT_EQ(fast.received, plain.received);
    EXPECT_LT(fast.copied_by_client(), plain.copied_by_client()) << "the short path was not taken";
    ASSERT_EQ(fast.sent.size(), plain.sent.size());
    for (std::size_t i = 0; i < fast.sent.size(); ++i) {
        ASSERT_EQ(fast.sent[i], plain.sent[i]) << "datagram " << i;
    }
}

Settings with(void (*change)(Settings&)) {
    Settings settings = bulk_settings();
    change(settings);
    return settings;
}

INSTANTIATE_TEST_SUITE_P(
    , StreamTrainTest,
    testing::Values(Scenario{"bulk", bulk_settings(), &one_stream},
                    Scenario{"bulk_with_loss", bulk_settings(), &one_stream, 97},
                    Scenario{"without_pacing", with([](Settings& s) { s.pacing = false; }),
                             &one_stream},
                    Scenario{"small_windows", with([](Settings& s) {
                                 s.initial_stream_window = s.max_stream_window = 50'000;
                                 s.initial_connection_window = s.max_connection_window = 60'000;
                             }),
                             &one_stream},
                    Scenario{"copied_writes", bulk_settings(), &small_writes},
                    Scenario{"copied_writes_with_loss", bulk_settings(), &small_writes, 61},
                    Scenario{"many_streams", bulk_settings(), &many_streams},
                    Scenario{"many_streams_with_loss", bulk_settings(), &many_streams, 53}),
    [](const testing::TestParamInfo<Scenario>& scenario) { return scenario.param.name; });

}  // namespace
}  // namespace stoq
