// The race's driver on STOQ, over the public interface. See bench/race/README.md.
#include <array>
#include <cstdio>
#include <memory>
#include <vector>

#include "application.h"
#include "stoq/runtime.h"

namespace race {
namespace {

// Below this a copy costs less than keeping count of a reference.
constexpr std::size_t kWorthSharing = 4096;
constexpr std::uint32_t kPacketsPerAck = 32;
constexpr std::uint8_t kLeastUrgent = 7;

stoq::Settings settings_of(const Options& options) {
    stoq::Settings settings;
    settings.initial_datagram_size = options.datagram;
    settings.max_datagram_size = options.datagram;
    settings.congestion = stoq::CongestionAlgorithm::kCubic;
    settings.initial_stream_window = settings.max_stream_window = options.window;
    settings.initial_connection_window = settings.max_connection_window = options.window;
    settings.max_bidirectional_streams = 1000;
    settings.max_datagram_frame_size = 65'535;
    settings.ack_eliciting_threshold = kPacketsPerAck;
    settings.idle_timeout = std::chrono::seconds(60);
    return settings;
}

std::unique_ptr<stoq::Runtime> make_runtime(const Options& options) {
    stoq::RuntimeSettings settings;
    settings.spin = std::chrono::microseconds(options.spin_us);
    settings.endpoint.retry = stoq::RetryPolicy::kNever;
    // Ten thousand connections may each promise a whole window.
    settings.endpoint.receive_budget = std::uint64_t{1} << 40;
    auto runtime = stoq::Runtime::create(settings);
    if (!runtime) fail(runtime.error().message());
    return std::move(*runtime);
}

ConnectionId id_of(stoq::ConnectionHandle handle) {
    return (std::uint64_t{handle.index} << 32) | handle.generation;
}

stoq::ConnectionHandle handle_of(ConnectionId id) {
    return {static_cast<std::uint32_t>(id >> 32), static_cast<std::uint32_t>(id)};
}

stoq::StreamId stream_of(const StreamKey& key) {
    return stoq::StreamId(key.stream);
}

class Stoq final : public Transport {
public:
    explicit Stoq(const Options& options)
        : options_(options), runtime_(make_runtime(options)), endpoint_(runtime_->endpoint()) {
        runtime_->set_event_handler([this](const stoq::Event& event) { on_event(event); });
        options.is_server ? listen() : load_trust();
    }

    ~Stoq() override {
        runtime_->set_event_handler([](const stoq::Event&) {});  // the application is gone
        (void)runtime_->drain(std::chrono::milliseconds(500));
    }

    ConnectionId dial() override {
        stoq::ConnectConfig config;
        config.address = options_.connect;
        config.server_name = kServerName;
        config.credentials = credentials_;
        config.settings = settings_of(options_);
        config.ticket = take_ticket();
        const auto connection = runtime_->connect(config);
        if (!connection) fail(connection.error().message());
        return id_of(*connection);
    }

    bool was_resumed(ConnectionId connection) override {
        const auto info = endpoint_.info(handle_of(connection));
        return info && info->resumed;
    }

    std::optional<StreamKey> open(ConnectionId connection) override {
        const auto stream =
            endpoint_.open_stream(handle_of(connection), stoq::Directionality::kBidirectional);
        if (!stream) return {};
        return StreamKey{connection, stream->value()};
    }

    std::size_t write(const StreamKey& key, Bytes bytes, bool live_for_ever) override {
        const auto connection = handle_of(key.connection);
        if (live_for_ever && bytes.size() >= kWorthSharing) {
            return endpoint_.write(connection, stream_of(key), stoq::SharedBytes::immortal(bytes))
                .value_or(0);
        }
        return endpoint_.write(connection, stream_of(key), bytes).value_or(0);
    }

    void finish(const StreamKey& key) override {
        (void)endpoint_.finish(handle_of(key.connection), stream_of(key));
    }

    void set_background(const StreamKey& key) override {
        (void)endpoint_.set_priority(handle_of(key.connection), stream_of(key), kLeastUrgent, true);
    }

    void abandon(const StreamKey& key) override {
        (void)endpoint_.stop_sending(handle_of(key.connection), stream_of(key), 0);
    }

