// The race's driver on msquic, over its C interface. See bench/race/README.md.
//
// msquic calls from threads of its own. One lock makes the application see one thread: it is held
// by every call into the application, and by the application's own thread except while that waits.
#define QUIC_API_ENABLE_PREVIEW_FEATURES 1
#include <msquic.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

#include "application.h"

namespace race {
namespace {

constexpr std::uint16_t kHeaders = 28;  // of IPv4 and UDP, which this library counts with the MTU
constexpr std::uint16_t kLargestDatagram = 1472;
constexpr std::size_t kMostUnsent = 4 << 20;
// Writes that the library has not completed: it wakes a thread for each.
constexpr std::size_t kMostSends = 1024;
constexpr std::uint16_t kMostStreams = 1000;
constexpr std::uint8_t kAlpnBytes[] = {'r', 'a', 'c', 'e'};

class MsQuic;

// Bytes that the library sends, until it says that it is done with them.
struct Outgoing {
    std::vector<std::uint8_t> copy;
    QUIC_BUFFER buffer{};
};

struct Stream {
    MsQuic* owner = nullptr;
    StreamKey key;
    HQUIC handle = nullptr;
    std::unique_ptr<Outgoing> held;  // the last write, in case that the end follows
    std::size_t unsent = 0;
    std::size_t sends = 0;
    bool wants_room = false;
    bool is_started = false;
};

struct Connection {
    MsQuic* owner = nullptr;
    ConnectionId id = 0;
    HQUIC handle = nullptr;
    bool resumed = false;
    bool closed_by_us = false;
    std::string why = "by the peer";
};

void must(QUIC_STATUS status, const char* what) {
    if (QUIC_FAILED(status)) fail(std::string(what) + ": " + std::to_string(status));
}

class MsQuic final : public Transport {
public:
    explicit MsQuic(const Options& options) : options_(options) {
        lock_.lock();
        must(MsQuicOpen2(&api_), "MsQuicOpen2");
        use_one_core();
        const QUIC_REGISTRATION_CONFIG name{"race", QUIC_EXECUTION_PROFILE_LOW_LATENCY};
        must(api_->RegistrationOpen(&name, &registration_), "RegistrationOpen");
        configure();
        if (options.is_server) listen();
    }

    // --- For the application ---

    // The library's calls for a new connection wait for its threads, so they are made when those
    // cannot be waiting for the lock: in turn().
    ConnectionId dial() override {
        Connection& connection = add_connection();
        to_start_.push_back(&connection);
        something_happened_.notify_one();
        return connection.id;
    }

    bool was_resumed(ConnectionId id) override { return connections_.at(id)->resumed; }

    std::optional<StreamKey> open(ConnectionId id) override {
        Stream& stream = add_stream(id);
        must(api_->StreamOpen(connections_.at(id)->handle, QUIC_STREAM_OPEN_FLAG_NONE, on_stream,
                              &stream, &stream.handle),
             "StreamOpen");
        return stream.key;
    }

    std::size_t write(const StreamKey& key, Bytes bytes, bool live_for_ever) override {
        Stream* const stream = find(key);
        if (stream == nullptr) return 0;
        release(*stream, QUIC_SEND_FLAG_NONE);
        if (live_for_ever && (stream->unsent >= kMostUnsent || stream->sends >= kMostSends)) {
            stream->wants_room = true;
            return 0;
        }
        auto outgoing = std::make_unique<Outgoing>();
        if (!live_for_ever) {
            outgoing->copy.assign(bytes.begin(), bytes.end());
            bytes = outgoing->copy;
        }
        outgoing->buffer = {static_cast<std::uint32_t>(bytes.size()),
                            const_cast<std::uint8_t*>(bytes.data())};
        stream->unsent += bytes.size();
        stream->held = std::move(outgoing);
        return bytes.size();
    }

    void finish(const StreamKey& key) override {
        Stream* const stream = find(key);
        if (stream == nullptr) return;
        if (!stream->held) stream->held = std::make_unique<Outgoing>();
        release(*stream, QUIC_SEND_FLAG_FIN);
    }

    void set_background(const StreamKey& key) override {
        Stream* const stream = find(key);
        std::uint16_t lowest = 0;
        if (stream == nullptr) return;
        must(api_->SetParam(stream->handle, QUIC_PARAM_STREAM_PRIORITY, sizeof lowest, &lowest),
             "the priority of a stream");
    }

