// The client of the race's driver on STOQ.
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <unordered_map>

#include "driver.h"

namespace race {
namespace {

constexpr auto kTick = std::chrono::milliseconds(1);
constexpr auto kBetweenRounds = std::chrono::milliseconds(500);
constexpr auto kPatience = std::chrono::seconds(20);

class Client {
public:
    explicit Client(const Options& options)
        : options_(options),
          runtime_(make_runtime(options)),
          endpoint_(runtime_->endpoint()),
          request_(make_request(header(Kind::kAnswer, options.response), options.request)) {
        auto trust = stoq::Trust::ca_file(options.ca);
        if (!trust) fail(trust.error().message());
        credentials_->trust = *trust;
        credentials_->alpn = {kAlpn};
        credentials_->groups = "X25519";
        credentials_->cipher_suites = {true, false, false};
        runtime_->set_event_handler([this](const stoq::Event& event) { on_event(event); });
    }

    void run() {
        switch (options_.mode) {
            case Mode::kHandshakes: handshakes(); break;
            case Mode::kIdle:
            case Mode::kActive: keep_open(); break;
            case Mode::kRequests: requests(); break;
            case Mode::kDatagrams: unsupported("no DATAGRAM frames yet");
            default: bulk(); break;
        }
        runtime_->close_all(0);
        (void)runtime_->drain(kPatience / 20);
        report_.print();
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

    // --- Connections ---

    stoq::ConnectionHandle dial() {
        stoq::ConnectConfig config;
        config.address = options_.connect;
        config.server_name = kServerName;
        config.credentials = credentials_;
        config.settings = settings_of(options_);
        const auto connection = runtime_->connect(config);
        if (!connection) fail(connection.error().message());
        return *connection;
    }

    // Connects, and waits until that is done.
    stoq::ConnectionHandle connect() {
        const auto connection = dial();
        established_ = false;
        turn_until([this] { return established_; });
        return connection;
    }

    template <typename Done>
    void turn_until(const Done& done) {
        const auto limit = Clock::now() + kPatience + std::chrono::seconds(int(options_.seconds));
        while (!done()) {
            if (Clock::now() > limit) fail("nothing happens any more");
            (void)runtime_->run_once(kTick);
        }
    }

    void on_event(const stoq::Event& event) {
        if (const auto* readable = std::get_if<stoq::StreamReadable>(&event)) {
            receive({readable->connection, readable->stream});
        } else if (const auto* writable = std::get_if<stoq::StreamWritable>(&event)) {
            pour({writable->connection, writable->stream});
        } else if (const auto* established = std::get_if<stoq::ConnectionEstablished>(&event)) {
            established_ = true;
            on_established(established->connection);
        } else if (const auto* closed = std::get_if<stoq::ConnectionClosed>(&event)) {
            on_closed(closed->info);
        } else if (std::get_if<stoq::StreamsAvailable>(&event) != nullptr) {
            ask_more();
        }
    }

    void on_closed(const stoq::CloseInfo& info) {
        if (info.kind != stoq::CloseKind::kLocalApplication) {
            fail("the connection ended: " + stoq::to_string(info));
        }
    }

    // --- Streams ---

    StreamKey open(stoq::ConnectionHandle connection, Role role, Bytes first) {
        const auto stream = endpoint_.open_stream(connection, stoq::Directionality::kBidirectional);
        if (!stream) fail("no stream");
        const StreamKey key{connection, *stream};
        Stream& state = streams_[key];
        state.role = role;
        state.opened = Clock::now();
        (void)write_copy(endpoint_, key, first);
        if (role != Role::kUpload) (void)endpoint_.finish(connection, *stream);
        return key;
    }

    void receive(const StreamKey& key) {
        const auto at = streams_.find(key);
        if (at == streams_.end()) return;
        Stream& stream = at->second;
        const bool ended = read_all(endpoint_, key, [&](stoq::ByteView bytes) {
            if (stream.role == Role::kUpload) {
                stream.answer.insert(stream.answer.end(), bytes.begin(), bytes.end());
            } else {
                stream.received.check(bytes);
            }
        });
        if (ended) on_end(key);
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
        const auto connection = connect();
        span_ = span_of(options_, Clock::now());
        std::vector<StreamKey> downs;
        std::vector<StreamKey> ups;
        for (std::size_t i = 0; i < options_.streams; ++i) {
            if (options_.mode != Mode::kUp) downs.push_back(start_download(connection));
            if (options_.mode != Mode::kDown) {
                ups.push_back(open(connection, Role::kUpload, header(Kind::kCount, 0)));
            }
        }
        turn_until([this] { return Clock::now() >= span_.begin; });
        const std::uint64_t before = received_by(downs);
        turn_until([&] {
            for (const StreamKey& key : ups) pour(key);
            return Clock::now() >= span_.end;
        });
        take_downloads(downs, before);
        for (const StreamKey& key : ups) finish_upload(key);
        uploads_left_ = ups.size();
        turn_until([this] { return uploads_left_ == 0; });
        report_.verified = report_.verified && report_.bytes_down + report_.bytes_up > 0;
    }

    StreamKey start_download(stoq::ConnectionHandle connection) {
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
            (void)endpoint_.stop_sending(key.connection, key.stream, 0);
        }
    }