    // What finds the queue full is lost, as on any full link.
    bool send_datagram(ConnectionId connection, Bytes bytes) override {
        const auto sent = endpoint_.send_datagram(handle_of(connection), bytes);
        return sent || sent.error() == stoq::ApiError::kWouldBlock;
    }

    void close(ConnectionId connection) override {
        (void)endpoint_.close(handle_of(connection), 0);
    }

    void turn(std::chrono::milliseconds most) override { (void)runtime_->run_once(most); }

private:
    void listen() {
        auto identity = stoq::Identity::from_files(options_.cert, options_.key);
        if (!identity) fail(identity.error().message());
        stoq::ListenConfig config;
        config.address = options_.listen;
        config.credentials.identities = {*identity};
        set_tls(config.credentials);
        config.settings = settings_of(options_);
        const auto address = runtime_->listen(config);
        if (!address) fail(address.error().message());
        std::printf("ready: %s\n", stoq::to_string(*address).c_str());
        std::fflush(stdout);
    }

    void load_trust() {
        auto trust = stoq::Trust::ca_file(options_.ca);
        if (!trust) fail(trust.error().message());
        credentials_->trust = *trust;
        set_tls(*credentials_);
    }

    static void set_tls(stoq::Credentials& credentials) {
        credentials.alpn = {kAlpn};
        credentials.groups = "X25519";
        credentials.cipher_suites = {true, false, false};
    }

    void on_event(const stoq::Event& event) {
        if (const auto* readable = std::get_if<stoq::StreamReadable>(&event)) {
            read(readable->connection, readable->stream);
        } else if (const auto* writable = std::get_if<stoq::StreamWritable>(&event)) {
            application().on_writable({id_of(writable->connection), writable->stream.value()});
        } else if (const auto* established = std::get_if<stoq::ConnectionEstablished>(&event)) {
            application().on_established(id_of(established->connection));
        } else if (const auto* closed = std::get_if<stoq::ConnectionClosed>(&event)) {
            if (closed->info.kind == stoq::CloseKind::kLocalApplication) return;
            application().on_closed(id_of(closed->connection), stoq::to_string(closed->info));
        } else if (const auto* datagram = std::get_if<stoq::DatagramReceived>(&event)) {
            application().on_datagram(id_of(datagram->connection), datagram->bytes);
        } else if (const auto* received = std::get_if<stoq::TicketReceived>(&event)) {
            if (options_.resumed) tickets_.push_back(received->ticket);
        } else if (std::get_if<stoq::StreamsAvailable>(&event) != nullptr) {
            application().on_streams_available();
        }
    }

    // The newest; the last one serves until another comes.
    std::vector<std::uint8_t> take_ticket() {
        if (tickets_.empty()) return {};
        std::vector<std::uint8_t> ticket = tickets_.back();
        if (tickets_.size() > 1) tickets_.pop_back();
        return ticket;
    }

    void read(stoq::ConnectionHandle connection, stoq::StreamId stream) {
        const StreamKey key{id_of(connection), stream.value()};
        while (const auto shown = endpoint_.peek(connection, stream, pieces_)) {
            const auto [count, length, finished] = *shown;
            if (length == 0 && !finished) return;
            for (std::size_t i = 0; i < count; ++i) {
                application().on_data(key, pieces_[i], finished && i + 1 == count);
            }
            if (count == 0) application().on_data(key, {}, true);
            (void)endpoint_.consume(connection, stream, length);
            if (finished) return;
        }
    }

    const Options& options_;
    std::unique_ptr<stoq::Runtime> runtime_;
    stoq::Endpoint& endpoint_;
    std::array<stoq::ByteView, 64> pieces_;
    std::shared_ptr<stoq::Credentials> credentials_ = std::make_shared<stoq::Credentials>();
    std::vector<std::vector<std::uint8_t>> tickets_;
};

}  // namespace
}  // namespace race

int main(int argc, char** argv) {
    const race::Options options = race::parse_options(argc, argv);
    race::Stoq transport(options);
    if (options.is_server) race::serve(transport);
    race::drive(transport, options);
    return 0;
}
