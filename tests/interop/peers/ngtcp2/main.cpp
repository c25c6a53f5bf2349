// A hq-interop client and server on ngtcp2, for tests/interop/run. One thread.
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <unordered_map>

#include <openssl/rand.h>

#include "connection.h"

namespace interop {
namespace {

constexpr std::string_view kNoHttp3 = "ngtcp2 has no HTTP/3 of its own";
constexpr std::array kLacks{
    Lack{"http3", "client", kNoHttp3}, Lack{"http3", "server", kNoHttp3},
    Lack{"keyupdate", "server", "the client updates the keys"},
    Lack{"connectionmigration", "client", "the server has the preferred address"}};
constexpr std::uint16_t kPreferredPort = 4443;
constexpr std::array<std::uint32_t, 2> kVersions = {NGTCP2_PROTO_VER_V1, NGTCP2_PROTO_VER_V2};

// This machine's first address of each family, loopback and link-local ones left out.
ngtcp2_preferred_addr preferred_address() {
    ngtcp2_preferred_addr preferred{};
    preferred.cid = random_id();
    (void)RAND_bytes(preferred.stateless_reset_token, sizeof preferred.stateless_reset_token);
    ifaddrs* interfaces = nullptr;
    if (::getifaddrs(&interfaces) != 0) fail("cannot list this machine's addresses");
    for (const ifaddrs* it = interfaces; it != nullptr; it = it->ifa_next) {
        if (it->ifa_addr == nullptr || (it->ifa_flags & IFF_LOOPBACK) != 0) continue;
        if (it->ifa_addr->sa_family == AF_INET && preferred.ipv4_present == 0) {
            std::memcpy(&preferred.ipv4, it->ifa_addr, sizeof preferred.ipv4);
            preferred.ipv4.sin_port = htons(kPreferredPort);
            preferred.ipv4_present = 1;
        }
        const auto* const ipv6 = reinterpret_cast<const sockaddr_in6*>(it->ifa_addr);
        if (it->ifa_addr->sa_family == AF_INET6 && preferred.ipv6_present == 0 &&
            !IN6_IS_ADDR_LINKLOCAL(&ipv6->sin6_addr)) {
            preferred.ipv6 = *ipv6;
            preferred.ipv6.sin6_port = htons(kPreferredPort);
            preferred.ipv6_present = 1;
        }
    }
    ::freeifaddrs(interfaces);
    return preferred;
}

// The sockets, and what waits for them and for time.
class Endpoint : public Network {
public:
    explicit Endpoint(const Options& options) : options_(options), tls_(options) {}

    void send(std::span<const std::uint8_t> datagram, const ngtcp2_path& path,
              std::uint8_t ecn) override {
        const auto& local = *reinterpret_cast<const Address*>(path.local.addr);
        const auto& remote = *reinterpret_cast<const Address*>(path.remote.addr);
        for (const auto& socket : sockets_) {
            if (socket->local().sin6_port == local.sin6_port) socket->send(datagram, remote, ecn);
        }
    }
    void add_id(const ngtcp2_cid& id, Connection& connection) override {
        by_id_[key_of(id)] = &connection;
    }
    void remove_id(const ngtcp2_cid& id) override { by_id_.erase(key_of(id)); }

protected:
    void bind(std::uint16_t port) { sockets_.push_back(std::make_unique<Socket>(port)); }

    void wait(ngtcp2_tstamp until) {
        const ngtcp2_tstamp now = timestamp();
        const std::uint64_t most = std::uint64_t{kTicketPatience.count()} * NGTCP2_SECONDS;
        const std::uint64_t span = until > now ? std::min<std::uint64_t>(until - now, most) : 0;
        const timespec timeout{static_cast<time_t>(span / NGTCP2_SECONDS),
                               static_cast<long>(span % NGTCP2_SECONDS)};
        std::array<pollfd, 2> watched{};
        for (std::size_t i = 0; i < sockets_.size(); ++i)
            watched[i] = {sockets_[i]->descriptor(), POLLIN, 0};
        (void)::ppoll(watched.data(), sockets_.size(), &timeout, nullptr);
    }

