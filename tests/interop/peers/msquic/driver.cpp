// A hq-interop client and server on msquic, over its C interface, for tests/interop/run.
//
// msquic calls from threads of its own: what they share is behind one lock.
#define QUIC_API_ENABLE_PREVIEW_FEATURES 1
#include <msquic.h>
#include <msquicp.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "contract.h"

namespace interop {
namespace {

constexpr std::string_view kNoHttp3 = "msquic has no HTTP/3";
constexpr std::array kLacks{
    Lack{"http3", "client", kNoHttp3},
    Lack{"http3", "server", kNoHttp3},
    Lack{"keyupdate", "server", "the client updates the keys"},
    Lack{"connectionmigration", "client", "the server has the preferred address"},
    Lack{"connectionmigration", "server", "msquic's servers cannot be given a preferred address"},
};
constexpr std::uint32_t kWindow = 4 << 20;
constexpr std::uint16_t kStreams = 100;
constexpr std::string_view kAlpn = "hq-interop";
constexpr std::uint32_t kVersion1 = 0x00000001;
constexpr std::uint32_t kVersion2 = 0x6b3343cf;

void must(QUIC_STATUS status, const char* what) {
    if (QUIC_FAILED(status)) fail(std::string(what) + ": " + std::to_string(status));
}

QUIC_BUFFER buffer_of(std::string_view bytes) {
    return {static_cast<std::uint32_t>(bytes.size()),
            reinterpret_cast<std::uint8_t*>(const_cast<char*>(bytes.data()))};
}

std::string hex(const std::uint8_t* bytes, std::size_t length) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < length; ++i) {
        text += kDigits[bytes[i] >> 4];
        text += kDigits[bytes[i] & 15];
    }
    return text;
}

class Driver;

struct Stream {
    Driver* driver = nullptr;
    HQUIC handle = nullptr;
    Url url{};  // client
    std::string incoming{};
    std::string outgoing{};  // stays until the stream is closed
    QUIC_BUFFER buffer{};
};

struct Connection {
    Driver* driver = nullptr;
    HQUIC handle = nullptr;
    QUIC_TLS_SECRETS secrets{};
};

class Driver {
public:
    explicit Driver(const Options& options) : options_(options) {
        must(MsQuicOpen2(&api_), "MsQuicOpen2");
        if (options.is("retry")) {
            std::uint16_t always = 0;
            must(api_->SetParam(nullptr, QUIC_PARAM_GLOBAL_RETRY_MEMORY_PERCENT, sizeof always,
                                &always),
                 "Retry");
        }
        const QUIC_REGISTRATION_CONFIG name{"interop", QUIC_EXECUTION_PROFILE_LOW_LATENCY};
        must(api_->RegistrationOpen(&name, &registration_), "RegistrationOpen");
        configure();
    }

    [[noreturn]] void serve() {
        HQUIC listener = nullptr;
        must(api_->ListenerOpen(registration_, on_listener, this, &listener), "ListenerOpen");
        QUIC_ADDR address{};
        QuicAddrSetFamily(&address, QUIC_ADDRESS_FAMILY_UNSPEC);
        QuicAddrSetPort(&address, options_.port);
        const QUIC_BUFFER alpn = buffer_of(kAlpn);
        must(api_->ListenerStart(listener, &alpn, 1, &address), "ListenerStart");
        std::printf("ready: %u\n", options_.port);
        std::fflush(stdout);
        std::unique_lock<std::mutex> held(lock_);
        for (;;) changed_.wait(held);
    }

    void fetch() {
        const bool resumes = options_.is("resumption") || options_.is("zerortt");
        bool first = true;
        for (const std::vector<Url>& urls : options_.rounds()) {
            fetch_round(urls, resumes && first, options_.is("zerortt") && !first);
            first = false;
        }
    }

private:
    void configure() {
        QUIC_SETTINGS to{};
        to.IdleTimeoutMs = static_cast<std::uint64_t>(kPatience / std::chrono::milliseconds(1));
        to.IsSet.IdleTimeoutMs = 1;
        to.HandshakeIdleTimeoutMs = to.IdleTimeoutMs;
        to.IsSet.HandshakeIdleTimeoutMs = 1;
        to.DisconnectTimeoutMs = static_cast<std::uint32_t>(to.IdleTimeoutMs);
        to.IsSet.DisconnectTimeoutMs = 1;
        to.StreamRecvWindowDefault = kWindow;
        to.IsSet.StreamRecvWindowDefault = 1;
        to.ConnFlowControlWindow = kWindow;
        to.IsSet.ConnFlowControlWindow = 1;
        to.PeerBidiStreamCount = kStreams;
        to.IsSet.PeerBidiStreamCount = 1;
        to.SendBufferingEnabled = 0;
        to.IsSet.SendBufferingEnabled = 1;
        to.EcnEnabled = 1;
        to.IsSet.EcnEnabled = 1;
        to.ServerResumptionLevel =
            options_.is("zerortt") ? QUIC_SERVER_RESUME_AND_ZERORTT : QUIC_SERVER_RESUME_ONLY;
        to.IsSet.ServerResumptionLevel = 1;
        const QUIC_BUFFER alpn = buffer_of(kAlpn);
        must(api_->ConfigurationOpen(registration_, &alpn, 1, &to, sizeof to, nullptr,
                                     &configuration_),
             "ConfigurationOpen");
        if (options_.is("v2")) prefer_version_2();
        load_credentials();
    }

