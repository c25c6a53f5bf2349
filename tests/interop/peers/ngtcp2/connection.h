// One connection of ngtcp2.
#pragma once

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_ossl.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "files.h"
#include "socket.h"
#include "tls.h"

namespace interop {

inline constexpr std::size_t kIdLength = 16;
inline constexpr std::size_t kLargestDatagram = 1500;

ngtcp2_tstamp timestamp();
ngtcp2_cid random_id();
std::string key_of(const ngtcp2_cid& id);
ngtcp2_addr address_of(const Address& address);

// What a server knows of a connection before it exists.
struct Accepted {
    ngtcp2_pkt_hd first{};
    std::optional<ngtcp2_cid> original_id;  // after a Retry
    std::optional<ngtcp2_preferred_addr> preferred;
};

// Sends, and finds connections by their IDs.
class Network {
public:
    virtual ~Network() = default;
    // From the socket that is bound to the port of `local`.
    virtual void send(std::span<const std::uint8_t> datagram, const ngtcp2_path& path,
                      std::uint8_t ecn) = 0;
    virtual void add_id(const ngtcp2_cid& id, class Connection& connection) = 0;
    virtual void remove_id(const ngtcp2_cid& id) = 0;
};

class Connection {
public:
    Connection(Network& network, const Options& options, SSL* ssl, std::vector<Url> urls,
               const Address& local, const Address& remote, const Accepted* accepted);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // False: the connection is over, and why() says why; empty for a peer that has closed it.
    bool receive(const Received& datagram, const Address& local);
    bool on_time();
    bool transmit();
    void close();
    // Server: the beginning of the ClientHello is missing, and only a proved address is worth to
    // wait for it.
    bool needs_token() const { return needs_token_; }

    // Client: what the next connection to this server can send before its handshake.
    std::vector<std::uint8_t> early_parameters() const;
    bool use_early_parameters(std::span<const std::uint8_t> parameters);

    ngtcp2_tstamp expiry() const { return ngtcp2_conn_get_expiry2(conn_); }
    const std::string& why() const { return why_; }
    Files& files() { return files_; }
    bool is_confirmed() const { return confirmed_; }

private:
    static ngtcp2_callbacks callbacks(bool is_server);
    static Connection& of(void* user_data) { return *static_cast<Connection*>(user_data); }
    static int select_preferred(ngtcp2_conn* conn, ngtcp2_path* to,
                                const ngtcp2_preferred_addr* preferred, void* user_data);

    bool check(int error);
    void open_streams();
    std::map<std::int64_t, Outgoing>::iterator next_outgoing();
    void update_keys();

    Network& network_;
    const Options& options_;
    Files files_;
    SSL* ssl_;
    Address local_;
    Address remote_;
    ngtcp2_conn* conn_ = nullptr;
    ngtcp2_crypto_ossl_ctx* crypto_ = nullptr;
    ngtcp2_crypto_conn_ref reference_{};
    std::string why_;
    bool may_open_ = false;
    bool confirmed_ = false;
    bool needs_token_ = false;
    bool keys_updated_ = false;
};

}  // namespace interop