    template <typename Handler>
    void receive(const Handler& handler) {
        for (const auto& socket : sockets_) {
            while (const auto datagram = socket->receive(buffer_)) handler(*datagram, *socket);
        }
    }

    const Options& options_;
    TlsContext tls_;
    std::vector<std::unique_ptr<Socket>> sockets_;
    std::array<std::uint8_t, 65536> buffer_{};
    std::unordered_map<std::string, Connection*> by_id_;
};

class Server : public Endpoint {
public:
    explicit Server(const Options& options) : Endpoint(options) {
        (void)RAND_bytes(secret_.data(), static_cast<int>(secret_.size()));
        bind(options.port);
        if (options.is("connectionmigration")) bind(kPreferredPort);
        std::printf("ready: %u\n", options.port);
        std::fflush(stdout);
    }

    [[noreturn]] void run() {
        for (;;) {
            receive([this](const Received& datagram, Socket& socket) { on(datagram, socket); });
            ngtcp2_tstamp next = UINT64_MAX;
            for (auto it = connections_.begin(); it != connections_.end();) {
                Connection& connection = *it->second;
                const bool due = connection.expiry() <= timestamp();
                const bool alive = (!due || connection.on_time()) && connection.transmit();
                if (alive) next = std::min(next, connection.expiry());
                it = alive ? std::next(it) : forget(it);
            }
            wait(next);
        }
    }

private:
    using Connections = std::unordered_map<Connection*, std::unique_ptr<Connection>>;

    Connections::iterator forget(Connections::iterator at) {
        std::printf("closed: %s\n", at->second->why().c_str());
        std::fflush(stdout);
        std::erase_if(by_id_, [&](const auto& entry) { return entry.second == at->first; });
        return connections_.erase(at);
    }

    void on(const Received& datagram, Socket& socket) {
        ngtcp2_version_cid ids{};
        const int error = ngtcp2_pkt_decode_version_cid(&ids, datagram.bytes.data(),
                                                        datagram.bytes.size(), kIdLength);
        if (error == NGTCP2_ERR_VERSION_NEGOTIATION) return negotiate(ids, datagram, socket);
        if (error != 0) return;
        const std::string key(reinterpret_cast<const char*>(ids.dcid), ids.dcidlen);
        const auto found = by_id_.find(key);
        Connection* const connection =
            found != by_id_.end() ? found->second : accept(datagram, socket);
        if (connection == nullptr || connection->receive(datagram, socket.local())) return;
        const bool needs_token = connection->needs_token();
        (void)forget(connections_.find(connection));
        ngtcp2_pkt_hd first{};
        if (needs_token &&
            ngtcp2_accept(&first, datagram.bytes.data(), datagram.bytes.size()) == 0) {
            ask_for_token(first, datagram, socket);
        }
    }

    void negotiate(const ngtcp2_version_cid& ids, const Received& datagram, Socket& socket) {
        std::array<std::uint8_t, kLargestDatagram> out{};
        const auto length = ngtcp2_pkt_write_version_negotiation(
            out.data(), out.size(), 0, ids.scid, ids.scidlen, ids.dcid, ids.dcidlen,
            kVersions.data(), kVersions.size());
        if (length > 0)
            socket.send({out.data(), static_cast<std::size_t>(length)}, datagram.from, 0);
    }

    Connection* accept(const Received& datagram, Socket& socket) {
        Accepted accepted;
        if (ngtcp2_accept(&accepted.first, datagram.bytes.data(), datagram.bytes.size()) != 0)
            return nullptr;
        if (accepted.first.tokenlen == 0 && options_.is("retry")) {
            ask_for_token(accepted.first, datagram, socket);
            return nullptr;
        }
        if (accepted.first.tokenlen != 0 && !check_token(accepted, datagram)) return nullptr;
        if (options_.is("connectionmigration")) accepted.preferred = preferred_address();
        auto made = std::make_unique<Connection>(*this, options_, tls_.make({}), std::vector<Url>{},
                                                 socket.local(), datagram.from, &accepted);
        Connection* const connection = made.get();
        connections_[connection] = std::move(made);
        return connection;
    }

