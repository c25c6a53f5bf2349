// The client of the race.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <unordered_map>

#include "application.h"

namespace race {
namespace {

using namespace std::chrono_literals;

constexpr auto kTick = 1ms;
constexpr auto kBetweenRounds = 500ms;
constexpr auto kPatience = 20s;
constexpr auto kDatagramsAreLost = 100ms;
constexpr auto kTicketsComeWithin = 100ms;

class Client final : public Application {
public:
    Client(Transport& transport, const Options& options)
        : transport_(transport),
          options_(options),
          request_(make_request(header(Kind::kAnswer, options.response), options.request)) {}

    Report& run() {
        switch (options_.mode) {
            case Mode::kHandshakes: handshakes(); break;
            case Mode::kIdle:
            case Mode::kActive: keep_open(); break;
            case Mode::kRequests: requests(); break;
            case Mode::kDatagrams: datagrams(); break;
            default: bulk(); break;
        }
        return report_;
    }

    // --- What the transport tells ---

    void on_established(ConnectionId connection) override {
        established_ = true;
        if (!dialing_) return;
        if (transport_.was_resumed(connection) != options_.resumed) report_.verified = false;
        ask(connection);
    }

    void on_data(const StreamKey& key, Bytes bytes, bool end) override {
        const auto at = streams_.find(key);
        if (at == streams_.end()) return;
        Stream& stream = at->second;
        if (stream.role == Role::kUpload) {
            stream.answer.insert(stream.answer.end(), bytes.begin(), bytes.end());
        } else {
            stream.received.check(bytes);
        }
        if (end) on_end(key);
    }

    void on_writable(const StreamKey& key) override { pour(key); }

    void on_streams_available() override { ask_more(); }

    void on_datagram(ConnectionId, Bytes bytes) override {
        const auto now = Clock::now();
        const Bytes expected = pattern_from(0, datagram_.size() - kHeader);
        if (bytes.size() != datagram_.size() ||
            !std::equal(expected.begin(), expected.end(), bytes.begin() + kHeader)) {
            report_.verified = false;
        }
        last_echo_ = now;
        if (now >= span_.begin) ++report_.count;
        if (now < span_.end) send_datagram();
    }

    void on_closed(ConnectionId, const std::string& why) override {
        fail("the connection ended: " + why);
    }

private:
    enum class Role : std::uint8_t { kRequest, kDownload, kUpload };

    struct Stream {
        Role role = Role::kRequest;
        Clock::time_point opened{};
        Checker received{};
        std::uint64_t sent = 0;
        std::vector<std::uint8_t> answer{};
        bool finished = false;
    };

    ConnectionId connect() {
        established_ = false;
        const ConnectionId connection = transport_.dial();
        turn_until([this] { return established_; });
        return connection;
    }

    template <typename Done>
    void turn_until(const Done& done) {
        const auto limit = Clock::now() + kPatience + std::chrono::seconds(int(options_.seconds));
        while (!done()) {
            if (Clock::now() > limit) fail("nothing happens any more");
            transport_.turn(kTick);
        }
    }

    std::optional<StreamKey> try_open(ConnectionId connection, Role role, Bytes first) {
        const auto key = transport_.open(connection);
        if (!key) return {};
        Stream& state = streams_[*key];
        state.role = role;
        state.opened = Clock::now();
        (void)transport_.write(*key, first, false);
        if (role != Role::kUpload) transport_.finish(*key);
        return key;
    }

    StreamKey open(ConnectionId connection, Role role, Bytes first) {
        const auto key = try_open(connection, role, first);
        if (!key) fail("no stream");
        return *key;
    }

    void on_end(const StreamKey& key) {
        const auto node = streams_.extract(key);
        const Stream& stream = node.mapped();
        switch (stream.role) {
            case Role::kRequest: on_answer(key.connection, stream); break;
            case Role::kUpload: on_count(stream); break;
            case Role::kDownload: report_.verified = false; break;  // it has no end
        }
    }

    // --- Bulk ---