    void prefer_version_2() {
        static constexpr std::array kAcceptable{kVersion2, kVersion1};
        // A client begins with the first one that it offers.
        static constexpr std::array kOffered{kVersion1, kVersion2};
        const QUIC_VERSION_SETTINGS versions{.AcceptableVersions = kAcceptable.data(),
                                             .OfferedVersions = kOffered.data(),
                                             .FullyDeployedVersions = kOffered.data(),
                                             .AcceptableVersionsLength = kAcceptable.size(),
                                             .OfferedVersionsLength = kOffered.size(),
                                             .FullyDeployedVersionsLength = kOffered.size()};
        must(api_->SetParam(configuration_, QUIC_PARAM_CONFIGURATION_VERSION_SETTINGS,
                            sizeof versions, &versions),
             "versions");
        // A server chooses by what all of the library has.
        must(
            api_->SetParam(nullptr, QUIC_PARAM_GLOBAL_VERSION_SETTINGS, sizeof versions, &versions),
            "versions");
    }

    void load_credentials() {
        QUIC_CREDENTIAL_CONFIG credentials{};
        QUIC_CERTIFICATE_FILE files{options_.key.c_str(), options_.certificate.c_str()};
        unsigned flags = 0;
        if (options_.is_server) {
            credentials.Type = QUIC_CREDENTIAL_TYPE_CERTIFICATE_FILE;
            credentials.CertificateFile = &files;
        } else {
            flags |= QUIC_CREDENTIAL_FLAG_CLIENT | QUIC_CREDENTIAL_FLAG_SET_CA_CERTIFICATE_FILE;
            credentials.CaCertificateFile = options_.ca.c_str();
        }
        if (!options_.is_server && options_.is("chacha20")) {
            flags |= QUIC_CREDENTIAL_FLAG_SET_ALLOWED_CIPHER_SUITES;
            credentials.AllowedCipherSuites = QUIC_ALLOWED_CIPHER_SUITE_CHACHA20_POLY1305_SHA256;
        }
        credentials.Flags = static_cast<QUIC_CREDENTIAL_FLAGS>(flags);
        must(api_->ConfigurationLoadCredential(configuration_, &credentials), "credentials");
    }

    // --- Client ---

    void fetch_round(const std::vector<Url>& urls, bool wants_ticket, bool early) {
        auto connection = std::make_unique<Connection>();
        connection->driver = this;
        must(api_->ConnectionOpen(registration_, on_connection, connection.get(),
                                  &connection->handle),
             "ConnectionOpen");
        log_secrets(*connection);
        // Clients with a socket of their own have no connection IDs, and nobody who reads the
        // capture could follow a change of their port.
        std::uint8_t shared = 1;
        must(api_->SetParam(connection->handle, QUIC_PARAM_CONN_SHARE_UDP_BINDING, sizeof shared,
                            &shared),
             "connection IDs");
        if (!ticket_.empty()) {
            must(api_->SetParam(connection->handle, QUIC_PARAM_CONN_RESUMPTION_TICKET,
                                static_cast<std::uint32_t>(ticket_.size()), ticket_.data()),
                 "ticket");
            ticket_.clear();
        }
        left_ = urls.size();
        established_ = over_ = false;
        if (early) ask(*connection, urls, QUIC_SEND_FLAG_ALLOW_0_RTT);
        must(api_->ConnectionStart(connection->handle, configuration_, QUIC_ADDRESS_FAMILY_UNSPEC,
                                   urls[0].host.c_str(), urls[0].port),
             "ConnectionStart");
        wait([this] { return established_; }, kPatience);
        if (!early) ask(*connection, urls, QUIC_SEND_FLAG_NONE);
        wait([this] { return left_ == 0; }, std::chrono::hours(1));
        if (wants_ticket) wait([this] { return !ticket_.empty(); }, kTicketPatience);
        api_->ConnectionShutdown(connection->handle, QUIC_CONNECTION_SHUTDOWN_FLAG_NONE, 0);
        std::unique_lock<std::mutex> held(lock_);
        (void)changed_.wait_for(held, kPatience, [this] { return over_; });
        held.unlock();
        write_secrets(*connection);
        api_->ConnectionClose(connection->handle);
    }

