// Two endpoints against each other, over a path and under applications that the fuzzer drives.
//
// Input: two bytes of settings, then commands of one byte. The low four bits say what, the high
// four which side, which stream, how many. Whatever it is: bytes arrive in order and unchanged,
// nothing grows without bound, nothing runs for ever, and no connection ends by an error of ours.
// At the end the path is good again, and what was not given up arrives.
#include <algorithm>
#include <deque>
#include <map>

#include "base/bytes.h"
#include "fuzz_input.h"
#include "stoq/endpoint.h"
#include "support/test_credentials.h"

namespace stoq::fuzz {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMostCommands = 400;
constexpr std::size_t kMostQueued = 64;  // datagrams on their way in one direction
constexpr std::size_t kMostAtOnce = 4'000;
constexpr std::size_t kMostRoundsAtTheEnd = 3'000;
constexpr std::array<std::uint8_t, 8> kBits{1, 2, 4, 8, 16, 32, 64, 128};
constexpr std::uint64_t kReceiveBudget = 8 << 20;

struct Datagram {
    std::vector<std::uint8_t> bytes;
    Address source;
};

// One direction of a stream.
struct Flow {
    std::uint64_t written = 0;
    std::uint64_t read = 0;
    bool finished = false;
    bool abandoned = false;  // by RESET_STREAM or STOP_SENDING
    bool ended = false;      // the reader has seen the end
};

std::uint8_t pattern(StreamId stream, std::uint64_t position) {
    return static_cast<std::uint8_t>(stream.value() * 31 + position * 7 + (position >> 8));
}

Settings settings_of(std::uint8_t choice) {
    Settings settings;
    settings.initial_stream_window = settings.max_stream_window =
        (choice & 1) != 0 ? 3'000 : 65'536;
    settings.initial_connection_window = settings.max_connection_window =
        (choice & 2) != 0 ? 8'000 : 262'144;
    settings.max_bidirectional_streams = settings.max_unidirectional_streams = 4;
    settings.initial_send_buffer_per_stream = settings.max_send_buffer_per_stream = 20'000;
    settings.congestion =
        (choice & 4) != 0 ? CongestionAlgorithm::kNewReno : CongestionAlgorithm::kCubic;
    settings.max_datagram_size = (choice & 8) != 0 ? 1'200 : 1'452;
    settings.keep_alive_interval = (choice & 16) != 0 ? seconds(5) : Duration::zero();
    settings.grease_quic_bit = (choice & 32) == 0;
    return settings;
}

EndpointSettings endpoint_settings(std::uint8_t choice) {
    EndpointSettings settings;
    settings.receive_budget = kReceiveBudget;
    settings.max_half_open = 4;
    settings.max_connections = 8;
    settings.retry = (choice & 64) != 0 ? RetryPolicy::kAlways : RetryPolicy::kUnderLoad;
    settings.connection_id_length = (choice & 128) != 0 ? 4 : 8;
    return settings;
}

// The handshake is most of what an execution costs.
Credentials with_cheap_group(Credentials credentials) {
    credentials.groups = "X25519";
    return credentials;
}

const Credentials& server_credentials() {
    static const Credentials credentials = with_cheap_group(test::server_credentials());
    return credentials;
}

const std::shared_ptr<const Credentials>& client_credentials() {
    static const auto credentials =
        std::make_shared<const Credentials>(with_cheap_group(test::client_credentials()));
    return credentials;
}

struct Side {
    Side(const EndpointSettings& settings, std::uint64_t seed, const Address& where)
        : random(seed), endpoint(Endpoint::create(settings, random).value()), address(where) {}

