// One connection of ngtcp2: its TLS, its streams, and what they have to send.
#pragma once

#include <netinet/in.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_ossl.h>

#include <deque>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "application.h"
#include "tls.h"
#include "udp.h"

namespace race {

inline constexpr std::size_t kConnectionIdLength = 8;

class Connection;

// What connections ask of the loop that keeps them.
class Keeper {
public:
    virtual ~Keeper() = default;
    virtual void on_new_id(const ngtcp2_cid& id, Connection& connection) = 0;
    virtual void on_retired_id(const ngtcp2_cid& id) = 0;
    virtual Application& application_of_all() = 0;
};

ngtcp2_tstamp timestamp();
ngtcp2_cid random_id();
std::string key_of(const ngtcp2_cid& id);

struct ConnectionStart {
    ConnectionId id = 0;
    SSL* ssl = nullptr;
    sockaddr_in local{};
    sockaddr_in remote{};
    const ngtcp2_pkt_hd* first = nullptr;  // server: what the client began with
};

class Connection {
public:
    Connection(Keeper& keeper, const Options& options, const ConnectionStart& start);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    ConnectionId id() const { return id_; }
    bool was_resumed() const { return SSL_session_reused(ssl_) == 1; }
    // False when the connection has ended, because of `why`.
    bool receive(std::span<std::uint8_t> packet, ngtcp2_tstamp now, std::string& why);
    bool on_expiry(std::string& why);
    ngtcp2_tstamp expiry() const { return ngtcp2_conn_get_expiry2(conn_); }

    // Fills the buffer with packets; 0 when there is nothing to send now. Negative: it has ended.
    std::ptrdiff_t fill(std::span<std::uint8_t> buffer, std::size_t& segment);
    std::size_t fill_close(std::span<std::uint8_t> buffer);
    const sockaddr_in& remote() const { return remote_; }
    const std::list<std::string>& ids() const { return ids_; }

    std::optional<std::int64_t> open();
    std::size_t write(std::int64_t stream, Bytes bytes, bool live_for_ever);
    void finish(std::int64_t stream);
    void set_background(std::int64_t stream) { streams_[stream].in_background = true; }
    void abandon(std::int64_t stream);
    bool send_datagram(Bytes bytes);

    bool is_queued = false;  // in the keeper's list of those that may have something to send
    ngtcp2_tstamp armed = 0;

private:
    // What a stream has to send: pieces from the first that is not sent yet.
    class Pieces {
    public:
        bool empty() const { return first_ == pieces_.size(); }
        std::size_t size() const { return pieces_.size() - first_; }
        Bytes operator[](std::size_t index) const { return pieces_[first_ + index]; }
        void push_back(Bytes piece);
        void drop(std::size_t bytes);

    private:
        std::vector<Bytes> pieces_;
        std::size_t first_ = 0;
    };

    struct Stream {
        std::int64_t id = 0;
        Pieces unsent;
        std::vector<std::unique_ptr<std::uint8_t[]>> copies;  // kept until the stream is closed
        std::size_t unsent_bytes = 0;
        bool ends = false;
        bool end_is_sent = false;
        bool is_ready = false;
        bool wants_room = false;
        bool in_background = false;
    };

    static Connection& of(void* user_data) { return *static_cast<Connection*>(user_data); }
    static ngtcp2_callbacks callbacks(bool is_server);
    static ngtcp2_ssize on_write_packet(ngtcp2_conn* conn, ngtcp2_path* path, ngtcp2_pkt_info* info,
                                        std::uint8_t* out, std::size_t length, ngtcp2_tstamp now,
                                        void* user_data);
    ngtcp2_path path();
    ngtcp2_ssize write_packet(ngtcp2_path* path, ngtcp2_pkt_info* info, std::span<std::uint8_t> out,
                              ngtcp2_tstamp now);
    ngtcp2_ssize write_datagrams(ngtcp2_path* path, ngtcp2_pkt_info* info,
                                 std::span<std::uint8_t> out, ngtcp2_tstamp now);
    Stream* next_ready();
    Stream* next_ready_of(std::deque<std::int64_t>& queue);
    std::deque<std::int64_t>& queue_of(const Stream& stream);
    void make_ready(Stream& stream);
    void advance(Stream& stream, std::size_t length, bool with_end);
    void on_stream_data(std::int64_t stream, Bytes bytes, bool end);
    void tell_writable();
    std::string reason_of(int error) const;

    Keeper& keeper_;
    ConnectionId id_;
    SSL* ssl_;
    sockaddr_in local_;
    sockaddr_in remote_;
    ngtcp2_crypto_ossl_ctx* crypto_ = nullptr;
    ngtcp2_crypto_conn_ref reference_{};
    ngtcp2_conn* conn_ = nullptr;
    std::list<std::string> ids_;
    std::unordered_map<std::int64_t, Stream> streams_;
    std::deque<std::int64_t> ready_;
    std::deque<std::int64_t> ready_in_background_;
    std::vector<std::int64_t> writable_;
    std::deque<std::vector<std::uint8_t>> datagrams_;
};

}  // namespace race