    // One thing, or the end of the connection, which is a failure then.
    template <typename Condition>
    void wait(const Condition& condition, std::chrono::seconds most) {
        std::unique_lock<std::mutex> held(lock_);
        if (!changed_.wait_for(held, most, [&] { return condition() || over_; }))
            fail("nothing more has come");
        if (!condition()) fail(why_);
    }

    void ask(Connection& connection, const std::vector<Url>& urls, unsigned flags) {
        for (const Url& url : urls) {
            auto* const stream = new Stream{.driver = this, .url = url};
            stream->outgoing = url.request();
            const auto open = (flags & QUIC_SEND_FLAG_ALLOW_0_RTT) != 0
                                  ? QUIC_STREAM_OPEN_FLAG_0_RTT
                                  : QUIC_STREAM_OPEN_FLAG_NONE;
            must(api_->StreamOpen(connection.handle, open, on_stream, stream, &stream->handle),
                 "StreamOpen");
            send(*stream, flags | QUIC_SEND_FLAG_START);
        }
    }

    void send(Stream& stream, unsigned flags) {
        stream.buffer = buffer_of(stream.outgoing);
        const std::uint32_t count = stream.outgoing.empty() ? 0 : 1;
        must(api_->StreamSend(stream.handle, &stream.buffer, count,
                              static_cast<QUIC_SEND_FLAGS>(flags | QUIC_SEND_FLAG_FIN), nullptr),
             "StreamSend");
    }

    // --- What the library tells ---

    static QUIC_STATUS QUIC_API on_listener(HQUIC, void* context, QUIC_LISTENER_EVENT* event) {
        auto& self = *static_cast<Driver*>(context);
        if (event->Type != QUIC_LISTENER_EVENT_NEW_CONNECTION) return QUIC_STATUS_SUCCESS;
        auto* const connection = new Connection{.driver = &self};
        connection->handle = event->NEW_CONNECTION.Connection;
        self.log_secrets(*connection);
        self.api_->SetCallbackHandler(connection->handle, reinterpret_cast<void*>(on_connection),
                                      connection);
        return self.api_->ConnectionSetConfiguration(connection->handle, self.configuration_);
    }

    static QUIC_STATUS QUIC_API on_connection(HQUIC, void* context, QUIC_CONNECTION_EVENT* event) {
        auto& connection = *static_cast<Connection*>(context);
        connection.driver->on_event(connection, *event);
        return QUIC_STATUS_SUCCESS;
    }

    static QUIC_STATUS QUIC_API on_stream(HQUIC, void* context, QUIC_STREAM_EVENT* event) {
        auto& stream = *static_cast<Stream*>(context);
        stream.driver->on_event(stream, *event);
        return QUIC_STATUS_SUCCESS;
    }

    void on_event(Connection& connection, const QUIC_CONNECTION_EVENT& event) {
        switch (event.Type) {
            case QUIC_CONNECTION_EVENT_CONNECTED:
                if (options_.is_server) {
                    (void)api_->ConnectionSendResumptionTicket(
                        connection.handle, QUIC_SEND_RESUMPTION_FLAG_NONE, 0, nullptr);
                }
                change([this] { established_ = true; });
                break;
            case QUIC_CONNECTION_EVENT_PEER_STREAM_STARTED: {
                auto* const stream = new Stream{.driver = this};
                stream->handle = event.PEER_STREAM_STARTED.Stream;
                api_->SetCallbackHandler(stream->handle, reinterpret_cast<void*>(on_stream),
                                         stream);
                break;
            }
            case QUIC_CONNECTION_EVENT_RESUMPTION_TICKET_RECEIVED: {
                const auto& ticket = event.RESUMPTION_TICKET_RECEIVED;
                change([&] {
                    ticket_.assign(ticket.ResumptionTicket,
                                   ticket.ResumptionTicket + ticket.ResumptionTicketLength);
                });
                break;
            }
            case QUIC_CONNECTION_EVENT_SHUTDOWN_INITIATED_BY_TRANSPORT:
                change([&] {
                    why_ = "closed: status " +
                           std::to_string(event.SHUTDOWN_INITIATED_BY_TRANSPORT.Status);
                });
                break;
            case QUIC_CONNECTION_EVENT_SHUTDOWN_COMPLETE:
                if (options_.is_server) {
                    write_secrets(connection);
                    api_->ConnectionClose(connection.handle);
                    delete &connection;
                }
                change([this] { over_ = true; });
                break;
            default: break;
        }
    }