    SeededRandom random;
    Endpoint endpoint;
    Address address;  // as the other side sees it
    std::optional<ConnectionHandle> connection;
    std::optional<CloseInfo> closed;
    std::vector<StreamId> streams;
    std::deque<Datagram> outgoing;
};

class Session {
public:
    explicit Session(ByteReader input)
        : input_(input),
          choice_(byte()),
          sides_{Side(endpoint_settings(choice_), 1, parse_address("192.0.2.1:1000")),
                 Side(endpoint_settings(choice_), 2, parse_address("192.0.2.2:443"))} {
        require(server().endpoint.listen({server_credentials(), settings_of(byte())}).has_value());
        client().connection = client()
                                  .endpoint
                                  .connect({.remote = server().address,
                                            .server_name = "localhost",
                                            .credentials = client_credentials(),
                                            .settings = settings_of(choice_)},
                                           now_)
                                  .value();
    }

    void run() {
        for (std::size_t i = 0; i < kMostCommands && !input_.empty(); ++i) {
            const std::uint8_t command = byte();
            Side& side = sides_[(command >> 4) & 1];
            const unsigned detail = command >> 5;
            if ((command & 8) == 0) {
                use_network(command & 7, side, detail);
            } else {
                use_application(command & 7, side, detail);
            }
            check();
        }
        finish();
    }

private:
    Side& client() { return sides_[0]; }
    Side& server() { return sides_[1]; }
    Side& other(const Side& side) { return &side == &sides_[0] ? sides_[1] : sides_[0]; }
    Flow& flow(StreamId stream, const Side& sender) {
        return flows_[{stream.value(), &sender == &sides_[0]}];
    }
    std::uint8_t byte() { return input_.read<std::uint8_t>().value_or(0); }

    // --- The network ---

    void use_network(unsigned what, Side& side, unsigned detail) {
        switch (what) {
            case 0: transmit(side); break;
            case 1:
            case 2: deliver(side, detail + 1); break;
            case 3: disturb_order(side, detail); break;
            case 4: damage(side, detail); break;
            case 5: advance(byte() * milliseconds(1) / 4); break;
            case 6: advance_to_timeout(); break;
            default: exchange(detail + 1);
        }
    }

    void transmit(Side& side) {
        std::array<std::uint8_t, 8'000> memory;
        TransmitSlot slot;
        slot.buffer = memory;
        slot.max_datagrams = 5;
        std::size_t sent = 0;
        while (side.endpoint.transmit(slot, now_)) {
            require(++sent < kMostAtOnce);
            require(slot.length <= memory.size() && slot.datagram_length > 0);
            for (Bytes rest = slot.buffer.first(slot.length); !rest.empty();) {
                const Bytes one = rest.first(std::min(slot.datagram_length, rest.size()));
                rest = rest.subspan(one.size());
                // What is for an address that the client no longer has gets lost.
                if (slot.remote != other(side).address) continue;
                if (side.outgoing.size() >= kMostQueued) side.outgoing.pop_front();
                side.outgoing.push_back({{one.begin(), one.end()}, side.address});
            }
        }
    }

    // Hands over up to `count` datagrams as one batch.
    void deliver(Side& from, std::size_t count) {
        std::vector<Datagram> arrived;
        std::vector<ReceivedDatagram> batch;
        while (arrived.size() < count && !from.outgoing.empty()) {
            arrived.push_back(std::move(from.outgoing.front()));
            from.outgoing.pop_front();
        }
        Side& to = other(from);
        for (Datagram& datagram : arrived) {
            batch.push_back(
                {.data = datagram.bytes, .local = to.address, .remote = datagram.source});
        }
        to.endpoint.receive(batch, now_);
        poll(to);
        to.endpoint.settle();
    }

    void disturb_order(Side& side, unsigned detail) {
        if (side.outgoing.empty()) return;
        Datagram first = side.outgoing.front();
        switch (detail & 3) {
            case 0: side.outgoing.pop_front(); break;
            case 1: side.outgoing.push_front(first); break;  // twice
            case 2:
                side.outgoing.pop_front();
                side.outgoing.push_back(std::move(first));
                break;
            default: side.outgoing.push_back(std::move(first));  // again later
        }
        while (side.outgoing.size() > kMostQueued) side.outgoing.pop_back();
    }

