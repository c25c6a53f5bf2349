// Streams against simple models: reassembly, the send buffer, and two sets over a lossy link.
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/random.h"
#include "support/stream_link.h"

namespace stoq::streams {
namespace {

using test::pattern;
using test::pattern_at;

std::uint64_t below(SeededRandom& random, std::uint64_t bound) {
    return random.next() % bound;
}

RC_GTEST_PROP(ReassemblerProperty, DeliversWhatAMapOfBytesWould, (std::uint64_t seed)) {
    SeededRandom random(seed);
    BlockPool pool;
    Reassembler reassembler(pool);
    std::map<std::uint64_t, std::uint8_t> model;
    std::uint64_t read = 0;
    const std::uint64_t span = 1 + below(random, 40'000);
    std::vector<std::vector<std::uint8_t>> datagrams;
    for (int step = 0; step < 300; ++step) {
        switch (below(random, 4)) {
            case 0:
            case 1: {
                const std::uint64_t offset = read / 2 + below(random, span);
                datagrams.push_back(pattern(offset, below(random, 3000)));
                const auto& data = datagrams.back();
                RC_ASSERT(reassembler.insert(offset, data).has_value());
                for (std::size_t i = 0; i < data.size(); ++i) model[offset + i] = data[i];
                break;
            }
            case 2: {
                reassembler.settle();
                // Nothing may point into the datagrams any more.
                for (auto& datagram : datagrams) std::fill(datagram.begin(), datagram.end(), 0xee);
                datagrams.clear();
                break;
            }
            default: {
                const ByteView view = reassembler.peek();
                RC_ASSERT(view.empty() == !model.contains(read));
                const std::size_t length = below(random, view.size() + 1);
                for (std::size_t i = 0; i < view.size(); ++i) {
                    RC_ASSERT(model.contains(read + i));
                    RC_ASSERT(view[i] == model[read + i]);
                }
                reassembler.consume(length);
                read += length;
            }
        }
        std::uint64_t end = read;
        while (model.contains(end)) ++end;
        RC_ASSERT(reassembler.contiguous_end() == end);
        RC_ASSERT(reassembler.read_offset() == read);
    }
}

// Each byte's condition, kept one by one.
struct SendModel {
    std::set<std::uint64_t> acked;
    std::set<std::uint64_t> lost;
    std::uint64_t next = 0;
    std::uint64_t end = 0;
};

RC_GTEST_PROP(SendBufferProperty, AgreesWithOneEntryPerByte, (std::uint64_t seed)) {
    SeededRandom random(seed);
    BlockPool pool;
    SendBuffer buffer(pool);
    SendModel model;
    struct Flight {
        std::uint64_t offset;
        std::uint64_t length;
    };
    std::vector<Flight> in_flight;
    for (int step = 0; step < 200; ++step) {
        switch (below(random, 5)) {
            case 0: {
                const auto bytes = pattern(model.end, below(random, 1500));
                below(random, 2) == 0 ? buffer.append(ByteView(bytes))
                                      : buffer.append(SharedBytes::copy_of(bytes));
                model.end += bytes.size();
                break;
            }
            case 1:
            case 2: {
                std::uint64_t offset = model.next;
                std::uint64_t available = model.end - model.next;
                if (!model.lost.empty()) {
                    const Interval lost = buffer.first_lost();
                    RC_ASSERT(lost.begin == *model.lost.begin());
                    offset = lost.begin;
                    available = lost.length();
                }
                const std::uint64_t length = std::min<std::uint64_t>(available, 400);
                if (length == 0) break;
                std::vector<std::uint8_t> sent(length);
                buffer.copy(offset, sent);
                RC_ASSERT(sent == pattern(offset, length));
                buffer.on_sent(offset, length);
                for (std::uint64_t i = offset; i < offset + length; ++i) model.lost.erase(i);
                model.next = std::max(model.next, offset + length);
                in_flight.push_back({offset, length});
                break;
            }
            default: {
                if (in_flight.empty()) break;
                const std::size_t which = below(random, in_flight.size());
                const Flight flight = in_flight[which];
                const bool acked = below(random, 3) != 0;
                // A lost packet may still be acknowledged later: it stays in the list.
                if (acked) in_flight.erase(in_flight.begin() + static_cast<std::ptrdiff_t>(which));
                std::uint64_t prefix = 0;
                while (model.acked.contains(prefix)) ++prefix;
                for (std::uint64_t i = flight.offset; i < flight.offset + flight.length; ++i) {
                    if (acked) {
                        model.acked.insert(i);
                        model.lost.erase(i);
                    } else if (!model.acked.contains(i)) {
                        model.lost.insert(i);
                    }
                }
                std::uint64_t new_prefix = prefix;
                while (model.acked.contains(new_prefix)) ++new_prefix;
                if (acked) {
                    RC_ASSERT(buffer.on_acked(flight.offset, flight.length) == new_prefix - prefix);
                } else {
                    buffer.on_lost(flight.offset, flight.length);
                }
                RC_ASSERT(buffer.buffered() == model.end - new_prefix);
            }
        }
        RC_ASSERT(buffer.has_lost() == !model.lost.empty());
        RC_ASSERT(buffer.next_offset() == model.next);
        RC_ASSERT(buffer.end_offset() == model.end);
        RC_ASSERT(buffer.all_acked() == (model.acked.size() == model.end));
    }
}

// Two sets with small windows; packets are lost, delayed and duplicated.
class LossyExchange {
public:
    LossyExchange(std::uint64_t seed, const StreamSettings& settings)
        : random_(seed), pair_(settings, settings) {}

    // Every stream carries `length` bytes to the server and as many back.
    void run(std::size_t streams, std::uint64_t length) {
        length_ = length;
        std::size_t opened = 0;
        for (int round = 0; round < 200'000; ++round) {
            if (opened < streams && pair_.client.open(Directionality::kBidirectional)) ++opened;
            const auto count = static_cast<std::uint64_t>(opened);
            for (std::uint64_t index = 0; index < count; ++index) {
                serve(pair_.client, client_, StreamId(index * 4), true);
                serve(pair_.server, server_, StreamId(index * 4), client_[index * 4].finished);
            }
            exchange(pair_.client, pair_.server, to_server_);
            exchange(pair_.server, pair_.client, to_client_);
            while (pair_.client.poll_event()) {
            }
            while (pair_.server.poll_event()) {
            }
            if (opened == streams && done(client_, streams) && done(server_, streams) &&
                to_server_.empty() && to_client_.empty() && !pair_.client.has_pending() &&
                !pair_.server.has_pending()) {
                break;
            }
        }
    }

    void check(std::size_t streams) {
        RC_ASSERT(done(client_, streams));
        RC_ASSERT(done(server_, streams));
        RC_ASSERT(pair_.client.live_streams() == 0u);
        RC_ASSERT(pair_.server.live_streams() == 0u);
        RC_ASSERT(pair_.client.buffered_to_send() == 0u);
        RC_ASSERT(pair_.resources.blocks.in_use() == 0u);
    }

private:
    struct Progress {
        std::uint64_t written = 0;
        std::uint64_t read = 0;
        bool finished = false;  // our end was written
        bool ended = false;     // the peer's end was read
    };
    using Progresses = std::map<std::uint64_t, Progress>;

    bool done(const Progresses& all, std::size_t streams) const {
        std::size_t complete = 0;
        for (const auto& [id, progress] : all) {
            complete += progress.finished && progress.ended ? 1 : 0;
        }
        return complete == streams;
    }

    void serve(StreamSet& set, Progresses& all, StreamId id, bool may_write) {
        Progress& progress = all[id.value()];
        if (may_write && !progress.finished) write(set, progress, id);
        // Sometimes the application is slow.
        if (!progress.ended && below(random_, 3) != 0) read(set, progress, id);
    }

    void write(StreamSet& set, Progress& progress, StreamId id) {
        const auto bytes =
            pattern(progress.written,
                    std::min<std::uint64_t>(length_ - progress.written, below(random_, 5000)));
        const auto taken = set.write(id, ByteView(bytes));
        if (!taken) return;
        progress.written += *taken;
        if (progress.written == length_) progress.finished = set.finish(id).has_value();
    }

    void read(StreamSet& set, Progress& progress, StreamId id) {
        const auto view = set.peek(id);
        if (!view) return;
        for (std::size_t i = 0; i < view->bytes.size(); ++i) {
            RC_ASSERT(view->bytes[i] == pattern_at(progress.read + i));
        }
        progress.read += view->bytes.size();
        progress.ended = view->finished;
        if (progress.ended) RC_ASSERT(progress.read == length_);
        if (!view->bytes.empty()) RC_ASSERT(set.consume(id, view->bytes.size()).has_value());
    }

    void exchange(StreamSet& from, StreamSet& to, std::vector<test::StreamPacket>& link) {
        if (from.has_pending()) {
            auto packet = test::take_packet(from, 100 + below(random_, 1300));
            if (!packet.empty()) link.push_back(std::move(packet));
        }
        for (std::uint64_t i = below(random_, 4); i > 0 && !link.empty(); --i) {
            const std::size_t which = below(random_, link.size());
            const test::StreamPacket packet = link[which];
            const std::uint64_t fate = below(random_, 10);
            if (fate != 0) {
                RC_ASSERT(test::deliver(to, packet.bytes).has_value());
                if (below(random_, 2) == 0) read_all(to);
                to.settle();
            }
            if (fate == 1) continue;  // comes again
            link.erase(link.begin() + static_cast<std::ptrdiff_t>(which));
            // Fate 2: delivered, but believed lost.
            fate == 0 || fate == 2 ? test::lose(from, packet) : test::acknowledge(from, packet);
        }
    }

    // Reads while bytes are borrowed.
    void read_all(StreamSet& set) {
        Progresses& all = &set == &pair_.client ? client_ : server_;
        for (auto& [id, progress] : all) {
            if (!progress.ended) read(set, progress, StreamId(id));
        }
    }

    SeededRandom random_;
    test::StreamPair pair_;
    std::uint64_t length_ = 0;
    Progresses client_;
    Progresses server_;
    std::vector<test::StreamPacket> to_server_;
    std::vector<test::StreamPacket> to_client_;
};

RC_GTEST_PROP(StreamSetProperty, EverythingArrivesOverALossyLink, (std::uint64_t seed)) {
    SeededRandom random(seed);
    StreamSettings settings;
    settings.initial_stream_window = 500 + below(random, 20'000);
    settings.max_stream_window = settings.initial_stream_window * 4;
    settings.initial_connection_window = 500 + below(random, 40'000);
    settings.max_connection_window = settings.initial_connection_window * 2;
    settings.max_bidirectional_streams = 1 + below(random, 5);
    settings.initial_send_buffer_per_stream = settings.max_send_buffer_per_stream =
        1000 + below(random, 20'000);
    settings.send_buffer_per_connection = 2000 + below(random, 40'000);
    settings.send_buffer_reserved_per_stream = below(random, 2) * 1000;
    const std::size_t streams = 1 + below(random, 8);
    LossyExchange exchange(seed, settings);
    exchange.run(streams, below(random, 30'000));
    exchange.check(streams);
}

}  // namespace
}  // namespace stoq::streams
