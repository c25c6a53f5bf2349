// Requests of 64 bytes and responses as long, a hundred at a time, each on a stream of its own.
//
//     in_memory_requests [requests]
#include "pair.h"

namespace stoq::bench {
namespace {

constexpr std::uint64_t kAtOnce = 100;

Settings request_settings() {
    Settings settings;
    settings.initial_datagram_size = settings.max_datagram_size = kDatagram;
    settings.max_bidirectional_streams = 3 * kAtOnce;
    return settings;
}

// Reads a stream; true when it has ended.
bool read(Endpoint& endpoint, const StreamReadable& readable) {
    while (const auto view = endpoint.peek(readable.connection, readable.stream)) {
        (void)endpoint.consume(readable.connection, readable.stream, view->bytes.size());
        if (view->finished) return true;
        if (view->bytes.empty()) break;
    }
    return false;
}

void write(Endpoint& endpoint, ConnectionHandle connection, StreamId stream) {
    static constexpr std::array<std::uint8_t, 64> kBytes{};
    if (!endpoint.write(connection, stream, ByteView(kBytes))) give_up("cannot write");
    (void)endpoint.finish(connection, stream);
}

struct Transfer {
    std::uint64_t count() const { return answered; }

    void client_turn() {
        Endpoint& endpoint = ends.client.endpoint;
        ends.client.receive(ends.server.outgoing, ends.now);
        while (const auto event = endpoint.poll_event()) {
            established |= std::holds_alternative<ConnectionEstablished>(*event);
            const auto* readable = std::get_if<StreamReadable>(&*event);
            if (readable != nullptr && read(endpoint, *readable)) ++answered;
            if (std::holds_alternative<ConnectionClosed>(*event)) give_up("closed");
        }
        while (established && asked < answered + kAtOnce) {
            const auto id = endpoint.open_stream(ends.connection, Directionality::kBidirectional);
            if (!id) break;
            write(endpoint, ends.connection, *id);
            ++asked;
        }
        ends.client.transmit(ends.now);
    }

    void server_turn() {
        Endpoint& endpoint = ends.server.endpoint;
        ends.server.receive(ends.client.outgoing, ends.now);
        while (const auto event = endpoint.poll_event()) {
            const auto* readable = std::get_if<StreamReadable>(&*event);
            if (readable == nullptr || !read(endpoint, *readable)) continue;
            write(endpoint, readable->connection, readable->stream);
        }
        ends.server.transmit(ends.now);
    }

    Pair ends{request_settings()};
    std::uint64_t asked = 0;
    std::uint64_t answered = 0;
    bool established = false;
};

}  // namespace

// The turns that are counted, by name.
[[gnu::noinline]] void counted_client_turn(Transfer& transfer) {
    transfer.client_turn();
}

[[gnu::noinline]] void counted_server_turn(Transfer& transfer) {
    transfer.server_turn();
}

}  // namespace stoq::bench

int main(int argc, char** argv) {
    using namespace stoq::bench;
    const auto transfer = std::make_unique<Transfer>();
    run(*transfer, wanted_count(argc, argv), &counted_client_turn, &counted_server_turn);
    return 0;
}