    void bulk() {
        const ConnectionId connection = connect();
        span_ = span_of(options_, Clock::now());
        std::vector<StreamKey> downs;
        std::vector<StreamKey> ups;
        for (std::size_t i = 0; i < options_.streams; ++i) {
            if (options_.mode != Mode::kUp) downs.push_back(start_download(connection));
            if (options_.mode != Mode::kDown) {
                ups.push_back(open(connection, Role::kUpload, header(Kind::kCount, 0)));
            }
        }
        turn_until([&] { return pour_until(ups, span_.begin); });
        const std::uint64_t before = received_by(downs);
        turn_until([&] { return pour_until(ups, span_.end); });
        take_downloads(downs, before);
        for (const StreamKey& key : ups) finish_upload(key);
        uploads_left_ = ups.size();
        turn_until([this] { return uploads_left_ == 0; });
        report_.verified = report_.verified && report_.bytes_down + report_.bytes_up > 0;
        transport_.close(connection);
    }

    bool pour_until(const std::vector<StreamKey>& ups, Clock::time_point end) {
        for (const StreamKey& key : ups) pour(key);
        return Clock::now() >= end;
    }

    StreamKey start_download(ConnectionId connection) {
        return open(connection, Role::kDownload, header(Kind::kPour, kEndless));
    }

    std::uint64_t received_by(const std::vector<StreamKey>& downs) {
        std::uint64_t bytes = 0;
        for (const StreamKey& key : downs) bytes += streams_[key].received.offset();
        return bytes;
    }

    void take_downloads(const std::vector<StreamKey>& downs, std::uint64_t before) {
        if (downs.empty()) return;
        report_.bytes_down = received_by(downs) - before;
        report_.seconds = span_.seconds();
        for (const StreamKey& key : downs) {
            report_.verified = report_.verified && streams_[key].received.ok();
            streams_.erase(key);
            transport_.abandon(key);
        }
    }

    // Writes what an upload may write now.
    void pour(const StreamKey& key) {
        const auto at = streams_.find(key);
        if (at == streams_.end() || at->second.role != Role::kUpload) return;
        Stream& stream = at->second;
        while (!stream.finished && static_cast<double>(stream.sent) < due(stream)) {
            const std::size_t taken =
                transport_.write(key, pattern_from(stream.sent, options_.write), true);
            stream.sent += taken;
            if (taken == 0 || Clock::now() >= span_.end) return;
        }
    }

    // How many bytes a paced upload should have sent by now.
    double due(const Stream& stream) const {
        if (options_.rate == 0) return 1e18;
        const std::chrono::duration<double> past = Clock::now() - stream.opened;
        return past.count() * options_.rate / 8 + 1;
    }

    void finish_upload(const StreamKey& key) {
        streams_[key].finished = true;
        transport_.finish(key);
    }

    void on_count(const Stream& stream) {
        const auto count = parse_count(stream.answer);
        report_.verified = report_.verified && count && count->bytes == stream.sent;
        if (count) {
            report_.bytes_up += count->bytes;
            report_.seconds = std::max(report_.seconds, count->seconds);
        }
        --uploads_left_;
    }

    // --- Requests ---

    void requests() {
        connection_ = connect();
        span_ = span_of(options_, Clock::now());
        asking_ = true;
        std::vector<StreamKey> downs;
        if (options_.bulk) downs.push_back(start_download(connection_));
        ask_more();
        turn_until([this] { return Clock::now() >= span_.begin; });
        const std::uint64_t before = received_by(downs);
        turn_until([this] { return Clock::now() >= span_.end; });
        asking_ = false;
        take_downloads(downs, before);
        turn_until([this] { return asked_ == 0; });
        report_.count = report_.latencies.count();
        report_.seconds = span_.seconds();
        transport_.close(connection_);
    }

    void ask_more() {
        while (asking_ && asked_ < options_.in_flight) {
            if (!try_open(connection_, Role::kRequest, request_)) return;
            ++asked_;
        }
    }

