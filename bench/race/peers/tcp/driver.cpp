// The race's reference: TLS 1.3 over TCP, by OpenSSL. Streams are frames of eight bytes and what
// follows: the number of the stream, and its length with the highest bit set at its end.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include <openssl/err.h>

#include "application.h"
#include "tls.h"
#include "udp.h"

namespace race {
namespace {

constexpr std::size_t kFrameHeader = 8;
constexpr std::uint32_t kEnd = 1u << 31;
// Shorter than this is copied together with its header, to share a TLS record.
constexpr std::size_t kWorthARecord = 16 * 1024;
constexpr std::size_t kMostUnsent = 256 * 1024;
constexpr std::size_t kReadBuffer = 64 * 1024;
constexpr int kReadsPerTurn = 64;

void put_uint32(std::vector<std::uint8_t>& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        out.push_back(static_cast<std::uint8_t>(value >> shift));
    }
}

std::uint32_t take_uint32(const std::uint8_t* bytes) {
    return (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) |
           (std::uint32_t{bytes[2]} << 8) | bytes[3];
}

struct Connection {
    Connection(ConnectionId number, int socket, SSL* tls)
        : id(number), descriptor(socket), ssl(tls) {
        const int on = 1;
        (void)::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        SSL_set_fd(ssl, descriptor);
        SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    ~Connection() {
        SSL_free(ssl);
        ::close(descriptor);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    bool has_unsent() const { return sent < out.size() || !direct.empty(); }

    ConnectionId id;
    int descriptor;
    SSL* ssl;
    bool established = false;
    bool wants_to_write = false;
    std::uint32_t next_stream = 0;
    std::vector<std::uint8_t> out;
    std::size_t sent = 0;
    Bytes direct;  // goes after `out`, from where it is
    std::optional<StreamKey> waiting;
    std::array<std::uint8_t, kFrameHeader> head{};
    std::size_t head_length = 0;
    std::uint32_t left = 0;  // of the frame, and whether it is the stream's last
};

class TcpTls final : public Transport {
public:
    explicit TcpTls(const Options& options) : options_(options), tls_(options), read_(kReadBuffer) {
        if (!options.is_server) return;
        sockaddr_in address = parse_address(options.listen);
        socklen_t length = sizeof address;
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
            ::listen(listener_, SOMAXCONN) != 0 ||
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
            fail("cannot listen");
        }
        std::printf("ready: %s\n", to_string(address).c_str());
        std::fflush(stdout);
    }

    ConnectionId dial() override {
        const sockaddr_in address = parse_address(options_.connect);
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
            errno != EINPROGRESS) {
            fail("cannot connect");
        }
        return add(socket).id;
    }

    bool was_resumed(ConnectionId id) override { return SSL_session_reused(at(id).ssl) == 1; }

    std::optional<StreamKey> open(ConnectionId id) override {
        return StreamKey{id, at(id).next_stream++};
    }

    std::size_t write(const StreamKey& key, Bytes bytes, bool live_for_ever) override {
        Connection& connection = at(key.connection);
        const bool full =
            !connection.direct.empty() || connection.out.size() - connection.sent > kMostUnsent;
        if (live_for_ever && full) {
            connection.waiting = key;
            return 0;
        }
        frame(connection, key, static_cast<std::uint32_t>(bytes.size()));
        if (live_for_ever && bytes.size() >= kWorthARecord) {
            connection.direct = bytes;
            flush(connection);
        } else {
            connection.out.insert(connection.out.end(), bytes.begin(), bytes.end());
        }
        return bytes.size();
    }

    void finish(const StreamKey& key) override { frame(at(key.connection), key, kEnd); }

    void abandon(const StreamKey&) override {}
    bool send_datagram(ConnectionId, Bytes) override { return false; }
    void close(ConnectionId id) override { closing_.push_back(id); }

    void turn(std::chrono::milliseconds most) override {
        for (auto& [id, connection] : connections_) flush(*connection);
        wait(most);
        accept();
        std::vector<ConnectionId> ids;
        for (const auto& [id, connection] : connections_) ids.push_back(id);
        for (const ConnectionId id : ids) work(id);
        for (const ConnectionId id : std::exchange(closing_, {})) connections_.erase(id);
    }

private:
    Connection& at(ConnectionId id) { return *connections_.at(id); }

    Connection& add(int socket) {
        const ConnectionId id = ++last_id_;
        connections_[id] = std::make_unique<Connection>(id, socket, tls_.make());
        return *connections_[id];
    }

    static void frame(Connection& connection, const StreamKey& key, std::uint32_t length) {
        // A frame must not get between another and its bytes.
        const Bytes rest = std::exchange(connection.direct, {});
        connection.out.insert(connection.out.end(), rest.begin(), rest.end());
        put_uint32(connection.out, static_cast<std::uint32_t>(key.stream));
        put_uint32(connection.out, length);
    }

