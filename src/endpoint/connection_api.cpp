// Calls of the application that name a connection, or a stream of one.
#include "base/try.h"
#include "endpoint/implementation.h"

namespace stoq {
namespace {

bool is_error_code(std::uint64_t code) {
    return code < (std::uint64_t{1} << 62);  // what a variable-length integer holds
}

}  // namespace

ApiResult<void> Endpoint::close(ConnectionHandle connection, std::uint64_t code,
                                std::string_view reason) {
    auto& found = *STOQ_TRY(implementation_->find_open(connection))->connection;
    if (!is_error_code(code)) return std::unexpected(ApiError::kInvalidArgument);
    found.close(code, reason, implementation_->latest_time());
    implementation_->touch(connection);
    return {};
}

ApiResult<void> Endpoint::close_all(std::uint64_t code, std::string_view reason) {
    if (!is_error_code(code)) return std::unexpected(ApiError::kInvalidArgument);
    implementation_->close_all(code, reason);
    return {};
}

ApiResult<ConnectionInfo> Endpoint::info(ConnectionHandle connection) const {
    const auto& found = *STOQ_TRY(implementation_->find(connection))->connection;
    const tls::HandshakeInfo& handshake = found.handshake().info();
    ConnectionInfo info;
    info.role = found.role();
    info.established = found.is_established();
    info.confirmed = found.is_confirmed();
    info.resumed = handshake.resumed;
    info.early_data = found.early_data();
    info.local = found.addresses().local;
    info.remote = found.addresses().remote;
    info.version = found.version();
    info.application_protocol = handshake.alpn;
    info.server_name = handshake.server_name;
    info.cipher_suite = handshake.cipher_suite;
    info.key_exchange_group = handshake.group;
    info.signature = handshake.signature;
    info.client_signature = handshake.client_signature;
    info.original_signature = handshake.original_signature;
    info.peer_certificate_type = handshake.peer_certificate_type;
    info.peer_certificate_fingerprint = handshake.peer_fingerprint;
    info.peer_chain = handshake.peer_chain;
    info.post_quantum_key_exchange = handshake.post_quantum_key_exchange;
    info.post_quantum_authentication = handshake.post_quantum_authentication;
    info.retried_with_classical_groups = implementation_->retried_with_classical_groups(connection);
    return info;
}

ApiResult<void> Endpoint::migrate(ConnectionHandle connection, const Address& local,
                                  MigrationMode mode) {
    auto& found = *STOQ_TRY(implementation_->find_open(connection))->connection;
    STOQ_TRY(found.migrate(local, mode == MigrationMode::kAtOnce, implementation_->latest_time()));
    implementation_->touch(connection);
    return {};
}

ApiResult<ConnectionStatistics> Endpoint::statistics(ConnectionHandle connection) const {
    const auto& found = *STOQ_TRY(implementation_->find(connection))->connection;
    const recovery::RttEstimator& rtt = found.recovery().rtt();
    const observe::ConnectionCounters& counters = found.counters();
    const extensions::DatagramSender::Counters datagrams = found.datagram_counters();
    return ConnectionStatistics{.smoothed_rtt = rtt.smoothed(),
                                .latest_rtt = rtt.latest(),
                                .minimum_rtt = rtt.min(),
                                .rtt_variation = rtt.variation(),
                                .congestion_window = found.controller().window(),
                                .bytes_in_flight = found.recovery().bytes_in_flight(),
                                .datagram_size = found.datagram_size(),
                                .packets_sent = counters.packets_sent,
                                .packets_received = counters.packets_received,
                                .packets_lost = counters.packets_lost,
                                .packets_dropped = counters.packets_dropped,
                                .bytes_sent = counters.bytes_sent,
                                .bytes_received = counters.bytes_received,
                                .probe_timeouts = counters.probe_timeouts,
                                .key_updates = found.key_updates(),
                                .datagram_frames_sent = datagrams.sent,
                                .datagram_frames_received = found.datagrams_received(),
                                .datagram_frames_lost = datagrams.lost,
                                .datagram_frames_expired = datagrams.expired,
                                .datagram_frames_dropped = datagrams.dropped};
}

ApiResult<void> Endpoint::update_keys(ConnectionHandle connection) {
    auto& found = *STOQ_TRY(implementation_->find_open(connection))->connection;
    if (!found.update_keys(implementation_->latest_time())) {
        return std::unexpected(ApiError::kNotReady);
    }
    return {};
}

ApiResult<std::string> Endpoint::address_token(ConnectionHandle connection) const {
    const auto& found = *STOQ_TRY(implementation_->find(connection))->connection;
    return found.address_token();
}

ApiResult<std::optional<PathMemory>> Endpoint::path_memory(ConnectionHandle connection) const {
    const auto& found = *STOQ_TRY(implementation_->find(connection))->connection;
    return found.path_memory();
}

ApiResult<StreamId> Endpoint::open_stream(ConnectionHandle connection,
                                          Directionality directionality) {
    auto* entry = STOQ_TRY(implementation_->find_open(connection));
    auto id = entry->connection->streams().open(directionality);
    implementation_->touch_streams(connection, *entry);
    return id;
}

ApiResult<std::size_t> Endpoint::write(ConnectionHandle connection, StreamId stream,
                                       ByteView bytes) {
    auto* entry = STOQ_TRY(implementation_->find_open(connection));
    auto taken = entry->connection->streams().write(stream, bytes);
    implementation_->touch_streams(connection, *entry);
    return taken;
}

ApiResult<std::size_t> Endpoint::write(ConnectionHandle connection, StreamId stream,
                                       SharedBytes bytes) {
    auto* entry = STOQ_TRY(implementation_->find_open(connection));
    auto taken = entry->connection->streams().write(stream, std::move(bytes));
    implementation_->touch_streams(connection, *entry);
    return taken;
}

ApiResult<void> Endpoint::finish(ConnectionHandle connection, StreamId stream) {
    auto* entry = STOQ_TRY(implementation_->find_open(connection));
    auto done = entry->connection->streams().finish(stream);
    implementation_->touch_streams(connection, *entry);
    return done;
}

ApiResult<void> Endpoint::reset(ConnectionHandle connection, StreamId stream, std::uint64_t code) {
    auto* entry = STOQ_TRY(implementation_->find_open(connection));
    auto done = entry->connection->streams().reset(stream, code);
    implementation_->touch_streams(connection, *entry);
    return done;
}

ApiResult<void> Endpoint::reset_at(ConnectionHandle connection, StreamId stream, std::uint64_t code,
                                   std::uint64_t reliable_size) {
    auto* entry = STOQ_TRY(implementation_->find_open(connection));
    auto done = entry->connection->streams().reset_at(stream, code, reliable_size);
    implementation_->touch_streams(connection, *entry);
    return done;
}

ApiResult<ReadView> Endpoint::peek(ConnectionHandle connection, StreamId stream) {
    auto* entry = STOQ_TRY(implementation_->find(connection));
    const streams::ReadView view = STOQ_TRY(entry->connection->streams().peek(stream));
    // The end was taken with it: the peer may get credit for another stream.
    if (view.finished && view.bytes.empty()) implementation_->touch_streams(connection, *entry);
    return ReadView{view.bytes, view.finished};
}

ApiResult<ReadPieces> Endpoint::peek(ConnectionHandle connection, StreamId stream,
                                     std::span<ByteView> pieces) {
    if (pieces.empty()) return std::unexpected(ApiError::kInvalidArgument);
    auto* entry = STOQ_TRY(implementation_->find(connection));
    const streams::ReadPieces shown = STOQ_TRY(entry->connection->streams().peek(stream, pieces));
    if (shown.finished && shown.length == 0) implementation_->touch_streams(connection, *entry);
    return ReadPieces{shown.count, shown.length, shown.finished};
}

ApiResult<void> Endpoint::consume(ConnectionHandle connection, StreamId stream,
                                  std::size_t length) {
    auto* entry = STOQ_TRY(implementation_->find(connection));
    streams::StreamSet& streams = entry->connection->streams();
    const bool had_notices = streams.has_notices();
    auto done = streams.consume(stream, length);
    // Mostly there is no news: credit is given half a window at a time, and few streams are reset
    // behind what was read.
    if (streams.has_pending() || (streams.has_notices() && !had_notices)) {
        implementation_->touch_streams(connection, *entry);
    }
    return done;
}

ApiResult<void> Endpoint::stop_sending(ConnectionHandle connection, StreamId stream,
                                       std::uint64_t code) {
    auto* entry = STOQ_TRY(implementation_->find_open(connection));
    auto done = entry->connection->streams().stop_sending(stream, code);
    implementation_->touch_streams(connection, *entry);
    return done;
}

ApiResult<void> Endpoint::send_datagram(ConnectionHandle connection, ByteView bytes,
                                        const DatagramOptions& options) {
    auto& found = *STOQ_TRY(implementation_->find_open(connection))->connection;
    auto sent = found.send_datagram(bytes, options);
    if (sent) implementation_->touch(connection);
    return sent;
}

ApiResult<std::size_t> Endpoint::max_datagram_payload(ConnectionHandle connection) const {
    const auto& found = *STOQ_TRY(implementation_->find_open(connection))->connection;
    return found.max_datagram_payload();
}

ApiResult<void> Endpoint::set_priority(ConnectionHandle connection, StreamId stream,
                                       std::uint8_t urgency, bool incremental) {
    auto& found = *STOQ_TRY(implementation_->find_open(connection))->connection;
    return found.streams().set_priority(stream, urgency, incremental);
}

}  // namespace stoq
