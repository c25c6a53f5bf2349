// Connections that this side begins, and the second attempt of those whose first one goes nowhere.
#include <utility>

#include "base/try.h"
#include "connection/settings_check.h"
#include "connection/version_choice.h"
#include "endpoint/implementation.h"

namespace stoq {

ApiResult<std::shared_ptr<const tls::Context>> Endpoint::Implementation::client_context(
    const std::shared_ptr<const Credentials>& credentials) {
    if (credentials == nullptr) return std::unexpected(ApiError::kCredentials);
    if (client_.credentials != credentials) {
        auto context = tls::Context::create(Role::kClient, *credentials);
        if (!context) return std::unexpected(ApiError::kCredentials);
        client_ = {credentials, std::move(*context), nullptr};
    }
    return client_.tls;
}

ApiResult<std::shared_ptr<const tls::Context>> Endpoint::Implementation::classical_context(
    const std::shared_ptr<const Credentials>& credentials) {
    STOQ_TRY(client_context(credentials));
    if (client_.classical == nullptr) {
        Credentials classical = *credentials;
        classical.post_quantum.key_exchange = PostQuantum::kOff;
        auto context = tls::Context::create(Role::kClient, classical);
        if (!context) return std::unexpected(ApiError::kCredentials);
        client_.classical = std::move(*context);
    }
    return client_.classical;
}

ApiResult<std::unique_ptr<connection::Connection>> Endpoint::Implementation::make_client(
    const ClientConfig& config, std::shared_ptr<const tls::Context> tls) {
    connection::ConnectionConfig made;
    made.role = Role::kClient;
    made.version = std::to_underlying(config.settings.original_version);
    made.settings = config.settings;
    made.addresses = {config.local, config.remote};
    made.source_id = new_connection_id();
    //= 9000-7.2-1
    made.original_destination_id = new_destination_id();
    made.initial_destination_id = made.remote_id = made.original_destination_id;
    made.token = config.token;
    made.ticket = config.ticket;
    if (config.settings.careful_resume) made.path_memory = config.path_memory;
    made.tls = std::move(tls);
    made.server_name = config.server_name;
    made.sink = sink_;
    return connection::Connection::create(made, shared_, now_);
}

ApiResult<ConnectionHandle> Endpoint::Implementation::connect(const ClientConfig& config,
                                                              Instant now) {
    now_ = std::max(now_, now);
    if (config.remote.family == Address::Family::kNone || !connection::are_valid(config.settings)) {
        return std::unexpected(ApiError::kInvalidArgument);
    }
    if (!connection::lists(config.settings.versions,
                           std::to_underlying(config.settings.original_version))) {
        return std::unexpected(ApiError::kInvalidArgument);
    }
    if (connections_.size() >= settings_.max_connections) {
        return std::unexpected(ApiError::kTooManyConnections);
    }
    auto tls = STOQ_TRY(client_context(config.credentials));
    auto connection = STOQ_TRY(make_client(config, tls));
    const SlabHandle handle = add(std::move(connection));
    ++counters_.connections_opened;
    // A list of groups that the user gave is not replaced by another.
    if (tls->policy().key_exchange == PostQuantum::kPrefer && config.credentials->groups.empty()) {
        connections_.find(handle)->retry.reset(new ClassicalRetry{.config = config});
    }
    after_activity(handle);
    return ConnectionHandle{handle.index, handle.generation};
}

// Something on the path drops the second datagram of a ClientHello: a new connection takes the old
// one's place under its handle, and fits into one. See docs/adr/0011-classical-retry.md.
void Endpoint::Implementation::retry_if_stalled(SlabHandle handle, Entry& entry) {
    connection::Connection& old = *entry.connection;
    if (old.is_established() && !entry.retry->used) return entry.retry.reset();
    if (entry.retry->used || !old.is_stalled_before_server_hello(now_)) return;
    ClientConfig& config = entry.retry->config;
    // A token shows the server that two attempts belong together (RFC 9000 section 8.1.3).
    config.token.clear();
    auto tls = classical_context(config.credentials);
    if (!tls) return entry.retry.reset();
    auto made = make_client(config, std::move(*tls));
    if (!made) return entry.retry.reset();
    entry.retry->used = true;
    old.abandon(now_);
    replace_connection(handle, entry, std::move(*made));
}

// The server speaks another version: a new connection of that takes the place of the old one, under
// the same handle. Nothing has been done with the old one yet.
//= 9368-2.1-5
//= 9368-6-2
void Endpoint::Implementation::begin_again(SlabHandle handle, Entry& entry, std::uint32_t version) {
    connection::ConnectionConfig config = entry.connection->config();
    config.abandoned_version = std::exchange(config.version, version);
    config.source_id = new_connection_id();
    config.original_destination_id = new_destination_id();
    config.initial_destination_id = config.remote_id = config.original_destination_id;
    // Tokens belong to a version.
    //= 9369-5-1
    config.token.clear();
    auto made = connection::Connection::create(config, shared_, now_);
    if (made) replace_connection(handle, entry, std::move(*made));
}

void Endpoint::Implementation::replace_connection(SlabHandle handle, Entry& entry,
                                                  std::unique_ptr<connection::Connection> made) {
    // Whoever asked for a stream too early still hears when there can be one.
    for (const auto each : {Directionality::kBidirectional, Directionality::kUnidirectional}) {
        if (entry.connection->streams().wants(each)) (void)made->streams().open(each);
    }
    forget_ids(handle, entry);
    entry.tokens_version = 0;
    table_.add(made->local_ids().handshake_id(), handle);
    entry.connection = std::move(made);
}

bool Endpoint::Implementation::retried_with_classical_groups(ConnectionHandle handle) {
    const Entry* const entry = connections_.find({handle.index, handle.generation});
    return entry != nullptr && entry->retry && entry->retry->used;
}

}  // namespace stoq