    // All tokens are those of Retry packets. The links lose many: one may come late.
    bool check_token(Accepted& accepted, const Received& datagram) {
        const ngtcp2_pkt_hd& first = accepted.first;
        const ngtcp2_addr from = address_of(datagram.from);
        ngtcp2_cid original{};
        if (ngtcp2_crypto_verify_retry_token(&original, first.token, first.tokenlen, secret_.data(),
                                             secret_.size(), first.version, from.addr, from.addrlen,
                                             &first.dcid, kPatience.count() * NGTCP2_SECONDS,
                                             timestamp()) != 0) {
            return false;
        }
        accepted.original_id = original;
        return true;
    }

    void ask_for_token(const ngtcp2_pkt_hd& first, const Received& datagram, Socket& socket) {
        const ngtcp2_addr from = address_of(datagram.from);
        std::array<std::uint8_t, NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN> token{};
        const ngtcp2_cid id = random_id();
        const auto token_length = ngtcp2_crypto_generate_retry_token(
            token.data(), secret_.data(), secret_.size(), first.version, from.addr, from.addrlen,
            &id, &first.dcid, timestamp());
        if (token_length < 0) return;
        std::array<std::uint8_t, kLargestDatagram> out{};
        const auto length = ngtcp2_crypto_write_retry(out.data(), out.size(), first.version,
                                                      &first.scid, &id, &first.dcid, token.data(),
                                                      static_cast<std::size_t>(token_length));
        if (length > 0)
            socket.send({out.data(), static_cast<std::size_t>(length)}, datagram.from, 0);
    }

    std::array<std::uint8_t, 32> secret_{};
    Connections connections_;
};

class Client : public Endpoint {
public:
    explicit Client(const Options& options) : Endpoint(options) { bind(0); }

    void run() {
        const bool resumes = options_.is("resumption") || options_.is("zerortt");
        std::vector<std::uint8_t> early;
        bool first = true;
        for (const std::vector<Url>& urls : options_.rounds()) {
            Connection connection(*this, options_, tls_.make(urls[0].host), urls,
                                  sockets_[0]->local(), resolve(urls[0]), nullptr);
            if (options_.is("zerortt") && !first && !connection.use_early_parameters(early))
                fail("the parameters for 0-RTT are refused");
            run_round(connection, resumes && first);
            if (options_.is("zerortt") && first) early = connection.early_parameters();
            by_id_.clear();
            first = false;
        }
    }

private:
    void run_round(Connection& connection, bool wants_ticket) {
        const ngtcp2_tstamp patience = std::uint64_t{kTicketPatience.count()} * NGTCP2_SECONDS;
        ngtcp2_tstamp late = UINT64_MAX;
        for (;;) {
            bool alive = true;
            receive([&](const Received& datagram, Socket& socket) {
                alive = alive && connection.receive(datagram, socket.local());
            });
            if (connection.expiry() <= timestamp()) alive = alive && connection.on_time();
            if (!alive || !connection.transmit()) fail("closed: " + connection.why());
            if (connection.files().is_done()) {
                if (!wants_ticket || tls_.has_ticket()) return connection.close();
                if (late == UINT64_MAX) late = timestamp() + patience;
                if (timestamp() > late) fail("no session ticket came");
            }
            wait(std::min(connection.expiry(), late));
        }
    }
};

}  // namespace
}  // namespace interop

int main() {
    const interop::Options options = interop::options_from_environment(interop::kLacks);
    if (ngtcp2_crypto_ossl_init() != 0) interop::fail("ngtcp2's crypto does not start");
    if (options.is_server) interop::Server(options).run();
    interop::Client(options).run();
    return 0;
}