    // Writes what an upload may write now.
    void pour(const StreamKey& key) {
        const auto at = streams_.find(key);
        if (at == streams_.end() || at->second.role != Role::kUpload) return;
        Stream& stream = at->second;
        while (!stream.finished && static_cast<double>(stream.sent) < due(stream)) {
            const std::size_t taken =
                write_pattern(endpoint_, key, pattern_from(stream.sent, options_.write));
            if (taken == 0) return;
            stream.sent += taken;
            if (Clock::now() >= span_.end) return;
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
        (void)endpoint_.finish(key.connection, key.stream);
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
    }

    void ask_more() {
        while (asking_ && asked_ < options_.in_flight) {
            ++asked_;
            open(connection_, Role::kRequest, request_);
        }
    }

    void on_answer(stoq::ConnectionHandle connection, const Stream& stream) {
        const auto now = Clock::now();
        report_.verified = report_.verified && stream.received.ok() &&
                           stream.received.offset() == options_.response;
        if (stream.opened >= span_.begin && span_.begin != Clock::time_point{}) {
            report_.latencies.add(now - stream.opened);
        }
        --asked_;
        if (dialing_) {
            on_handshake_proved(connection, now);
        } else {
            ask_more();
        }
    }

    // --- Handshakes ---

    void handshakes() {
        if (options_.resumed) unsupported("no resumption on the client's side yet");
        span_ = span_of(options_, Clock::now());
        dialing_ = true;
        for (std::size_t i = 0; i < options_.in_flight; ++i) dialed_.push_back(dial_one());
        turn_until([this] { return asked_ == 0 && Clock::now() >= span_.end; });
        report_.seconds = span_.seconds();
    }

    struct Dialed {
        stoq::ConnectionHandle connection;
        Clock::time_point begun;
    };

    Dialed dial_one() {
        ++asked_;
        return {dial(), Clock::now()};
    }

    void on_established(stoq::ConnectionHandle connection) {
        if (dialing_) open(connection, Role::kRequest, request_);
    }

    void on_handshake_proved(stoq::ConnectionHandle connection, Clock::time_point now) {
        (void)endpoint_.close(connection, 0);
        for (Dialed& dialed : dialed_) {
            if (dialed.connection != connection) continue;
            if (dialed.begun >= span_.begin) {
                ++report_.count;
                report_.latencies.add(now - dialed.begun);
            }
            if (now < span_.end) dialed = dial_one();
            return;
        }
    }

    // --- Connections that stay ---

    // Opens the connections and keeps them until standard input ends.
    void keep_open() {
        std::vector<stoq::ConnectionHandle> connections;
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
            (void)runtime_->run_once(std::chrono::milliseconds(20));
            if (options_.mode != Mode::kActive || asked_ > 0 || Clock::now() < next_round) continue;
            for (const auto connection : connections) ask(connection);
            next_round = Clock::now() + kBetweenRounds;
        }
    }

    void ask(stoq::ConnectionHandle connection) {
        ++asked_;
        open(connection, Role::kRequest, request_);
    }

    const Options& options_;
    std::unique_ptr<stoq::Runtime> runtime_;
    stoq::Endpoint& endpoint_;
    std::shared_ptr<stoq::Credentials> credentials_ = std::make_shared<stoq::Credentials>();
    std::vector<std::uint8_t> request_;
    std::unordered_map<StreamKey, Stream, StreamKeyHash> streams_;
    stoq::ConnectionHandle connection_{};
    bool established_ = false;
    Span span_{};
    std::size_t uploads_left_ = 0;
    bool asking_ = false;
    std::size_t asked_ = 0;
    bool dialing_ = false;
    std::vector<Dialed> dialed_;
    Report report_;
};

}  // namespace

void run_client(const Options& options) {
    Client(options).run();
}

}  // namespace race