    void abandon(const StreamKey& key) override {
        Stream* const stream = find(key);
        if (stream != nullptr) {
            (void)api_->StreamShutdown(stream->handle, QUIC_STREAM_SHUTDOWN_FLAG_ABORT_RECEIVE, 0);
        }
    }

    bool send_datagram(ConnectionId id, Bytes bytes) override {
        auto outgoing = std::make_unique<Outgoing>();
        outgoing->copy.assign(bytes.begin(), bytes.end());
        outgoing->buffer = {static_cast<std::uint32_t>(bytes.size()), outgoing->copy.data()};
        const QUIC_STATUS status = api_->DatagramSend(
            connections_.at(id)->handle, &outgoing->buffer, 1, QUIC_SEND_FLAG_NONE, outgoing.get());
        if (QUIC_SUCCEEDED(status)) (void)outgoing.release();
        return true;
    }

    void close(ConnectionId id) override {
        Connection& connection = *connections_.at(id);
        connection.closed_by_us = true;
        api_->ConnectionShutdown(connection.handle, QUIC_CONNECTION_SHUTDOWN_FLAG_NONE, 0);
    }

    void turn(std::chrono::milliseconds most) override {
        std::unique_lock<std::recursive_mutex> held(lock_, std::adopt_lock);
        const std::vector<Connection*> starting = std::exchange(to_start_, {});
        if (starting.empty()) {
            (void)something_happened_.wait_for(held, most);
        } else {
            const std::vector<std::uint8_t> ticket = ticket_;
            held.unlock();
            for (Connection* const connection : starting) start(*connection, ticket);
            held.lock();
        }
        (void)held.release();
    }

private:
    // All of the library's threads share the core that this process was given.
    void use_one_core() {
        QUIC_GLOBAL_EXECUTION_CONFIG config{};
        config.ProcessorCount = 1;
        config.PollingIdleTimeoutUs = static_cast<std::uint32_t>(options_.spin_us);
        config.ProcessorList[0] = static_cast<std::uint16_t>(::sched_getcpu());
        must(api_->SetParam(nullptr, QUIC_PARAM_GLOBAL_EXECUTION_CONFIG, sizeof config, &config),
             "execution on one core");
    }

    void configure() {
        const QUIC_BUFFER alpn{sizeof kAlpnBytes, const_cast<std::uint8_t*>(kAlpnBytes)};
        const QUIC_SETTINGS settings = make_settings();
        must(api_->ConfigurationOpen(registration_, &alpn, 1, &settings, sizeof settings, nullptr,
                                     &configuration_),
             "ConfigurationOpen");
        QUIC_CREDENTIAL_CONFIG credentials{};
        QUIC_CERTIFICATE_FILE files{options_.key.c_str(), options_.cert.c_str()};
        unsigned flags = QUIC_CREDENTIAL_FLAG_SET_ALLOWED_CIPHER_SUITES;
        credentials.AllowedCipherSuites = QUIC_ALLOWED_CIPHER_SUITE_AES_128_GCM_SHA256;
        if (options_.is_server) {
            credentials.Type = QUIC_CREDENTIAL_TYPE_CERTIFICATE_FILE;
            credentials.CertificateFile = &files;
        } else {
            flags |= QUIC_CREDENTIAL_FLAG_CLIENT | QUIC_CREDENTIAL_FLAG_SET_CA_CERTIFICATE_FILE;
            credentials.CaCertificateFile = options_.ca.c_str();
        }
        credentials.Flags = static_cast<QUIC_CREDENTIAL_FLAGS>(flags);
        must(api_->ConfigurationLoadCredential(configuration_, &credentials), "credentials");
    }

