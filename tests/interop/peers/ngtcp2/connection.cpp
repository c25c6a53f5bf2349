#include "connection.h"

#include <array>
#include <cstring>

#include <openssl/rand.h>

namespace interop {
namespace {

constexpr std::uint64_t kWindow = 4 << 20;
constexpr std::uint64_t kStreams = 100;
constexpr std::array<std::uint32_t, 2> kVersion2First = {NGTCP2_PROTO_VER_V2, NGTCP2_PROTO_VER_V1};

void set_random(std::uint8_t* out, std::size_t length, const ngtcp2_rand_ctx*) {
    (void)RAND_bytes(out, static_cast<int>(length));
}

ngtcp2_settings settings_of(const Options& options, const Accepted* accepted) {
    ngtcp2_settings settings;
    ngtcp2_settings_default(&settings);
    settings.initial_ts = timestamp();
    settings.handshake_timeout = kPatience.count() * NGTCP2_SECONDS;
    // What is not 0-RTT is counted, and probes are large.
    settings.no_pmtud = options.is("zerortt") ? 1 : 0;
    if (options.is("v2")) {
        settings.preferred_versions = kVersion2First.data();
        settings.preferred_versionslen = kVersion2First.size();
        settings.available_versions = kVersion2First.data();
        settings.available_versionslen = kVersion2First.size();
        settings.original_version = NGTCP2_PROTO_VER_V1;
    }
    if (accepted != nullptr && accepted->original_id) {
        settings.token = accepted->first.token;
        settings.tokenlen = accepted->first.tokenlen;
        settings.token_type = NGTCP2_TOKEN_TYPE_RETRY;
    }
    return settings;
}

ngtcp2_transport_params parameters_of(const Accepted* accepted) {
    ngtcp2_transport_params parameters;
    ngtcp2_transport_params_default(&parameters);
    parameters.initial_max_data = kWindow;
    parameters.initial_max_stream_data_bidi_local = kWindow;
    parameters.initial_max_stream_data_bidi_remote = kWindow;
    parameters.initial_max_streams_bidi = kStreams;
    parameters.max_idle_timeout = kPatience.count() * NGTCP2_SECONDS;
    parameters.active_connection_id_limit = 4;
    if (accepted == nullptr) return parameters;
    parameters.original_dcid = accepted->original_id.value_or(accepted->first.dcid);
    parameters.original_dcid_present = 1;
    if (accepted->original_id) {
        parameters.retry_scid = accepted->first.dcid;
        parameters.retry_scid_present = 1;
    }
    if (accepted->preferred) {
        parameters.preferred_addr = *accepted->preferred;
        parameters.preferred_addr_present = 1;
    }
    return parameters;
}

}  // namespace

ngtcp2_tstamp timestamp() {
    return static_cast<ngtcp2_tstamp>(std::chrono::steady_clock::now().time_since_epoch() /
                                      std::chrono::nanoseconds(1));
}

ngtcp2_cid random_id() {
    ngtcp2_cid id{};
    id.datalen = kIdLength;
    set_random(id.data, id.datalen, nullptr);
    return id;
}

std::string key_of(const ngtcp2_cid& id) {
    return {reinterpret_cast<const char*>(id.data), id.datalen};
}

ngtcp2_addr address_of(const Address& address) {
    return {reinterpret_cast<ngtcp2_sockaddr*>(const_cast<Address*>(&address)), sizeof address};
}

ngtcp2_callbacks Connection::callbacks(bool is_server) {
    ngtcp2_callbacks to{};
    if (is_server) {
        to.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
    } else {
        to.client_initial = ngtcp2_crypto_client_initial_cb;
        to.recv_retry = ngtcp2_crypto_recv_retry_cb;
        to.select_preferred_addr = select_preferred;
    }
    to.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb;
    to.encrypt = ngtcp2_crypto_encrypt_cb;
    to.decrypt = ngtcp2_crypto_decrypt_cb;
    to.hp_mask = ngtcp2_crypto_hp_mask_cb;
    to.update_key = ngtcp2_crypto_update_key_cb;
    to.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
    to.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
    to.get_path_challenge_data2 = ngtcp2_crypto_get_path_challenge_data2_cb;
    to.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
    to.rand = set_random;
    to.get_new_connection_id2 = [](ngtcp2_conn*, ngtcp2_cid* id,
                                   ngtcp2_stateless_reset_token* token, std::size_t length,
                                   void* user_data) {
        id->datalen = length;
        set_random(id->data, length, nullptr);
        set_random(token->data, sizeof token->data, nullptr);
        of(user_data).network_.add_id(*id, of(user_data));
        return 0;
    };
    to.remove_connection_id = [](ngtcp2_conn*, const ngtcp2_cid* id, void* user_data) {
        of(user_data).network_.remove_id(*id);
        return 0;
    };
    to.handshake_completed = [](ngtcp2_conn*, void* user_data) {
        of(user_data).may_open_ = true;
        return 0;
    };
    to.handshake_confirmed = [](ngtcp2_conn*, void* user_data) {
        of(user_data).confirmed_ = true;
        return 0;
    };
    to.recv_stream_data = [](ngtcp2_conn* conn, std::uint32_t flags, std::int64_t stream,
                             std::uint64_t, const std::uint8_t* data, std::size_t length,
                             void* user_data, void*) {
        (void)ngtcp2_conn_extend_max_stream_offset(conn, stream, length);
        ngtcp2_conn_extend_max_offset(conn, length);
        of(user_data).files_.receive(stream, {reinterpret_cast<const char*>(data), length},
                                     (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0);
        return 0;
    };
    to.stream_close = [](ngtcp2_conn* conn, std::uint32_t, std::int64_t stream, std::uint64_t,
                         void* user_data, void*) {
        of(user_data).files_.close(stream);
        if (ngtcp2_conn_is_local_stream(conn, stream) == 0) {
            ngtcp2_conn_extend_max_streams_bidi(conn, 1);
        }
        return 0;
    };
    to.extend_max_stream_data = [](ngtcp2_conn*, std::int64_t stream, std::uint64_t,
                                   void* user_data, void*) {
        auto& outgoing = of(user_data).files_.outgoing();
        if (const auto at = outgoing.find(stream); at != outgoing.end()) at->second.blocked = false;
        return 0;
    };
    return to;
}

// The one of the family that is in use.
int Connection::select_preferred(ngtcp2_conn*, ngtcp2_path* to,
                                 const ngtcp2_preferred_addr* preferred, void* user_data) {
    Address address = of(user_data).remote_;
    if (IN6_IS_ADDR_V4MAPPED(&address.sin6_addr)) {
        if (preferred->ipv4_present == 0) return 0;
        address.sin6_port = preferred->ipv4.sin_port;
        std::memcpy(&address.sin6_addr.s6_addr[12], &preferred->ipv4.sin_addr, 4);
    } else {
        if (preferred->ipv6_present == 0) return 0;
        address.sin6_port = preferred->ipv6.sin6_port;
        address.sin6_addr = preferred->ipv6.sin6_addr;
    }
    std::memcpy(to->remote.addr, &address, sizeof address);
    to->remote.addrlen = sizeof address;
    return 0;
}

Connection::Connection(Network& network, const Options& options, SSL* ssl, std::vector<Url> urls,
                       const Address& local, const Address& remote, const Accepted* accepted)
    : network_(network),
      options_(options),
      files_(options, std::move(urls)),
      ssl_(ssl),
      local_(local),
      remote_(remote) {
    const ngtcp2_callbacks to = callbacks(options.is_server);
    const ngtcp2_settings settings = settings_of(options, accepted);
    const ngtcp2_transport_params parameters = parameters_of(accepted);
    const ngtcp2_path path{address_of(local_), address_of(remote_), nullptr};
    const ngtcp2_cid own = random_id();
    network_.add_id(own, *this);
    int error = 0;
    if (accepted != nullptr) {
        network_.add_id(accepted->first.dcid, *this);
        if (accepted->preferred) network_.add_id(accepted->preferred->cid, *this);
        error = ngtcp2_conn_server_new(&conn_, &accepted->first.scid, &own, &path,
                                       accepted->first.version, &to, &settings, &parameters,
                                       nullptr, this);
        (void)ngtcp2_crypto_ossl_configure_server_session(ssl_);
    } else {
        const ngtcp2_cid remote_id = random_id();
        error = ngtcp2_conn_client_new(&conn_, &remote_id, &own, &path, NGTCP2_PROTO_VER_V1, &to,
                                       &settings, &parameters, nullptr, this);
        (void)ngtcp2_crypto_ossl_configure_client_session(ssl_);
    }
    if (error != 0) fail(ngtcp2_strerror(error));
    // Once it knows that it is for QUIC.
    const bool may_be_early = options.is_server || SSL_get_session(ssl_) != nullptr;
    if (options.is("zerortt") && may_be_early) SSL_set_quic_tls_early_data_enabled(ssl_, 1);
    reference_.user_data = this;
    reference_.get_conn = [](ngtcp2_crypto_conn_ref* reference) {
        return of(reference->user_data).conn_;
    };
    SSL_set_app_data(ssl_, &reference_);
    (void)ngtcp2_crypto_ossl_ctx_new(&crypto_, ssl_);
    ngtcp2_conn_set_tls_native_handle(conn_, crypto_);
}

Connection::~Connection() {
    SSL_set_app_data(ssl_, nullptr);
    ngtcp2_conn_del(conn_);
    ngtcp2_crypto_ossl_ctx_del(crypto_);
    // Otherwise OpenSSL takes the session for broken, and refuses 0-RTT with its ticket.
    SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl_);
}

bool Connection::check(int error) {
    if (error == 0) return true;
    if (error == NGTCP2_ERR_DRAINING) return false;
    needs_token_ = error == NGTCP2_ERR_RETRY;
    why_ = error == NGTCP2_ERR_CRYPTO
               ? "TLS alert " + std::to_string(ngtcp2_conn_get_tls_alert2(conn_))
               : ngtcp2_strerror(error);
    return false;
}

bool Connection::receive(const Received& datagram, const Address& local) {
    const ngtcp2_path path{address_of(local), address_of(datagram.from), nullptr};
    const ngtcp2_pkt_info info{datagram.ecn};
    return check(ngtcp2_conn_read_pkt(conn_, &path, &info, datagram.bytes.data(),
                                      datagram.bytes.size(), timestamp()));
}

bool Connection::on_time() {
    return check(ngtcp2_conn_handle_expiry(conn_, timestamp()));
}

void Connection::update_keys() {
    if (!options_.is("keyupdate") || keys_updated_ || !confirmed_) return;
    if (files_.received() < kUpdateKeysAfter) return;
    keys_updated_ = ngtcp2_conn_initiate_key_update(conn_, timestamp()) == 0;
}

void Connection::open_streams() {
    std::int64_t stream = -1;
    while (may_open_ && files_.next() != nullptr &&
           ngtcp2_conn_open_bidi_stream(conn_, &stream, nullptr) == 0) {
        files_.request(stream);
    }
}

std::map<std::int64_t, Outgoing>::iterator Connection::next_outgoing() {
    auto& all = files_.outgoing();
    const bool may_send = ngtcp2_conn_get_max_data_left2(conn_) > 0;
    auto it = all.begin();
    while (it != all.end() && (!it->second.wants() || (!may_send && !it->second.content.empty())))
        ++it;
    return it;
}

bool Connection::transmit() {
    update_keys();
    open_streams();
    const ngtcp2_tstamp now = timestamp();
    std::array<std::uint8_t, kLargestDatagram> out{};
    for (;;) {
        const auto at = next_outgoing();
        const bool found = at != files_.outgoing().end();
        ngtcp2_vec piece{};
        if (found) {
            std::string& content = at->second.content;
            piece = {reinterpret_cast<std::uint8_t*>(content.data()) + at->second.sent,
                     content.size() - at->second.sent};
        }
        const std::uint32_t flags =
            found ? NGTCP2_WRITE_STREAM_FLAG_MORE | NGTCP2_WRITE_STREAM_FLAG_FIN : 0;
        ngtcp2_path_storage path;
        ngtcp2_path_storage_zero(&path);
        ngtcp2_pkt_info info{};
        ngtcp2_ssize taken = -1;
        const ngtcp2_ssize written =
            ngtcp2_conn_writev_stream(conn_, &path.path, &info, out.data(), out.size(), &taken,
                                      flags, found ? at->first : -1, &piece, 1, now);
        if (found && taken >= 0) {
            at->second.sent += static_cast<std::size_t>(taken);
            at->second.end_sent = at->second.sent == at->second.content.size();
        }
        if (written == NGTCP2_ERR_WRITE_MORE) continue;
        if (written == NGTCP2_ERR_STREAM_DATA_BLOCKED) {
            at->second.blocked = true;
            continue;
        }
        if (written == NGTCP2_ERR_STREAM_SHUT_WR || written == NGTCP2_ERR_STREAM_NOT_FOUND) {
            files_.outgoing().erase(at);
            continue;
        }
        if (written < 0) return check(static_cast<int>(written));
        if (written == 0) break;
        network_.send({out.data(), static_cast<std::size_t>(written)}, path.path, info.ecn);
    }
    ngtcp2_conn_update_pkt_tx_time(conn_, now);
    return true;
}

void Connection::close() {
    std::array<std::uint8_t, kLargestDatagram> out{};
    ngtcp2_ccerr reason;
    ngtcp2_ccerr_set_application_error(&reason, 0, nullptr, 0);
    ngtcp2_path_storage path;
    ngtcp2_path_storage_zero(&path);
    ngtcp2_pkt_info info{};
    const auto length = ngtcp2_conn_write_connection_close(conn_, &path.path, &info, out.data(),
                                                           out.size(), &reason, timestamp());
    if (length > 0) network_.send({out.data(), static_cast<std::size_t>(length)}, path.path, 0);
}

std::vector<std::uint8_t> Connection::early_parameters() const {
    std::vector<std::uint8_t> parameters(512);
    const auto length =
        ngtcp2_conn_encode_0rtt_transport_params2(conn_, parameters.data(), parameters.size());
    if (length < 0) fail(ngtcp2_strerror(static_cast<int>(length)));
    parameters.resize(static_cast<std::size_t>(length));
    return parameters;
}

bool Connection::use_early_parameters(std::span<const std::uint8_t> parameters) {
    may_open_ = ngtcp2_conn_decode_and_set_0rtt_transport_params(conn_, parameters.data(),
                                                                 parameters.size()) == 0;
    return may_open_;
}

}  // namespace interop
