#include "handshake_load.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <functional>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "exit_code.h"
#include "perf.h"
#include "pinning.h"
#include "quantity.h"

namespace stoq::tool {
namespace {

constexpr int kWarmUpShare = 10;
constexpr std::uint64_t kHandshakesBetweenPrimitives = 4;
constexpr std::size_t kEnoughTickets = 1000;
constexpr int kLowestPriority = 19;
// The server sends without end to whoever asks for this protocol.
constexpr std::string_view kBulkProtocol = "bulk";

double thread_seconds(pthread_t thread) {
    clockid_t clock{};
    timespec now{};
    if (pthread_getcpuclockid(thread, &clock) != 0) return 0;
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

Identity identity_of(KeyType type) {
    const PemIdentity pem = value_or_fail(generate_identity({.key_type = type}));
    return value_or_fail(Identity::from_pem(pem.certificate(), pem.key()));
}

// Serves on a thread of its own until it goes. Closes every connection whose handshake is complete,
// but those that want bulk.
class Server {
public:
    Server(const Identity& identity, bool tickets, PrimitiveTimer* primitives = nullptr)
        : runtime_(value_or_fail(Runtime::create())), tickets_(tickets), primitives_(primitives) {
        ListenConfig config;
        config.address = "127.0.0.1:0";
        config.credentials.identities = {identity};
        config.credentials.alpn = {std::string(kPerfProtocol), std::string(kBulkProtocol)};
        config.credentials.session_tickets = tickets;
        address_ = value_or_fail(runtime_->listen(config));
        runtime_->set_event_handler([this](const Event& event) { on_event(event); });
        thread_ = std::thread([this] {
            pin_to(0);
            runtime_->run();
        });
    }
    ~Server() {
        runtime_->stop();
        thread_.join();
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    const Address& address() const { return address_; }
    // Without what the timing of primitives took.
    double processor_seconds() {
        return thread_seconds(thread_.native_handle()) - seconds_of_primitives_;
    }

private:
    // Handshakes are counted when they are complete.
    void time_primitives() {
        if (primitives_ == nullptr || ++completed_ % kHandshakesBetweenPrimitives != 0) return;
        const double begin = thread_seconds(pthread_self());
        primitives_->time_next();
        seconds_of_primitives_ = seconds_of_primitives_ + thread_seconds(pthread_self()) - begin;
    }
    void on_event(const Event& event) {
        Endpoint& endpoint = runtime_->endpoint();
        if (const auto* writable = std::get_if<StreamWritable>(&event)) {
            fill(writable->connection, writable->stream);
        } else if (const auto* established = std::get_if<ConnectionEstablished>(&event)) {
            const ConnectionHandle connection = established->connection;
            time_primitives();
            const auto info = endpoint.info(connection);
            if (!info || info->application_protocol != kBulkProtocol) {
                if (!tickets_) (void)endpoint.close(connection, 0);
            } else if (const auto stream =
                           endpoint.open_stream(connection, Directionality::kUnidirectional)) {
                fill(connection, *stream);
            }
        }
    }
    void fill(ConnectionHandle connection, StreamId stream) {
        while (runtime_->endpoint().write(connection, stream, perf_bytes(UINT64_MAX)).value_or(0) !=
               0) {
        }
    }

    std::unique_ptr<Runtime> runtime_;
    bool tickets_;
    PrimitiveTimer* primitives_;
    std::uint64_t completed_ = 0;
    std::atomic<double> seconds_of_primitives_ = 0;
    Address address_;
    std::thread thread_;
};

ConnectConfig client_config(const HandshakeLoad& load, const Identity& server,
                            const Address& address, std::string_view protocol) {
    Credentials credentials;
    credentials.trust = value_or_fail(Trust::fingerprint(server.fingerprint()));
    credentials.alpn = {std::string(protocol)};
    credentials.groups = load.group;
    credentials.session_tickets = load.resumed;
    ConnectConfig config;
    config.remote = address;
    config.server_name = "localhost";
    config.credentials = std::make_shared<const Credentials>(std::move(credentials));
    return config;
}

// Keeps so many handshakes in progress: when the server has closed one, it begins another.
class Clients {
public:
    Clients(const HandshakeLoad& load, const Identity& server, const Address& address)
        : runtime_(value_or_fail(Runtime::create())),
          resumed_(load.resumed),
          config_(client_config(load, server, address, kPerfProtocol)) {
        runtime_->set_event_handler([this](const Event& event) { on_event(event); });
        for (std::uint64_t i = 0; i < load.concurrent; ++i) begin();
    }

    // As many times as it takes for one handshake at least.
    void run_for(Duration span) {
        for (const std::uint64_t before = completed_; completed_ == before;) {
            runtime_->after(span, [this] { runtime_->stop(); });
            runtime_->run();
            if (failure_) throw *failure_;
        }
    }
    // Counts of all that was done so far.
    HandshakeResult totals() const {
        const DatapathReport report = runtime_->datapath_report();
        HandshakeResult totals;
        totals.handshakes = completed_;
        totals.seconds = seconds_since_start();
        totals.client_seconds = thread_seconds(pthread_self());
        totals.bytes_up = report.sent_bytes;
        totals.bytes_down = report.received_bytes;
        totals.group = group_;
        totals.signature = signature_;
        return totals;
    }

private:
    double seconds_since_start() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    }

    void begin() {
        config_.ticket.clear();
        if (!tickets_.empty()) {
            config_.ticket = std::move(tickets_.back());
            tickets_.pop_back();
        }
        const auto connection = runtime_->connect(config_);
        if (!connection) fail(connection.error().message());
    }

    void on_event(const Event& event) {
        if (const auto* established = std::get_if<ConnectionEstablished>(&event)) {
            on_established(established->connection);
        } else if (const auto* received = std::get_if<TicketReceived>(&event)) {
            on_ticket(*received);
        } else if (const auto* closed = std::get_if<ConnectionClosed>(&event)) {
            if (closed->info.kind == CloseKind::kLocalApplication) return;
            if (closed->info.kind != CloseKind::kPeerApplication)
                return fail(to_string(closed->info));
            ++completed_;
            begin();
        }
    }

    void on_ticket(const TicketReceived& event) {
        // A server sends two, and one is used.
        if (tickets_.size() < kEnoughTickets) tickets_.push_back(event.ticket);
        const auto info = runtime_->endpoint().info(event.connection);
        // The second ticket of a connection comes when that is closed already.
        if (!info || !runtime_->endpoint().close(event.connection, 0)) return;
        if (info->resumed) ++completed_;
        begin();
    }

    void on_established(ConnectionHandle connection) {
        const auto info = runtime_->endpoint().info(connection);
        if (!group_.empty() || (resumed_ && !info->resumed)) return;
        group_ = info->key_exchange_group;
        signature_ = info->signature;
    }

    void fail(const std::string& why) {
        failure_.emplace(ExitCode::kConnection, "a handshake failed: " + why);
        runtime_->stop();
    }

    std::unique_ptr<Runtime> runtime_;
    bool resumed_;
    ConnectConfig config_;
    std::vector<std::vector<std::uint8_t>> tickets_;
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
    std::uint64_t completed_ = 0;
    std::string group_;
    std::string signature_;
    std::optional<Failure> failure_;
};

// Reads what the server sends, on a thread of its own.
class BulkReader {
public:
    BulkReader(const HandshakeLoad& load, const Identity& server, const Address& address)
        : runtime_(value_or_fail(Runtime::create())) {
        runtime_->set_event_handler([this](const Event& event) { on_event(event); });
        connection_ =
            value_or_fail(runtime_->connect(client_config(load, server, address, kBulkProtocol)));
        thread_ = std::thread([this] {
            pin_to(1);
            runtime_->run();
        });
    }
    ~BulkReader() {
        runtime_->stop();
        thread_.join();
    }
    BulkReader(const BulkReader&) = delete;
    BulkReader& operator=(const BulkReader&) = delete;

    // What comes in the time, in Gbit/s. Throws Failure when the connection is gone.
    double gbps_over(Duration span, const std::function<void(Duration)>& meanwhile) {
        const std::uint64_t before = received_;
        const auto begun = std::chrono::steady_clock::now();
        meanwhile(span);
        const auto passed = std::chrono::steady_clock::now() - begun;
        if (closed_) throw Failure(ExitCode::kConnection, "the download broke");
        return gigabits_per_second(received_ - before, passed);
    }

private:
    void on_event(const Event& event) {
        if (std::holds_alternative<ConnectionClosed>(event)) closed_ = true;
        const auto* readable = std::get_if<StreamReadable>(&event);
        if (readable == nullptr) return;
        Endpoint& endpoint = runtime_->endpoint();
        while (const auto view = endpoint.peek(readable->connection, readable->stream)) {
            if (view->bytes.empty()) return;
            received_ += view->bytes.size();
            (void)endpoint.consume(readable->connection, readable->stream, view->bytes.size());
        }
    }

    std::unique_ptr<Runtime> runtime_;
    ConnectionHandle connection_;
    std::atomic<std::uint64_t> received_ = 0;
    std::atomic<bool> closed_ = false;
    std::thread thread_;
};

}  // namespace

HandshakeResult run_handshakes(const HandshakeLoad& load) {
    pin_to(1);
    const Identity identity = identity_of(load.key_type);
    PrimitiveTimer primitives(load.primitives, load.group);
    HandshakeResult before;
    HandshakeResult result;
    {
        Server server(identity, load.resumed, &primitives);
        Clients clients(load, identity, server.address());
        clients.run_for(load.span / kWarmUpShare);
        before = clients.totals();
        const double server_before = server.processor_seconds();
        clients.run_for(load.span);
        result = clients.totals();
        result.server_seconds = server.processor_seconds() - server_before;
    }
    result.primitives = primitives.medians();
    result.handshakes -= before.handshakes;
    result.seconds -= before.seconds;
    result.client_seconds -= before.client_seconds;
    result.bytes_up -= before.bytes_up;
    result.bytes_down -= before.bytes_down;
    return result;
}

BulkResult run_bulk_beside_handshakes(const HandshakeLoad& load) {
    pin_to(1);
    // The load's clients share a core with the reader; they are not what is measured, and give way.
    (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kLowestPriority);
    const Identity identity = identity_of(load.key_type);
    Server server(identity, false);
    BulkReader reader(load, identity, server.address());
    const auto idle = [](Duration span) { std::this_thread::sleep_for(span); };
    BulkResult result;
    (void)reader.gbps_over(load.span / kWarmUpShare, idle);
    result.gbps_alone = reader.gbps_over(load.span, idle);
    Clients clients(load, identity, server.address());
    const auto press = [&](Duration span) { clients.run_for(span); };
    (void)reader.gbps_over(load.span / kWarmUpShare, press);
    const HandshakeResult before = clients.totals();
    result.gbps_beside = reader.gbps_over(load.span, press);
    const HandshakeResult after = clients.totals();
    result.handshakes_per_second = static_cast<double>(after.handshakes - before.handshakes) /
                                   (after.seconds - before.seconds);
    result.group = after.group;
    result.signature = after.signature;
    return result;
}

}  // namespace stoq::tool