    QUIC_SETTINGS make_settings() const {
        QUIC_SETTINGS to{};
        to.IdleTimeoutMs = 600'000;  // it takes minutes to open ten thousand
        to.IsSet.IdleTimeoutMs = 1;
        to.StreamRecvWindowDefault = static_cast<std::uint32_t>(options_.window);
        to.IsSet.StreamRecvWindowDefault = 1;
        to.ConnFlowControlWindow = static_cast<std::uint32_t>(options_.window);
        to.IsSet.ConnFlowControlWindow = 1;
        to.InitialWindowPackets = 10;
        to.IsSet.InitialWindowPackets = 1;
        to.CongestionControlAlgorithm = QUIC_CONGESTION_CONTROL_ALGORITHM_CUBIC;
        to.IsSet.CongestionControlAlgorithm = 1;
        to.PeerBidiStreamCount = kMostStreams;
        to.IsSet.PeerBidiStreamCount = 1;
        to.MinimumMtu = to.MaximumMtu = static_cast<std::uint16_t>(options_.datagram + kHeaders);
        to.IsSet.MinimumMtu = to.IsSet.MaximumMtu = 1;
        to.SendBufferingEnabled = 0;
        to.IsSet.SendBufferingEnabled = 1;
        to.PacingEnabled = 0;
        to.IsSet.PacingEnabled = 1;
        to.DatagramReceiveEnabled = 1;
        to.IsSet.DatagramReceiveEnabled = 1;
        to.ServerResumptionLevel = QUIC_SERVER_RESUME_ONLY;
        to.IsSet.ServerResumptionLevel = 1;
        return to;
    }

    void listen() {
        must(api_->ListenerOpen(registration_, on_listener, this, &listener_), "ListenerOpen");
        const std::size_t colon = options_.listen.rfind(':');
        QUIC_ADDR address{};
        must(QuicAddrFromString(
                 options_.listen.substr(0, colon).c_str(),
                 static_cast<std::uint16_t>(std::atoi(options_.listen.c_str() + colon + 1)),
                 &address)
                 ? 0
                 : EINVAL,
             "address");
        const QUIC_BUFFER alpn{sizeof kAlpnBytes, const_cast<std::uint8_t*>(kAlpnBytes)};
        must(api_->ListenerStart(listener_, &alpn, 1, &address), "ListenerStart");
        std::uint32_t size = sizeof address;
        must(api_->GetParam(listener_, QUIC_PARAM_LISTENER_LOCAL_ADDRESS, &size, &address), "port");
        std::printf("ready: %s:%u\n", options_.listen.substr(0, colon).c_str(),
                    QuicAddrGetPort(&address));
        std::fflush(stdout);
    }

    void start(Connection& connection, const std::vector<std::uint8_t>& ticket) {
        must(api_->ConnectionOpen(registration_, on_connection, &connection, &connection.handle),
             "ConnectionOpen");
        if (!ticket.empty()) {
            must(api_->SetParam(connection.handle, QUIC_PARAM_CONN_RESUMPTION_TICKET,
                                static_cast<std::uint32_t>(ticket.size()), ticket.data()),
                 "ticket");
        }
        if (shares_a_socket()) share_a_socket(connection);
        const std::size_t colon = options_.connect.rfind(':');
        QUIC_ADDR remote{};
        must(QuicAddrFromString(options_.connect.substr(0, colon).c_str(), 0, &remote) ? 0 : EINVAL,
             "address");
        must(api_->SetParam(connection.handle, QUIC_PARAM_CONN_REMOTE_ADDRESS, sizeof remote,
                            &remote),
             "remote address");
        must(api_->ConnectionStart(
                 connection.handle, configuration_, QUIC_ADDRESS_FAMILY_INET, kServerName,
                 static_cast<std::uint16_t>(std::atoi(options_.connect.c_str() + colon + 1))),
             "ConnectionStart");
    }

    // A socket of its own takes four descriptors for each connection.
    bool shares_a_socket() const {
        return options_.mode == Mode::kIdle || options_.mode == Mode::kActive ||
               options_.mode == Mode::kHandshakes;
    }

    // The first connection's is given to all that come after it.
    void share_a_socket(const Connection& connection) {
        const std::uint8_t shared = 1;
        must(api_->SetParam(connection.handle, QUIC_PARAM_CONN_SHARE_UDP_BINDING, sizeof shared,
                            &shared),
             "a shared socket");
        if (!local_) return;
        must(api_->SetParam(connection.handle, QUIC_PARAM_CONN_LOCAL_ADDRESS, sizeof *local_,
                            &*local_),
             "local address");
    }

    void remember_socket(const Connection& connection) {
        QUIC_ADDR local{};
        std::uint32_t size = sizeof local;
        must(api_->GetParam(connection.handle, QUIC_PARAM_CONN_LOCAL_ADDRESS, &size, &local),
             "local address");
        local_ = local;
    }

    Connection& add_connection() {
        auto connection = std::make_unique<Connection>();
        connection->owner = this;
        connection->id = ++last_id_;
        Connection& added = *connection;
        connections_[added.id] = std::move(connection);
        return added;
    }

