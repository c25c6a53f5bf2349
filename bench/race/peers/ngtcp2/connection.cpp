#include "connection.h"

#include <algorithm>

#include <openssl/err.h>
#include <openssl/rand.h>

namespace race {
namespace {

constexpr std::size_t kMostUnsent = 1 << 20;  // bytes a stream takes before write() answers 0
constexpr std::size_t kMostDatagrams = 1024;
constexpr std::uint64_t kMostStreams = 1000;
constexpr std::size_t kPacketsPerAck = 32;

ngtcp2_addr address_of(sockaddr_in& address) {
    return {reinterpret_cast<ngtcp2_sockaddr*>(&address), sizeof address};
}

void set_random(std::uint8_t* out, std::size_t length, const ngtcp2_rand_ctx*) {
    (void)RAND_bytes(out, static_cast<int>(length));
}

ngtcp2_settings settings_of(const Options& options) {
    ngtcp2_settings settings;
    ngtcp2_settings_default(&settings);
    settings.cc_algo = NGTCP2_CC_ALGO_CUBIC;
    settings.initial_ts = timestamp();
    settings.max_tx_udp_payload_size = options.datagram;
    settings.no_tx_udp_payload_size_shaping = 1;
    settings.no_pmtud = 1;
    settings.ack_thresh = kPacketsPerAck;
    settings.max_window = options.window;
    settings.max_stream_window = options.window;
    return settings;
}

ngtcp2_transport_params parameters_of(const Options& options) {
    ngtcp2_transport_params parameters;
    ngtcp2_transport_params_default(&parameters);
    parameters.initial_max_data = options.window;
    parameters.initial_max_stream_data_bidi_local = options.window;
    parameters.initial_max_stream_data_bidi_remote = options.window;
    parameters.initial_max_streams_bidi = kMostStreams;
    parameters.max_idle_timeout = 60 * NGTCP2_SECONDS;
    parameters.max_udp_payload_size = 65'527;
    parameters.max_datagram_frame_size = 65'535;
    return parameters;
}

}  // namespace

ngtcp2_tstamp timestamp() {
    return static_cast<ngtcp2_tstamp>(Clock::now().time_since_epoch().count());
}

ngtcp2_cid random_id() {
    ngtcp2_cid id{};
    id.datalen = kConnectionIdLength;
    set_random(id.data, id.datalen, nullptr);
    return id;
}

std::string key_of(const ngtcp2_cid& id) {
    return {reinterpret_cast<const char*>(id.data), id.datalen};
}

ngtcp2_callbacks Connection::callbacks(bool is_server) {
    ngtcp2_callbacks to{};
    if (is_server) {
        to.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
    } else {
        to.client_initial = ngtcp2_crypto_client_initial_cb;
        to.recv_retry = ngtcp2_crypto_recv_retry_cb;
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
        of(user_data).ids_.push_back(key_of(*id));
        of(user_data).keeper_.on_new_id(*id, of(user_data));
        return 0;
    };
    to.remove_connection_id = [](ngtcp2_conn*, const ngtcp2_cid* id, void* user_data) {
        of(user_data).ids_.remove(key_of(*id));
        of(user_data).keeper_.on_retired_id(*id);
        return 0;
    };
    to.handshake_completed = [](ngtcp2_conn*, void* user_data) {
        of(user_data).keeper_.application_of_all().on_established(of(user_data).id_);
        return 0;
    };
    to.recv_stream_data = [](ngtcp2_conn*, std::uint32_t flags, std::int64_t stream, std::uint64_t,
                             const std::uint8_t* data, std::size_t length, void* user_data, void*) {
        of(user_data).on_stream_data(stream, {data, length},
                                     (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0);
        return 0;
    };
    to.stream_close = [](ngtcp2_conn* conn, std::uint32_t, std::int64_t stream, std::uint64_t,
                         void* user_data, void*) {
        of(user_data).streams_.erase(stream);
        if (ngtcp2_conn_is_local_stream(conn, stream) == 0) {
            ngtcp2_conn_extend_max_streams_bidi(conn, 1);
        }
        return 0;
    };
    to.extend_max_stream_data = [](ngtcp2_conn*, std::int64_t stream, std::uint64_t,
                                   void* user_data, void*) {
        const auto at = of(user_data).streams_.find(stream);
        if (at != of(user_data).streams_.end()) of(user_data).make_ready(at->second);
        return 0;
    };
    to.extend_max_local_streams_bidi = [](ngtcp2_conn*, std::uint64_t, void* user_data) {
        of(user_data).keeper_.application_of_all().on_streams_available();
        return 0;
    };
    to.recv_datagram = [](ngtcp2_conn*, std::uint32_t, const std::uint8_t* data, std::size_t length,
                          void* user_data) {
        of(user_data).keeper_.application_of_all().on_datagram(of(user_data).id_, {data, length});
        return 0;
    };
    return to;
}

Connection::Connection(Keeper& keeper, const Options& options, const ConnectionStart& start)
    : keeper_(keeper), id_(start.id), ssl_(start.ssl), local_(start.local), remote_(start.remote) {
    const ngtcp2_callbacks to = callbacks(options.is_server);
    const ngtcp2_settings settings = settings_of(options);
    ngtcp2_transport_params parameters = parameters_of(options);
    ngtcp2_path path = this->path();
    const ngtcp2_cid own = random_id();
    ids_.push_back(key_of(own));
    keeper_.on_new_id(own, *this);
    int error = 0;
    if (start.first != nullptr) {
        parameters.original_dcid = start.first->dcid;
        parameters.original_dcid_present = 1;
        ids_.push_back(key_of(start.first->dcid));
        keeper_.on_new_id(start.first->dcid, *this);
        error =
            ngtcp2_conn_server_new(&conn_, &start.first->scid, &own, &path, start.first->version,
                                   &to, &settings, &parameters, nullptr, this);
        (void)ngtcp2_crypto_ossl_configure_server_session(ssl_);
    } else {
        ngtcp2_cid remote_id = random_id();
        error = ngtcp2_conn_client_new(&conn_, &remote_id, &own, &path, NGTCP2_PROTO_VER_V1, &to,
                                       &settings, &parameters, nullptr, this);
        (void)ngtcp2_crypto_ossl_configure_client_session(ssl_);
    }
    if (error != 0) fail(ngtcp2_strerror(error));
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
    SSL_free(ssl_);
}

ngtcp2_path Connection::path() {
    return {address_of(local_), address_of(remote_), nullptr};
}

std::string Connection::reason_of(int error) const {
    if (error != NGTCP2_ERR_CRYPTO) return ngtcp2_strerror(error);
    return std::string("TLS alert ") + std::to_string(ngtcp2_conn_get_tls_alert2(conn_));
}

bool Connection::receive(std::span<std::uint8_t> packet, ngtcp2_tstamp now, std::string& why) {
    const ngtcp2_path path = this->path();
    const ngtcp2_pkt_info info{};
    const int error = ngtcp2_conn_read_pkt(conn_, &path, &info, packet.data(), packet.size(), now);
    if (error == 0) return true;
    why = reason_of(error);
    return false;
}

bool Connection::on_expiry(std::string& why) {
    const int error = ngtcp2_conn_handle_expiry(conn_, timestamp());
    if (error != 0) why = reason_of(error);
    return error == 0;
}

void Connection::on_stream_data(std::int64_t stream, Bytes bytes, bool end) {
    // Whoever takes the bytes is done with them at once: so much more may come.
    (void)ngtcp2_conn_extend_max_stream_offset(conn_, stream, bytes.size());
    ngtcp2_conn_extend_max_offset(conn_, bytes.size());
    keeper_.application_of_all().on_data({id_, static_cast<std::uint64_t>(stream)}, bytes, end);
}

// --- Sending -------------------------------------------------------------------------------------

std::ptrdiff_t Connection::fill(std::span<std::uint8_t> buffer, std::size_t& segment) {
    tell_writable();
    const ngtcp2_tstamp now = timestamp();
    ngtcp2_path_storage path;
    ngtcp2_path_storage_zero(&path);
    ngtcp2_pkt_info info{};
    const auto length = ngtcp2_conn_write_aggregate_pkt2(
        conn_, &path.path, &info, buffer.data(), buffer.size(), &segment, on_write_packet, 0, now);
    if (length > 0) ngtcp2_conn_update_pkt_tx_time(conn_, now);
    return length;
}

ngtcp2_ssize Connection::on_write_packet(ngtcp2_conn*, ngtcp2_path* path, ngtcp2_pkt_info* info,
                                         std::uint8_t* out, std::size_t length, ngtcp2_tstamp now,
                                         void* user_data) {
    return of(user_data).write_packet(path, info, {out, length}, now);
}

ngtcp2_ssize Connection::write_packet(ngtcp2_path* path, ngtcp2_pkt_info* info,
                                      std::span<std::uint8_t> out, ngtcp2_tstamp now) {
    if (!datagrams_.empty()) {
        const ngtcp2_ssize written = write_datagrams(path, info, out, now);
        if (written != NGTCP2_ERR_WRITE_MORE) return written;
    }
    for (;;) {
        Stream* const stream = next_ready();
        std::array<ngtcp2_vec, 16> pieces;
        std::size_t count = 0;
        std::uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_NONE;
        if (stream != nullptr) {
            flags = NGTCP2_WRITE_STREAM_FLAG_MORE;
            for (; count < std::min(pieces.size(), stream->unsent.size()); ++count) {
                const Bytes piece = stream->unsent[count];
                pieces[count] = {const_cast<std::uint8_t*>(piece.data()), piece.size()};
            }
            if (stream->ends && count == stream->unsent.size())
                flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
        }
        ngtcp2_ssize taken = -1;
        const ngtcp2_ssize written = ngtcp2_conn_writev_stream(
            conn_, path, info, out.data(), out.size(), &taken, flags,
            stream == nullptr ? -1 : stream->id, pieces.data(), count, now);
        if (stream != nullptr && taken >= 0) {
            advance(*stream, static_cast<std::size_t>(taken),
                    (flags & NGTCP2_WRITE_STREAM_FLAG_FIN) != 0);
        }
        if (written == NGTCP2_ERR_WRITE_MORE) continue;
        if (written >= 0) return written;
        if (written != NGTCP2_ERR_STREAM_DATA_BLOCKED && written != NGTCP2_ERR_STREAM_SHUT_WR &&
            written != NGTCP2_ERR_STREAM_NOT_FOUND) {
            return NGTCP2_ERR_CALLBACK_FAILURE;
        }
        // It is made ready again when it may go on.
        stream->is_ready = false;
        queue_of(*stream).pop_front();
    }
}

ngtcp2_ssize Connection::write_datagrams(ngtcp2_path* path, ngtcp2_pkt_info* info,
                                         std::span<std::uint8_t> out, ngtcp2_tstamp now) {
    while (!datagrams_.empty()) {
        auto& datagram = datagrams_.front();
        const ngtcp2_vec piece{datagram.data(), datagram.size()};
        int accepted = 0;
        const ngtcp2_ssize written =
            ngtcp2_conn_writev_datagram(conn_, path, info, out.data(), out.size(), &accepted,
                                        NGTCP2_WRITE_DATAGRAM_FLAG_MORE, 0, &piece, 1, now);
        if (accepted != 0) datagrams_.pop_front();
        if (written != NGTCP2_ERR_WRITE_MORE) {
            return written < 0 ? static_cast<ngtcp2_ssize>(NGTCP2_ERR_CALLBACK_FAILURE) : written;
        }
    }
    return NGTCP2_ERR_WRITE_MORE;
}

// The stream whose turn it is; none while the connection's flow control allows nothing.
Connection::Stream* Connection::next_ready() {
    Stream* const urgent = next_ready_of(ready_);
    return urgent != nullptr ? urgent : next_ready_of(ready_in_background_);
}

Connection::Stream* Connection::next_ready_of(std::deque<std::int64_t>& queue) {
    while (!queue.empty()) {
        const auto at = streams_.find(queue.front());
        if (at == streams_.end()) {
            queue.pop_front();
            continue;
        }
        if (!at->second.unsent.empty() && ngtcp2_conn_get_max_data_left2(conn_) == 0)
            return nullptr;
        return &at->second;
    }
    return nullptr;
}

std::deque<std::int64_t>& Connection::queue_of(const Stream& stream) {
    return stream.in_background ? ready_in_background_ : ready_;
}

void Connection::make_ready(Stream& stream) {
    const bool has_work = !stream.unsent.empty() || (stream.ends && !stream.end_is_sent);
    if (stream.is_ready || !has_work) return;
    stream.is_ready = true;
    queue_of(stream).push_back(stream.id);
}

void Connection::advance(Stream& stream, std::size_t length, bool with_end) {
    stream.unsent_bytes -= length;
    stream.unsent.drop(length);
    if (stream.unsent.empty() && with_end) stream.end_is_sent = true;
    if (stream.wants_room && stream.unsent_bytes < kMostUnsent / 2) {
        stream.wants_room = false;
        writable_.push_back(stream.id);
    }
    queue_of(stream).pop_front();
    stream.is_ready = false;
    make_ready(stream);
}

void Connection::tell_writable() {
    std::vector<std::int64_t> told;
    told.swap(writable_);
    for (const std::int64_t stream : told) {
        keeper_.application_of_all().on_writable({id_, static_cast<std::uint64_t>(stream)});
    }
}

std::size_t Connection::fill_close(std::span<std::uint8_t> buffer) {
    ngtcp2_ccerr reason;
    ngtcp2_ccerr_set_application_error(&reason, 0, nullptr, 0);
    ngtcp2_path_storage path;
    ngtcp2_path_storage_zero(&path);
    ngtcp2_pkt_info info{};
    const auto length = ngtcp2_conn_write_connection_close(conn_, &path.path, &info, buffer.data(),
                                                           buffer.size(), &reason, timestamp());
    return length > 0 ? static_cast<std::size_t>(length) : 0;
}

void Connection::Pieces::push_back(Bytes piece) {
    if (empty()) {
        pieces_.clear();
        first_ = 0;
    } else if (first_ > pieces_.size() / 2) {
        pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
    pieces_.push_back(piece);
}

void Connection::Pieces::drop(std::size_t bytes) {
    while (bytes > 0) {
        Bytes& piece = pieces_[first_];
        const std::size_t part = std::min(bytes, piece.size());
        piece = piece.subspan(part);
        bytes -= part;
        if (piece.empty()) ++first_;
    }
}

// --- Streams -------------------------------------------------------------------------------------

std::optional<std::int64_t> Connection::open() {
    std::int64_t stream = -1;
    if (ngtcp2_conn_open_bidi_stream(conn_, &stream, nullptr) != 0) return {};
    streams_[stream].id = stream;
    return stream;
}

std::size_t Connection::write(std::int64_t id, Bytes bytes, bool live_for_ever) {
    Stream& stream = streams_[id];
    stream.id = id;
    if (stream.unsent_bytes >= kMostUnsent) {
        stream.wants_room = true;
        return 0;
    }
    if (!live_for_ever) {
        auto copy = std::make_unique_for_overwrite<std::uint8_t[]>(bytes.size());
        std::ranges::copy(bytes, copy.get());
        bytes = {copy.get(), bytes.size()};
        stream.copies.push_back(std::move(copy));
    }
    stream.unsent.push_back(bytes);
    stream.unsent_bytes += bytes.size();
    make_ready(stream);
    return bytes.size();
}

void Connection::finish(std::int64_t id) {
    Stream& stream = streams_[id];
    stream.id = id;
    stream.ends = true;
    make_ready(stream);
}

void Connection::abandon(std::int64_t stream) {
    (void)ngtcp2_conn_shutdown_stream_read(conn_, 0, stream, 0);
}

bool Connection::send_datagram(Bytes bytes) {
    // A queue that is full loses what comes, as a network would.
    if (datagrams_.size() < kMostDatagrams) datagrams_.emplace_back(bytes.begin(), bytes.end());
    return true;
}

}  // namespace race