    void damage(Side& side, unsigned detail) {
        if ((detail & 7) == 7 && client().closed == std::nullopt) {
            client().address.port =
                static_cast<std::uint16_t>(1'000 + byte());  // another NAT entry
            return;
        }
        if (side.outgoing.empty() || side.outgoing.front().bytes.empty()) return;
        std::vector<std::uint8_t>& bytes = side.outgoing.front().bytes;
        const std::size_t at = (byte() * 256u + byte()) % bytes.size();
        switch (detail & 3) {
            case 0: bytes[at] ^= std::max<std::uint8_t>(byte(), 1); break;
            case 1: bytes.resize(at); break;
            case 2: bytes[at % 32 % bytes.size()] ^= kBits[byte() & 7]; break;  // in the header
            default: bytes.push_back(byte());
        }
    }

    void advance(Duration duration) {
        now_ += duration;
        for (Side& side : sides_) run_timers(side);
    }

    void run_timers(Side& side) {
        std::size_t rounds = 0;
        while (side.endpoint.next_timeout() <= now_) {
            side.endpoint.on_timeout(now_);
            transmit(side);
            poll(side);
            require(++rounds < kMostAtOnce);
        }
    }

    void advance_to_timeout() {
        const Instant next =
            std::min(client().endpoint.next_timeout(), server().endpoint.next_timeout());
        if (next != kNever && next > now_) advance(std::min<Duration>(next - now_, seconds(60)));
    }

    // The path as it should be.
    void exchange(std::size_t rounds) {
        for (std::size_t i = 0; i < rounds; ++i) {
            for (Side& side : sides_) {
                transmit(side);
                deliver(side, kMostQueued);
            }
            advance(milliseconds(2));
        }
    }

    // --- The applications ---

    void use_application(unsigned what, Side& side, unsigned detail) {
        if (!side.connection || side.closed) return;
        if (what == 0) {
            const auto stream = side.endpoint.open_stream(
                *side.connection, (detail & 1) != 0 ? Directionality::kUnidirectional
                                                    : Directionality::kBidirectional);
            if (stream) side.streams.push_back(*stream);
            return;
        }
        if (what == 7) {
            if ((detail & 1) != 0) static_cast<void>(side.endpoint.update_keys(*side.connection));
            if (detail == 6) static_cast<void>(side.endpoint.close(*side.connection, 7, "enough"));
            return;
        }
        if (side.streams.empty()) return;
        const StreamId stream = side.streams[byte() % side.streams.size()];
        switch (what) {
            case 1:
            case 2: write(side, stream, (detail + 1) * 700u); break;
            case 3: finish_stream(side, stream); break;
            case 4: read(side, stream, (detail + 1) * 500u); break;
            case 5: abandon(side, stream, detail); break;
            default:
                static_cast<void>(side.endpoint.set_priority(*side.connection, stream,
                                                             static_cast<std::uint8_t>(detail),
                                                             (detail & 1) != 0));
        }
    }

    void write(Side& side, StreamId stream, std::size_t length) {
        Flow& out = flow(stream, side);
        std::vector<std::uint8_t> bytes(length);
        for (std::size_t i = 0; i < length; ++i) bytes[i] = pattern(stream, out.written + i);
        const auto taken = side.endpoint.write(*side.connection, stream, ByteView(bytes));
        if (taken) out.written += *taken;
    }

    void finish_stream(Side& side, StreamId stream) {
        if (side.endpoint.finish(*side.connection, stream)) flow(stream, side).finished = true;
    }

    void abandon(Side& side, StreamId stream, unsigned detail) {
        if ((detail & 1) != 0) {
            if (side.endpoint.reset(*side.connection, stream, detail)) {
                flow(stream, side).abandoned = true;
            }
        } else if (side.endpoint.stop_sending(*side.connection, stream, detail)) {
            flow(stream, other(side)).abandoned = true;
        }
    }

    void read(Side& side, StreamId stream, std::size_t most) {
        Flow& in = flow(stream, other(side));
        while (most > 0) {
            const auto view = side.endpoint.peek(*side.connection, stream);
            if (!view) return;
            const std::size_t length = std::min(most, view->bytes.size());
            for (std::size_t i = 0; i < length; ++i) {
                require(view->bytes[i] == pattern(stream, in.read + i));
            }
            in.ended |= view->finished && length == view->bytes.size();
            if (in.ended) require(in.finished && in.read + length == in.written);
            if (length == 0) return;
            require(side.endpoint.consume(*side.connection, stream, length).has_value());
            in.read += length;
            most -= length;
        }
    }

    void poll(Side& side) {
        std::size_t events = 0;
        while (const auto event = side.endpoint.poll_event()) {
            require(++events < kMostAtOnce);
            if (const auto* opened = std::get_if<StreamOpened>(&*event)) {
                if (opened->connection == side.connection) side.streams.push_back(opened->stream);
            } else if (const auto* established = std::get_if<ConnectionEstablished>(&*event)) {
                if (!side.connection) side.connection = established->connection;
            } else if (const auto* closed = std::get_if<ConnectionClosed>(&*event)) {
                if (closed->connection == side.connection) on_closed(side, closed->info);
            }
        }
    }

    // The path may end a connection, and the applications may; both sides keep to the protocol.
    void on_closed(Side& side, const CloseInfo& info) {
        require(!side.closed);
        require(info.kind != CloseKind::kLocalTransport);
        if (info.kind == CloseKind::kPeerTransport) {
            const auto code = static_cast<TransportErrorCode>(info.code);
            // A Retry's token came too late or from another address, the server's places were taken
            // by repeated Initials, or an application gave up before the handshake was complete.
            require(code == TransportErrorCode::kInvalidToken ||
                    code == TransportErrorCode::kConnectionRefused ||
                    code == TransportErrorCode::kApplicationError);
        }
        side.closed = info;
    }

    // --- What holds at any time, and at the end ---

    void check() {
        for (Side& side : sides_) {
            const EndpointStatistics counts = side.endpoint.statistics();
            require(counts.receive_budget_used <= kReceiveBudget);
            require(counts.connections_now <= 8 && counts.half_open_now <= 4);
        }
        for (const auto& [name, one] : flows_) require(one.read <= one.written);
    }

    bool is_done() const {
        return std::ranges::all_of(flows_, [](const auto& entry) {
            const Flow& one = entry.second;
            return one.abandoned || (one.read == one.written && one.ended == one.finished);
        });
    }
    bool is_over() const { return sides_[0].closed || sides_[1].closed; }

    void finish() {
        std::size_t round = 0;
        while (!is_over() && !(is_done() && sides_[1].connection)) {
            exchange(1);
            for (Side& side : sides_) {
                if (!side.connection || side.closed) continue;
                for (const StreamId stream : side.streams) read(side, stream, SIZE_MAX);
            }
            if (round % 4 == 3) advance_to_timeout();
            require(++round < kMostRoundsAtTheEnd);
            check();
        }
        // Silence: everything is forgotten.
        for (Side& side : sides_) {
            if (side.connection && !side.closed) {
                static_cast<void>(side.endpoint.close(*side.connection, 0));
            }
        }
        for (int i = 0; i < 40; ++i) {
            for (Side& side : sides_) {
                transmit(side);
                poll(side);
            }
            advance(seconds(1'000));
        }
        for (Side& side : sides_) {
            const EndpointStatistics counts = side.endpoint.statistics();
            require(counts.connections_now == 0 && counts.half_open_now == 0);
            require(counts.receive_budget_used == 0);
        }
    }

    ByteReader input_;
    std::uint8_t choice_;
    std::array<Side, 2> sides_;
    std::map<std::pair<std::uint64_t, bool>, Flow> flows_;
    Instant now_{seconds(1)};
};

}  // namespace
}  // namespace stoq::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    stoq::fuzz::Session session{stoq::ByteReader(stoq::ByteView(data, size))};
    session.run();
    return 0;
}