    Stream& add_stream(ConnectionId connection) {
        auto stream = std::make_unique<Stream>();
        stream->owner = this;
        stream->key = {connection, ++last_stream_};
        Stream& added = *stream;
        streams_[added.key] = std::move(stream);
        return added;
    }

    Stream* find(const StreamKey& key) {
        const auto at = streams_.find(key);
        return at == streams_.end() ? nullptr : at->second.get();
    }

    // Hands over what was held back.
    void release(Stream& stream, unsigned flags) {
        if (!stream.held) return;
        if (!stream.is_started && options_.is_server == false) flags |= QUIC_SEND_FLAG_START;
        stream.is_started = true;
        Outgoing* const outgoing = stream.held.release();
        const std::uint32_t count = outgoing->buffer.Length > 0 ? 1 : 0;
        const QUIC_STATUS status = api_->StreamSend(stream.handle, &outgoing->buffer, count,
                                                    static_cast<QUIC_SEND_FLAGS>(flags), outgoing);
        if (QUIC_FAILED(status)) {
            delete outgoing;
        } else {
            ++stream.sends;
        }
    }

    // --- What the library tells ---

    static QUIC_STATUS QUIC_API on_listener(HQUIC, void* context, QUIC_LISTENER_EVENT* event) {
        auto& self = *static_cast<MsQuic*>(context);
        if (event->Type != QUIC_LISTENER_EVENT_NEW_CONNECTION) return QUIC_STATUS_SUCCESS;
        const std::lock_guard<std::recursive_mutex> held(self.lock_);
        Connection& connection = self.add_connection();
        connection.handle = event->NEW_CONNECTION.Connection;
        self.api_->SetCallbackHandler(connection.handle, reinterpret_cast<void*>(on_connection),
                                      &connection);
        return self.api_->ConnectionSetConfiguration(connection.handle, self.configuration_);
    }

    static QUIC_STATUS QUIC_API on_connection(HQUIC, void* context, QUIC_CONNECTION_EVENT* event) {
        auto& connection = *static_cast<Connection*>(context);
        MsQuic& self = *connection.owner;
        const std::lock_guard<std::recursive_mutex> held(self.lock_);
        self.on_event(connection, *event);
        self.tell(event->Type);
        return QUIC_STATUS_SUCCESS;
    }

    static QUIC_STATUS QUIC_API on_stream(HQUIC, void* context, QUIC_STREAM_EVENT* event) {
        auto& stream = *static_cast<Stream*>(context);
        MsQuic& self = *stream.owner;
        const std::lock_guard<std::recursive_mutex> held(self.lock_);
        self.on_event(stream, *event);
        return QUIC_STATUS_SUCCESS;
    }

    // The application's thread has no part in a transfer: it is woken for what it may wait for. A
    // server's waits for nothing.
    void tell(QUIC_CONNECTION_EVENT_TYPE type) {
        const bool concerns = type == QUIC_CONNECTION_EVENT_CONNECTED ||
                              type == QUIC_CONNECTION_EVENT_SHUTDOWN_COMPLETE;
        if (concerns && !options_.is_server) something_happened_.notify_one();
    }

    void on_event(Connection& connection, QUIC_CONNECTION_EVENT& event) {
        switch (event.Type) {
            case QUIC_CONNECTION_EVENT_CONNECTED:
                connection.resumed = event.CONNECTED.SessionResumed != 0;
                if (options_.is_server) {
                    (void)api_->ConnectionSendResumptionTicket(
                        connection.handle, QUIC_SEND_RESUMPTION_FLAG_NONE, 0, nullptr);
                } else if (!local_) {
                    remember_socket(connection);
                }
                application().on_established(connection.id);
                break;
            case QUIC_CONNECTION_EVENT_PEER_STREAM_STARTED: {
                Stream& stream = add_stream(connection.id);
                stream.handle = event.PEER_STREAM_STARTED.Stream;
                api_->SetCallbackHandler(stream.handle, reinterpret_cast<void*>(on_stream),
                                         &stream);
                break;
            }
            case QUIC_CONNECTION_EVENT_RESUMPTION_TICKET_RECEIVED:
                if (!options_.resumed) break;
                ticket_.assign(event.RESUMPTION_TICKET_RECEIVED.ResumptionTicket,
                               event.RESUMPTION_TICKET_RECEIVED.ResumptionTicket +
                                   event.RESUMPTION_TICKET_RECEIVED.ResumptionTicketLength);
                break;
            case QUIC_CONNECTION_EVENT_DATAGRAM_RECEIVED: {
                const QUIC_BUFFER& buffer = *event.DATAGRAM_RECEIVED.Buffer;
                application().on_datagram(connection.id, {buffer.Buffer, buffer.Length});
                break;
            }
            case QUIC_CONNECTION_EVENT_DATAGRAM_SEND_STATE_CHANGED:
                if (QUIC_DATAGRAM_SEND_STATE_IS_FINAL(event.DATAGRAM_SEND_STATE_CHANGED.State)) {
                    delete static_cast<Outgoing*>(event.DATAGRAM_SEND_STATE_CHANGED.ClientContext);
                }
                break;
            case QUIC_CONNECTION_EVENT_SHUTDOWN_INITIATED_BY_TRANSPORT:
                connection.why =
                    "status " + std::to_string(event.SHUTDOWN_INITIATED_BY_TRANSPORT.Status);
                break;
            case QUIC_CONNECTION_EVENT_SHUTDOWN_COMPLETE: remove(connection); break;
            default: break;
        }
    }

