// A bulk transfer: the client sends, the server reads.
//
//     in_memory_bulk [packets]
#include "pair.h"

namespace stoq::bench {
namespace {

Settings bulk_settings() {
    Settings settings;
    settings.initial_datagram_size = settings.max_datagram_size = kDatagram;
    settings.max_congestion_window = 2 << 20;
    settings.initial_stream_window = settings.max_stream_window = 8 << 20;
    settings.initial_connection_window = settings.max_connection_window = 8 << 20;
    settings.ack_eliciting_threshold = 32;
    return settings;
}

// Bytes that tell their place.
std::vector<std::uint8_t> make_block() {
    std::vector<std::uint8_t> block(std::size_t{1} << 18);
    for (std::size_t i = 0; i < block.size(); ++i) {
        block[i] = static_cast<std::uint8_t>((i * 0x9e37) >> 8);
    }
    return block;
}

const std::vector<std::uint8_t> block = make_block();

struct Transfer {
    std::uint64_t count() const { return packets; }

    void client_turn() {
        ends.client.receive(ends.server.outgoing, ends.now);
        while (const auto event = ends.client.endpoint.poll_event()) {
            if (std::holds_alternative<ConnectionEstablished>(*event)) {
                stream = ends.client.endpoint
                             .open_stream(ends.connection, Directionality::kUnidirectional)
                             .value_or(StreamId());
            }
            if (std::holds_alternative<ConnectionClosed>(*event)) give_up("closed");
        }
        if (stream) {
            while (ends.client.endpoint.write(ends.connection, *stream, payload).value_or(0) > 0) {
            }
        }
        ends.client.transmit(ends.now);
        packets += ends.client.outgoing.datagrams.size();
    }

    void server_turn() {
        ends.server.receive(ends.client.outgoing, ends.now);
        while (const auto event = ends.server.endpoint.poll_event()) {
            if (const auto* readable = std::get_if<StreamReadable>(&*event)) read(*readable);
        }
        ends.server.transmit(ends.now);
    }

    void read(const StreamReadable& readable) {
        std::array<ByteView, 64> pieces;
        for (;;) {
            const auto shown =
                ends.server.endpoint.peek(readable.connection, readable.stream, pieces);
            if (!shown || shown->length == 0) return;
            for (const ByteView& piece : std::span(pieces).first(shown->count)) {
                if (piece[0] != block[received % block.size()]) give_up("wrong bytes");
                received += piece.size();
            }
            (void)ends.server.endpoint.consume(readable.connection, readable.stream, shown->length);
        }
    }

    Pair ends{bulk_settings()};
    SharedBytes payload = SharedBytes::immortal(block);
    std::optional<StreamId> stream;
    std::uint64_t packets = 0;   // that the client has sent
    std::uint64_t received = 0;  // bytes
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