    void ask(ConnectionId connection) {
        ++asked_;
        open(connection, Role::kRequest, request_);
    }

    void on_answer(ConnectionId connection, const Stream& stream) {
        const auto now = Clock::now();
        if (!stream.received.ok() || stream.received.offset() != options_.response) {
            report_.verified = false;
        }
        --asked_;
        if (dialing_) return on_handshake_proved(connection, now);
        if (asking_ && stream.opened >= span_.begin) report_.latencies.add(now - stream.opened);
        ask_more();
    }

    // --- Datagrams ---

    void datagrams() {
        connection_ = connect();
        span_ = span_of(options_, Clock::now());
        datagram_ = make_request({}, std::max(options_.request, kHeader));
        send_datagrams();
        turn_until([this] {
            if (Clock::now() - last_echo_ > kDatagramsAreLost) send_datagrams();
            return Clock::now() >= span_.end;
        });
        report_.seconds = span_.seconds();
        transport_.close(connection_);
    }

    void send_datagrams() {
        last_echo_ = Clock::now();
        for (std::size_t i = 0; i < options_.in_flight; ++i) send_datagram();
    }

    void send_datagram() {
        if (!transport_.send_datagram(connection_, datagram_)) {
            unsupported("this driver has no DATAGRAM frames");
        }
    }

    // --- Handshakes ---

    void handshakes() {
        if (options_.resumed) fetch_ticket();
        span_ = span_of(options_, Clock::now());
        dialing_ = true;
        for (std::size_t i = 0; i < options_.in_flight; ++i) dial_one();
        turn_until([this] { return dialed_.empty() && Clock::now() >= span_.end; });
        report_.seconds = span_.seconds();
    }

    void fetch_ticket() {
        const ConnectionId first = connect();
        ask(first);
        const auto enough = Clock::now() + kTicketsComeWithin;
        turn_until([&] { return asked_ == 0 && Clock::now() >= enough; });
        transport_.close(first);
    }

    void dial_one() {
        const auto now = Clock::now();
        dialed_[transport_.dial()] = now;
    }

    void on_handshake_proved(ConnectionId connection, Clock::time_point now) {
        const Clock::time_point begun = dialed_[connection];
        dialed_.erase(connection);
        if (begun >= span_.begin && now < span_.end) {
            ++report_.count;
            report_.latencies.add(now - begun);
        }
        transport_.close(connection);
        if (now < span_.end) dial_one();
    }

    // --- Connections that stay ---

    // Opens the connections and keeps them until standard input ends.
    void keep_open() {
        std::vector<ConnectionId> connections;
        for (std::size_t i = 0; i < options_.connections; ++i) {
            connections.push_back(connect());
            ask(connections.back());
            turn_until([this] { return asked_ == 0; });
        }
        report_.count = connections.size();
        std::puts("open");
        std::fflush(stdout);
        auto next_round = Clock::now();
        pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
        while (::poll(&input, 1, 0) == 0) {
            transport_.turn(20ms);
            if (options_.mode != Mode::kActive || asked_ > 0 || Clock::now() < next_round) continue;
            for (const ConnectionId connection : connections) ask(connection);
            next_round = Clock::now() + kBetweenRounds;
        }
    }

    Transport& transport_;
    const Options& options_;
    std::vector<std::uint8_t> request_;
    std::unordered_map<StreamKey, Stream, StreamKeyHash> streams_;
    ConnectionId connection_ = 0;
    bool established_ = false;
    Span span_{};
    std::size_t uploads_left_ = 0;
    bool asking_ = false;
    std::size_t asked_ = 0;
    std::vector<std::uint8_t> datagram_;
    Clock::time_point last_echo_{};
    bool dialing_ = false;
    std::unordered_map<ConnectionId, Clock::time_point> dialed_;
    Report report_;
};

}  // namespace

void drive(Transport& transport, const Options& options) {
    Client client(transport, options);
    transport.set_application(client);
    client.run().print();
}

}  // namespace race