    void remove(Connection& connection) {
        const ConnectionId id = connection.id;
        const bool expected = connection.closed_by_us;
        const std::string why = connection.why;
        api_->ConnectionClose(connection.handle);
        connections_.erase(id);
        if (!expected) application().on_closed(id, why);
    }

    void on_event(Stream& stream, QUIC_STREAM_EVENT& event) {
        const StreamKey key = stream.key;
        switch (event.Type) {
            case QUIC_STREAM_EVENT_RECEIVE:
                for (std::uint32_t i = 0; i < event.RECEIVE.BufferCount; ++i) {
                    const QUIC_BUFFER& buffer = event.RECEIVE.Buffers[i];
                    application().on_data(key, {buffer.Buffer, buffer.Length}, false);
                }
                break;
            case QUIC_STREAM_EVENT_PEER_SEND_SHUTDOWN: application().on_data(key, {}, true); break;
            case QUIC_STREAM_EVENT_SEND_COMPLETE: {
                const std::unique_ptr<Outgoing> sent(
                    static_cast<Outgoing*>(event.SEND_COMPLETE.ClientContext));
                stream.unsent -= sent->buffer.Length;
                --stream.sends;
                const bool room = stream.unsent < kMostUnsent / 2 && stream.sends < kMostSends / 2;
                if (!stream.wants_room || !room) break;
                stream.wants_room = false;
                application().on_writable(key);
                break;
            }
            case QUIC_STREAM_EVENT_SHUTDOWN_COMPLETE:
                api_->StreamClose(stream.handle);
                streams_.erase(key);
                break;
            default: break;
        }
    }

    const Options& options_;
    const QUIC_API_TABLE* api_ = nullptr;
    HQUIC registration_ = nullptr;
    HQUIC configuration_ = nullptr;
    HQUIC listener_ = nullptr;
    std::recursive_mutex lock_;
    std::condition_variable_any something_happened_;
    ConnectionId last_id_ = 0;
    std::uint64_t last_stream_ = 0;
    std::unordered_map<ConnectionId, std::unique_ptr<Connection>> connections_;
    std::unordered_map<StreamKey, std::unique_ptr<Stream>, StreamKeyHash> streams_;
    std::vector<std::uint8_t> ticket_;
    std::vector<Connection*> to_start_;
    std::optional<QUIC_ADDR> local_;  // of the socket that a client's connections share
};

// For what comes after the end.
class Nobody final : public Application {
    void on_data(const StreamKey&, Bytes, bool) override {}
    void on_writable(const StreamKey&) override {}
    void on_closed(ConnectionId, const std::string&) override {}
};

}  // namespace
}  // namespace race

extern "C" int race_main(int argc, char** argv) {
    const race::Options options = race::parse_options(argc, argv);
    if (options.datagram > race::kLargestDatagram) {
        race::unsupported("the largest MTU of msquic is 1500");
    }
    race::MsQuic transport(options);
    if (options.is_server) race::serve(transport);
    race::drive(transport, options);
    // What is left of the connections is the library's; to wait for its threads takes seconds.
    race::Nobody nobody;
    transport.set_application(nobody);
    transport.turn(std::chrono::milliseconds(50));
    std::_Exit(0);
}