    void accept() {
        if (listener_ < 0) return;
        for (int socket; (socket = ::accept4(listener_, nullptr, nullptr,
                                             SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
            add(socket);
        }
    }

    void wait(std::chrono::milliseconds most) {
        std::vector<pollfd> wanted;
        if (listener_ >= 0) wanted.push_back({.fd = listener_, .events = POLLIN, .revents = 0});
        for (const auto& [id, connection] : connections_) {
            const bool out = connection->has_unsent() || connection->wants_to_write;
            const short events = out ? POLLIN | POLLOUT : POLLIN;
            wanted.push_back({.fd = connection->descriptor, .events = events, .revents = 0});
        }
        (void)::poll(wanted.data(), wanted.size(), static_cast<int>(most.count()));
    }

    void work(ConnectionId id) {
        Connection& connection = at(id);
        if (!connection.established && !shake_hands(connection)) return;
        for (int reads = 0; reads < kReadsPerTurn; ++reads) {
            const int length =
                SSL_read(connection.ssl, read_.data(), static_cast<int>(read_.size()));
            if (length > 0) {
                parse(connection, Bytes(read_).first(static_cast<std::size_t>(length)));
                continue;
            }
            if (is_alive(connection, length)) break;
            connections_.erase(id);
            application().on_closed(id, "by the peer");
            return;
        }
        flush(connection);
        if (connection.waiting && connection.direct.empty()) {
            application().on_writable(*std::exchange(connection.waiting, {}));
        }
    }

    static bool is_alive(const Connection& connection, int result) {
        const int error = SSL_get_error(connection.ssl, result);
        ERR_clear_error();
        return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    }

    bool shake_hands(Connection& connection) {
        const int result = SSL_do_handshake(connection.ssl);
        if (result == 1) {
            connection.established = true;
            connection.wants_to_write = false;
            application().on_established(connection.id);
            return true;
        }
        connection.wants_to_write = SSL_get_error(connection.ssl, result) == SSL_ERROR_WANT_WRITE;
        if (!is_alive(connection, result)) {
            const ConnectionId id = connection.id;
            connections_.erase(id);
            application().on_closed(id, "the handshake failed");
        }
        return false;
    }

    void parse(Connection& connection, Bytes bytes) {
        while (!bytes.empty()) {
            if (connection.head_length < kFrameHeader) {
                const std::size_t part =
                    std::min(bytes.size(), kFrameHeader - connection.head_length);
                std::copy_n(bytes.begin(), part, connection.head.begin() + connection.head_length);
                connection.head_length += part;
                bytes = bytes.subspan(part);
                if (connection.head_length < kFrameHeader) return;
                connection.left = take_uint32(connection.head.data() + 4);
            }
            bytes = bytes.subspan(take_frame(connection, bytes));
        }
    }

    // Returns how many of the bytes belong to the frame.
    std::size_t take_frame(Connection& connection, Bytes bytes) {
        std::uint32_t& left = connection.left;
        const StreamKey key{connection.id, take_uint32(connection.head.data())};
        const bool end = (left & kEnd) != 0;
        const std::size_t part = std::min<std::size_t>(bytes.size(), left & ~kEnd);
        left -= static_cast<std::uint32_t>(part);
        if ((left & ~kEnd) == 0) connection.head_length = 0;
        application().on_data(key, bytes.first(part), end);
        return part;
    }

    void flush(Connection& connection) {
        if (!connection.established) return;
        while (connection.sent < connection.out.size()) {
            const Bytes rest = Bytes(connection.out).subspan(connection.sent);
            const int written =
                SSL_write(connection.ssl, rest.data(), static_cast<int>(rest.size()));
            if (written <= 0) return;
            connection.sent += static_cast<std::size_t>(written);
        }
        connection.out.clear();
        connection.sent = 0;
        while (!connection.direct.empty()) {
            const int written = SSL_write(connection.ssl, connection.direct.data(),
                                          static_cast<int>(connection.direct.size()));
            if (written <= 0) return;
            connection.direct = connection.direct.subspan(static_cast<std::size_t>(written));
        }
    }

    const Options& options_;
    TlsContext tls_;
    std::vector<std::uint8_t> read_;
    int listener_ = -1;
    ConnectionId last_id_ = 0;
    std::map<ConnectionId, std::unique_ptr<Connection>> connections_;
    std::vector<ConnectionId> closing_;
};

}  // namespace
}  // namespace race

int main(int argc, char** argv) {
    const race::Options options = race::parse_options(argc, argv);
    (void)std::signal(SIGPIPE, SIG_IGN);  // a peer that is gone is an error of the call
    race::TcpTls transport(options);
    if (options.is_server) race::serve(transport);
    race::drive(transport, options);
    return 0;
}
