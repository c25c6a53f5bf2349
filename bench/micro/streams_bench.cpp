// Streams without the rest: what a byte costs from write() to consume(), frames coded and decoded,
// and acknowledged. Both ends on one core; figures are per second of processor time.
//
// Last line: RESULT streams_bulk_gbit=... streams_shared_gbit=... streams_requests_k=...
#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <memory>
#include <vector>

#include "streams/stream_set.h"
#include "wire/frame_decode.h"

namespace {

using namespace stoq;
using streams::StreamSet;

constexpr std::size_t kPayload = 1400;
constexpr std::size_t kBatch = 32;

struct Ends {
    Ends()
        : client(Role::kClient, settings(), resources),
          server(Role::kServer, settings(), resources) {
        const streams::PeerLimits limits{1 << 24, 1 << 24, 1 << 24, 1 << 24, 1000, 1000};
        client.set_peer_limits(limits);
        server.set_peer_limits(limits);
    }

    static streams::StreamSettings settings() {
        return {.initial_stream_window = 1 << 24,
                .max_stream_window = 1 << 24,
                .initial_connection_window = 1 << 24,
                .max_connection_window = 1 << 24,
                .max_bidirectional_streams = 1000,
                .max_unidirectional_streams = 1000};
    }

    streams::StreamResources resources{1 << 30};
    StreamSet client;
    StreamSet server;
};

struct Packet {
    std::array<std::uint8_t, kPayload> bytes;
    std::size_t length = 0;
    std::array<wire::SentFrame, wire::PayloadWriter::kMaxRecords> records;
    std::size_t record_count = 0;
};

void deliver(StreamSet& to, const Packet& packet) {
    ByteReader reader(ByteView(packet.bytes).first(packet.length));
    while (!reader.empty()) {
        const auto frame = wire::decode_frame(reader, wire::PacketType::kOneRtt);
        if (!frame) return;
        if (const auto* stream = std::get_if<wire::StreamFrame>(&*frame)) {
            static_cast<void>(to.on_stream(*stream, Instant()));
        } else if (const auto* max_data = std::get_if<wire::MaxDataFrame>(&*frame)) {
            to.on_max_data(*max_data);
        } else if (const auto* max_stream_data = std::get_if<wire::MaxStreamDataFrame>(&*frame)) {
            static_cast<void>(to.on_max_stream_data(*max_stream_data));
        } else if (const auto* max_streams = std::get_if<wire::MaxStreamsFrame>(&*frame)) {
            to.on_max_streams(*max_streams);
        }
    }
}

bool fill(StreamSet& from, Packet& packet) {
    if (!from.has_pending()) return false;
    wire::PayloadWriter writer(packet.bytes);
    if (from.write_control_frames(writer)) from.write_stream_frames(writer);
    packet.length = writer.written();
    packet.record_count = writer.records().size();
    std::copy(writer.records().begin(), writer.records().end(), packet.records.begin());
    return true;
}

// Moves up to a batch of packets; `read` looks at what arrived while it is borrowed.
template <typename Read>
void move_batch(StreamSet& from, StreamSet& to, std::array<Packet, kBatch>& packets, Read read) {
    std::size_t count = 0;
    while (count < kBatch && fill(from, packets[count])) ++count;
    for (std::size_t i = 0; i < count; ++i) deliver(to, packets[i]);
    read();
    to.settle();
    for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t r = 0; r < packets[i].record_count; ++r) {
            from.on_acked(packets[i].records[r]);
        }
    }
}

// Processor time, which other programs on the machine do not add to.
double processor_seconds_since(std::clock_t start) {
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

std::uint64_t read_all(StreamSet& set, StreamId id) {
    std::uint64_t total = 0;
    for (auto view = set.peek(id); view && !view->bytes.empty(); view = set.peek(id)) {
        total += view->bytes.size();
        static_cast<void>(set.consume(id, view->bytes.size()));
        if (view->finished) break;
    }
    return total;
}

// Gbit/s of one stream.
template <typename Source>
double bulk(std::uint64_t total, const Source& source) {
    auto ends = std::make_unique<Ends>();
    auto packets = std::make_unique<std::array<Packet, kBatch>>();
    const StreamId id = *ends->client.open(Directionality::kUnidirectional);
    const auto start = std::clock();
    std::uint64_t received = 0;
    while (received < total) {
        while (ends->client.buffered_to_send() < 256 * 1024) {
            static_cast<void>(ends->client.write(id, source));
        }
        move_batch(ends->client, ends->server, *packets,
                   [&] { received += read_all(ends->server, id); });
        move_batch(ends->server, ends->client, *packets, [] {});
    }
    return static_cast<double>(total) * 8e-9 / processor_seconds_since(start);
}

// Thousands of requests and responses of 64 bytes a second, each on a stream of its own.
double requests(std::uint64_t total) {
    auto ends = std::make_unique<Ends>();
    auto packets = std::make_unique<std::array<Packet, kBatch>>();
    const std::array<std::uint8_t, 64> bytes{};
    const auto start = std::clock();
    for (std::uint64_t done = 0; done < total;) {
        for (int i = 0; i < 100; ++i) {
            const auto id = ends->client.open(Directionality::kBidirectional);
            if (!id) break;
            static_cast<void>(ends->client.write(*id, ByteView(bytes)));
            static_cast<void>(ends->client.finish(*id));
        }
        move_batch(ends->client, ends->server, *packets, [&] {
            while (const auto event = ends->server.poll_event()) {
                if (event->kind != streams::StreamEventKind::kReadable) continue;
                read_all(ends->server, event->stream);
                static_cast<void>(ends->server.write(event->stream, ByteView(bytes)));
                static_cast<void>(ends->server.finish(event->stream));
            }
        });
        move_batch(ends->server, ends->client, *packets, [&] {
            while (const auto event = ends->client.poll_event()) {
                if (event->kind != streams::StreamEventKind::kReadable) continue;
                if (read_all(ends->client, event->stream) == bytes.size()) ++done;
            }
        });
    }
    return static_cast<double>(total) * 1e-3 / processor_seconds_since(start);
}

}  // namespace

int main() {
    const std::vector<std::uint8_t> data(64 * 1024, 7);
    constexpr std::uint64_t kTotal = std::uint64_t{4} << 30;
    const double copied = bulk(kTotal, ByteView(data));
    std::printf("bulk, copied by write():     %6.1f Gbit/s, %.0f ns a packet\n", copied,
                kPayload * 8 / copied);
    const double shared = bulk(kTotal, SharedBytes::immortal(data));
    std::printf("bulk, shared by write():     %6.1f Gbit/s, %.0f ns a packet\n", shared,
                kPayload * 8 / shared);
    const double fresh = requests(2'000'000);
    std::printf("64-byte requests, fresh streams: %.0f thousand a second\n", fresh);
    std::printf("RESULT streams_bulk_gbit=%.1f streams_shared_gbit=%.1f streams_requests_k=%.0f\n",
                copied, shared, fresh);
    return 0;
}
