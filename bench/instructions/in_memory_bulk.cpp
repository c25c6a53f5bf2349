// A bulk transfer between two endpoints of one process, with a clock of its own and no sockets:
// every run executes the same instructions. tools/dev/check-instructions counts them under
// callgrind.
//
//     in_memory_bulk [packets]
//
// Prints how many full packets passed in the turns that are counted.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "stoq/endpoint.h"

namespace stoq::bench {
namespace {

constexpr std::uint16_t kDatagram = 1452;
constexpr std::size_t kTrainsPerTurn = 4;
constexpr Duration kTurn = std::chrono::microseconds(50);
constexpr std::uint64_t kWarmUpPackets = 20'000;
constexpr int kTurnsAtMost = 1'000'000;

[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "in_memory_bulk: %s\n", what);
    std::_Exit(1);
}

Settings bulk_settings() {
    Settings settings;
    settings.initial_datagram_size = settings.max_datagram_size = kDatagram;
    settings.max_congestion_window = 2 << 20;
    settings.initial_stream_window = settings.max_stream_window = 8 << 20;
    settings.initial_connection_window = settings.max_connection_window = 8 << 20;
    settings.ack_eliciting_threshold = 32;
    return settings;
}

// A stream of 64-bit words that count up, so that a reader can tell the place of each.
std::vector<std::uint8_t> make_block() {
    std::vector<std::uint8_t> block(std::size_t{1} << 18);
    for (std::size_t i = 0; i < block.size(); ++i) {
        block[i] = static_cast<std::uint8_t>((i * 0x9e37) >> 8);
    }
    return block;
}

const std::vector<std::uint8_t> block = make_block();

// What one end has sent and the other has not received yet.
struct Trains {
    std::array<std::vector<std::uint8_t>, kTrainsPerTurn> memory;
    std::vector<ReceivedDatagram> datagrams;
};

struct End {
    End(std::uint64_t seed, const char* address)
        : random(seed), own_address(parse_address(address)), endpoint(make_endpoint(random)) {
        for (auto& train : outgoing.memory) train.resize(65'507);
        outgoing.datagrams.reserve(kTrainsPerTurn * 64);
    }

    static Endpoint make_endpoint(RandomSource& random) {
        auto made = Endpoint::create({}, random);
        if (!made) give_up("no endpoint");
        return std::move(*made);
    }

    void receive(Trains& incoming, Instant now) {
        if (!incoming.datagrams.empty()) endpoint.receive(incoming.datagrams, now);
        if (endpoint.next_timeout() <= now) endpoint.on_timeout(now);
    }

    void transmit(Instant now) {
        endpoint.settle();
        outgoing.datagrams.clear();
        for (auto& memory : outgoing.memory) {
            TransmitSlot slot;
            slot.buffer = memory;
            slot.max_datagrams = 64;
            if (!endpoint.transmit(slot, now)) return;
            for (std::size_t at = 0; at < slot.length; at += slot.datagram_length) {
                const std::size_t length = std::min(slot.datagram_length, slot.length - at);
                outgoing.datagrams.push_back({.data = slot.buffer.subspan(at, length),
                                              .local = slot.remote,
                                              .remote = own_address,
                                              .ecn = slot.ecn});
            }
        }
    }

    SeededRandom random;
    Address own_address;
    Endpoint endpoint;
    Trains outgoing;
};

struct Transfer {
    End client{1, "127.0.0.1:1001"};
    End server{2, "127.0.0.1:1002"};
    SharedBytes payload = SharedBytes::immortal(block);
    ConnectionHandle connection;
    std::optional<StreamId> stream;
    Instant now{std::chrono::seconds(1)};
    std::uint64_t packets = 0;   // that the client has sent
    std::uint64_t received = 0;  // bytes