    void on_event(Stream& stream, const QUIC_STREAM_EVENT& event) {
        switch (event.Type) {
            case QUIC_STREAM_EVENT_RECEIVE:
                for (std::uint32_t i = 0; i < event.RECEIVE.BufferCount; ++i) {
                    const QUIC_BUFFER& buffer = event.RECEIVE.Buffers[i];
                    stream.incoming.append(reinterpret_cast<const char*>(buffer.Buffer),
                                           buffer.Length);
                }
                update_keys(stream);
                break;
            case QUIC_STREAM_EVENT_PEER_SEND_SHUTDOWN:
                if (options_.is_server) return answer(stream);
                options_.save(stream.url, stream.incoming);
                change([this] { --left_; });
                break;
            case QUIC_STREAM_EVENT_SHUTDOWN_COMPLETE:
                api_->StreamClose(stream.handle);
                delete &stream;
                break;
            default: break;
        }
    }

    void answer(Stream& stream) {
        const auto content = options_.answer(stream.incoming);
        if (!content) {
            (void)api_->StreamShutdown(stream.handle, QUIC_STREAM_SHUTDOWN_FLAG_ABORT_SEND,
                                       kUnknownFile);
            return;
        }
        stream.outgoing = *content;
        send(stream, QUIC_SEND_FLAG_NONE);
    }

    void update_keys(const Stream& stream) {
        if (!options_.is("keyupdate") || options_.is_server || keys_updated_) return;
        if (stream.incoming.size() < kUpdateKeysAfter) return;
        keys_updated_ = true;
        must(api_->SetParam(current_, QUIC_PARAM_CONN_FORCE_KEY_UPDATE, 0, nullptr), "key update");
    }

    template <typename Change>
    void change(const Change& what) {
        const std::lock_guard<std::mutex> held(lock_);
        what();
        changed_.notify_all();
    }

    // --- Key log ---

    void log_secrets(Connection& connection) {
        current_ = connection.handle;
        (void)api_->SetParam(connection.handle, QUIC_PARAM_CONN_TLS_SECRETS,
                             sizeof connection.secrets, &connection.secrets);
    }

    void write_secrets(const Connection& connection) const {
        const char* const path = std::getenv("SSLKEYLOGFILE");
        const QUIC_TLS_SECRETS& it = connection.secrets;
        if (path == nullptr || it.IsSet.ClientRandom == 0) return;
        std::ofstream file(path, std::ios::app);
        const std::string random = hex(it.ClientRandom, sizeof it.ClientRandom);
        const auto write = [&](bool is_set, const char* label, const std::uint8_t* secret) {
            if (is_set)
                file << label << ' ' << random << ' ' << hex(secret, it.SecretLength) << '\n';
        };
        write(it.IsSet.ClientEarlyTrafficSecret, "CLIENT_EARLY_TRAFFIC_SECRET",
              it.ClientEarlyTrafficSecret);
        write(it.IsSet.ClientHandshakeTrafficSecret, "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
              it.ClientHandshakeTrafficSecret);
        write(it.IsSet.ServerHandshakeTrafficSecret, "SERVER_HANDSHAKE_TRAFFIC_SECRET",
              it.ServerHandshakeTrafficSecret);
        write(it.IsSet.ClientTrafficSecret0, "CLIENT_TRAFFIC_SECRET_0", it.ClientTrafficSecret0);
        write(it.IsSet.ServerTrafficSecret0, "SERVER_TRAFFIC_SECRET_0", it.ServerTrafficSecret0);
    }

    const Options& options_;
    const QUIC_API_TABLE* api_ = nullptr;
    HQUIC registration_ = nullptr;
    HQUIC configuration_ = nullptr;
    HQUIC current_ = nullptr;  // client
    bool keys_updated_ = false;
    std::mutex lock_;
    std::condition_variable changed_;
    std::vector<std::uint8_t> ticket_;
    std::size_t left_ = 0;
    bool established_ = false;
    bool over_ = false;
    std::string why_ = "closed by the peer";
};

}  // namespace
}  // namespace interop

extern "C" [[noreturn]] void interop_main() {
    const interop::Options options = interop::options_from_environment(interop::kLacks);
    interop::Driver driver(options);
    if (options.is_server) driver.serve();
    driver.fetch();
    // To wait for the library's threads takes seconds.
    std::_Exit(0);
}