    void sender_turn() {
        client.receive(server.outgoing, now);
        while (const auto event = client.endpoint.poll_event()) {
            if (std::holds_alternative<ConnectionEstablished>(*event)) {
                stream = client.endpoint.open_stream(connection, Directionality::kUnidirectional)
                             .value_or(StreamId());
            }
            if (std::holds_alternative<ConnectionClosed>(*event)) give_up("closed");
        }
        if (stream) {
            while (client.endpoint.write(connection, *stream, payload).value_or(0) > 0) {
            }
        }
        client.transmit(now);
        packets += client.outgoing.datagrams.size();
    }

    void receiver_turn() {
        server.receive(client.outgoing, now);
        while (const auto event = server.endpoint.poll_event()) {
            if (const auto* readable = std::get_if<StreamReadable>(&*event)) read(*readable);
        }
        server.transmit(now);
    }

    void read(const StreamReadable& readable) {
        std::array<ByteView, 64> pieces;
        for (;;) {
            const auto shown = server.endpoint.peek(readable.connection, readable.stream, pieces);
            if (!shown || shown->length == 0) return;
            for (const ByteView& piece : std::span(pieces).first(shown->count)) {
                if (piece[0] != block[received % block.size()]) give_up("wrong bytes");
                received += piece.size();
            }
            (void)server.endpoint.consume(readable.connection, readable.stream, shown->length);
        }
    }
};

}  // namespace

// The turns that are counted, by name.
[[gnu::noinline]] void counted_sender_turn(Transfer& transfer) {
    transfer.sender_turn();
}

[[gnu::noinline]] void counted_receiver_turn(Transfer& transfer) {
    transfer.receiver_turn();
}

namespace {

void connect(Transfer& transfer) {
    auto pem = generate_identity({.names = {"localhost"}});
    if (!pem) give_up("no identity");
    auto identity = Identity::from_pem(pem->certificate(), pem->key());
    if (!identity) give_up("no identity");
    ServerConfig server;
    server.credentials.identities = {*identity};
    server.credentials.alpn = {"bench"};
    server.credentials.cipher_suites = {true, false, false};
    server.settings = bulk_settings();
    if (!transfer.server.endpoint.listen(server)) give_up("cannot listen");
    auto trust = Trust::ca_pem(pem->certificate());
    if (!trust) give_up("no trust");
    auto credentials = std::make_shared<Credentials>();
    credentials->trust = *trust;
    credentials->alpn = {"bench"};
    credentials->cipher_suites = {true, false, false};
    ClientConfig client;
    client.remote = transfer.server.own_address;
    client.server_name = "localhost";
    client.credentials = credentials;
    client.settings = bulk_settings();
    auto connection = transfer.client.endpoint.connect(client, transfer.now);
    if (!connection) give_up("cannot connect");
    transfer.connection = *connection;
}

void run(std::uint64_t packets) {
    const auto transfer = std::make_unique<Transfer>();
    connect(*transfer);
    int turns = 0;
    for (; transfer->packets < kWarmUpPackets && turns < kTurnsAtMost; ++turns) {
        transfer->sender_turn();
        transfer->receiver_turn();
        transfer->now += kTurn;
    }
    const std::uint64_t first = transfer->packets;
    for (; transfer->packets < first + packets && turns < kTurnsAtMost; ++turns) {
        counted_sender_turn(*transfer);
        counted_receiver_turn(*transfer);
        transfer->now += kTurn;
    }
    if (turns == kTurnsAtMost) give_up("no progress");
    const auto statistics = transfer->client.endpoint.statistics(transfer->connection);
    if (!statistics || statistics->packets_lost != 0) give_up("packets were lost");
    std::printf("packets=%llu\n", static_cast<unsigned long long>(transfer->packets - first));
}

}  // namespace
}  // namespace stoq::bench

int main(int argc, char** argv) {
    const int packets = argc > 1 ? std::atoi(argv[1]) : 20'000;
    if (packets < 1) stoq::bench::give_up("packets: 1 or more");
    stoq::bench::run(static_cast<std::uint64_t>(packets));
    return 0;
}
