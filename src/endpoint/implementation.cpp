#include "endpoint/implementation.h"

#include <algorithm>
#include <utility>

#include "connection/settings_check.h"
#include "crypto/keyed_hash.h"
#include "crypto/secret.h"
#include "path/quic_lb.h"
#include "path/worker_ids.h"

namespace stoq {
namespace {

// A deadline that has passed without effect is looked at again after this long.
constexpr Duration kRetryInterval = std::chrono::milliseconds(1);

PersistentKey root_key(const EndpointSettings& settings, RandomSource& random) {
    PersistentKey key = settings.persistent_key;
    if (!key.is_set()) random.fill(key);
    return key;
}

std::shared_ptr<tls::StrikeRegister> strike_register(const EndpointSettings& settings,
                                                     RandomSource& random) {
    if (settings.shared_register) return settings.shared_register;
    return std::make_shared<tls::StrikeRegister>(settings.early_data_register, random);
}

// One key for each purpose, so that none says anything about another.
PersistentKey derived_key(const PersistentKey& root, std::string_view purpose) {
    crypto::KeyedHash hash = crypto::hmac_sha256(
        root, {reinterpret_cast<const std::uint8_t*>(purpose.data()), purpose.size()});
    const PersistentKey key(hash);
    crypto::wipe(hash);
    return key;
}

std::unique_ptr<path::ConnectionIdGenerator> make_generator(const EndpointSettings& settings,
                                                            RandomSource& random) {
    std::unique_ptr<path::ConnectionIdGenerator> made;
    if (settings.quic_lb) {
        const std::size_t behind = settings.worker ? path::WorkerIdGenerator::kExtraLength : 0;
        made = std::make_unique<path::QuicLbGenerator>(*settings.quic_lb, random, behind);
    } else {
        made = std::make_unique<path::RandomConnectionIdGenerator>(settings.connection_id_length);
    }
    if (!settings.worker) return made;
    return std::make_unique<path::WorkerIdGenerator>(
        std::move(made), path::worker_key(settings.persistent_key), settings.worker->number);
}

}  // namespace

Endpoint::Implementation::Implementation(const EndpointSettings& settings, RandomSource& random)
    : settings_(settings),
      root_key_(root_key(settings, random)),
      //= 9000-10.3.2-2
      generator_(make_generator(settings, random)),
      reset_key_(derived_key(root_key_, "stateless reset")),
      tokens_(derived_key(root_key_, "address token")),
      admission_{.policy = endpoint::make_admission_policy(settings),
                 .strikes = strike_register(settings, random)},
      stream_resources_(settings.receive_budget),
      shared_{stream_resources_, {*generator_, reset_key_, random}, admission_.strikes.get()},
      table_(random),
      replies_(random) {
    // What is kept from here on is derived.
    root_key_ = derived_key(root_key_, "session ticket");
    settings_.persistent_key = {};
}

ApiResult<void> Endpoint::Implementation::listen(const ServerConfig& config) {
    if (!connection::are_valid(config.settings)) {
        return std::unexpected(ApiError::kInvalidArgument);
    }
    const std::array<std::uint8_t, 32>& ticket_key = root_key_;
    auto context = tls::Context::create(Role::kServer, config.credentials, {&ticket_key, 1});
    if (!context) return std::unexpected(ApiError::kCredentials);
    server_ = Server{std::move(*context), config.settings};
    return {};
}

ApiResult<void> Endpoint::Implementation::replace_credentials(const Credentials& credentials) {
    if (!server_ || !server_->accepting) return std::unexpected(ApiError::kNotReady);
    return listen({credentials, server_->settings});
}

void Endpoint::Implementation::stop_listening() {
    if (server_) server_->accepting = false;
}

SlabHandle Endpoint::Implementation::add(std::unique_ptr<connection::Connection> connection) {
    const wire::ConnectionId id = connection->local_ids().handshake_id();
    const SlabHandle handle = connections_.emplace();
    Entry& entry = *connections_.find(handle);
    entry.connection = std::move(connection);
    table_.add(id, handle);
    return handle;
}

// --- Keeping the books after anything happened to a connection ---

void Endpoint::Implementation::after_activity(SlabHandle handle) {
    Entry* entry = connections_.find(handle);
    if (entry == nullptr) return;
    if (const auto version = entry->connection->version_to_try_instead()) {
        begin_again(handle, *entry, *version);
    }
    if (entry->retry) retry_if_stalled(handle, *entry);
    if (entry->connection->take_token_request()) give_token(*entry->connection);
    update_table(handle, *entry);
    update_half_open(*entry);
    queue_transmit(handle, *entry);
    queue_events(handle, *entry);
}

void Endpoint::Implementation::queue_events(SlabHandle handle, Entry& entry) {
    if (!std::exchange(entry.events_queued, true)) queues_.events.push_back(handle);
}

void Endpoint::Implementation::update_table(SlabHandle handle, Entry& entry) {
    connection::Connection& connection = *entry.connection;
    while (const auto change = connection.next_connection_id_change()) {
        if (change->added) {
            table_.add(change->id, handle);
        } else {
            table_.remove(change->id, handle);
        }
    }
    if (entry.tokens_version == connection.reset_tokens_version()) return;
    entry.tokens_version = connection.reset_tokens_version();
    for (const auto& token : entry.tokens) table_.remove_token(token, handle);
    entry.tokens.clear();
    connection.remote_ids().for_each_reset_token([&](const wire::StatelessResetToken& token) {
        entry.tokens.push_back(token);
        table_.add_token(token, handle);
    });
}

void Endpoint::Implementation::update_half_open(Entry& entry) {
    const connection::Connection& connection = *entry.connection;
    // Also while it closes: handshakes that fail by the client's own doing are no way around Retry.
    const bool half_open = connection.role() == Role::kServer && !connection.address_validated();
    if (half_open == entry.half_open) return;
    entry.half_open = half_open;
    half_open ? ++admission_.half_open : --admission_.half_open;
}

void Endpoint::Implementation::queue_transmit(SlabHandle handle, Entry& entry) {
    if (std::exchange(entry.transmit_queued, true)) return;
    queues_.transmit.push_back(handle);
    // While it waits for its turn to send, time cannot want anything else of it.
    timers_.set(handle.index, kNever);
}

void Endpoint::Implementation::set_timer(SlabHandle handle, const Entry& entry) {
    const Instant deadline = entry.connection->next_timeout();
    timers_.set(handle.index, deadline > now_ ? deadline : now_ + kRetryInterval);
}

void Endpoint::Implementation::remove_if_done(SlabHandle handle) {
    Entry& entry = *connections_.find(handle);
    if (!entry.connection->is_closed() || !entry.closed_told) return;
    forget_ids(handle, entry);
    if (entry.half_open) --admission_.half_open;
    timers_.set(handle.index, kNever);
    connections_.erase(handle);
    ++counters_.connections_closed;
}

// No datagram finds the connection any more.
void Endpoint::Implementation::forget_ids(SlabHandle handle, Entry& entry) {
    entry.connection->local_ids().for_each(
        [&](const wire::ConnectionId& id) { table_.remove(id, handle); });
    table_.remove(entry.connection->initial_destination_id(), handle);
    for (const auto& token : entry.tokens) table_.remove_token(token, handle);
    entry.tokens.clear();
}

// --- Datagrams out, time, events ---

bool Endpoint::Implementation::transmit(TransmitSlot& slot, Instant now) {
    now_ = std::max(now_, now);
    // Whoever floods us with datagrams of no connection must not take the turns of those that have
    // one.
    queues_.reply_is_next = !queues_.reply_is_next;
    return queues_.reply_is_next ? transmit_reply(slot) || transmit_connection(slot)
                                 : transmit_connection(slot) || transmit_reply(slot);
}

bool Endpoint::Implementation::transmit_reply(TransmitSlot& slot) {
    const bool filled = replies_.transmit(slot);
    counters_.datagrams_sent += filled;
    return filled;
}

bool Endpoint::Implementation::transmit_connection(TransmitSlot& slot) {
    while (!queues_.transmit.empty()) {
        const SlabHandle handle = queues_.transmit.front();
        queues_.transmit.pop_front();
        Entry* entry = connections_.find(handle);
        if (entry == nullptr) continue;
        if (entry->connection->transmit(slot, now_)) {
            queues_.transmit.push_back(handle);  // others take their turn first
            // Sending makes room for what was refused.
            if (entry->connection->waits_for_datagram_room()) queue_events(handle, *entry);
            count_data(slot.buffer, slot.length);
            counters_.datagrams_sent +=
                (slot.length + slot.datagram_length - 1) / slot.datagram_length;
            return true;
        }
        entry->transmit_queued = false;
        set_timer(handle, *entry);
        // Transmitting can end a connection (its keys are used up).
        if (!entry->connection->is_open() || entry->connection->waits_for_datagram_room()) {
            queue_events(handle, *entry);
        }
        remove_if_done(handle);
    }
    return false;
}

Instant Endpoint::Implementation::next_timeout() const {
    return timers_.next();
}

void Endpoint::Implementation::on_timeout(Instant now) {
    now_ = std::max(now_, now);
    while (const auto index = timers_.take_due(now_)) {
        const auto handle = connections_.handle_at(*index);
        if (!handle) continue;
        connections_.find(*handle)->connection->on_timeout(now_);
        after_activity(*handle);
    }
}

void Endpoint::Implementation::on_unreachable(const Address& remote, Instant now) {
    now_ = std::max(now_, now);
    connections_.for_each([&](SlabHandle handle, Entry& entry) {
        //= 9000-14.2.1-4
        if (entry.connection->addresses().remote != remote) return;
        entry.connection->on_unreachable(now_);
        after_activity(handle);
    });
}

void Endpoint::Implementation::close_all(std::uint64_t code, std::string_view reason) {
    connections_.for_each([&](SlabHandle handle, Entry& entry) {
        entry.connection->close(code, reason, now_);
        after_activity(handle);
    });
}

void Endpoint::Implementation::settle() {
    while (!queues_.settle.empty()) {
        const SlabHandle handle = queues_.settle.front();
        queues_.settle.pop_front();
        if (Entry* entry = connections_.find(handle)) {
            entry->settle_queued = false;
            entry->connection->settle();
        }
    }
    admission_.borrowed.clear();
    queues_.foreign.clear();
}

// An event is made where the caller gets it: a copy costs more than the making.
std::optional<Event> Endpoint::Implementation::poll_event() {
    std::optional<Event> event;
    while (!queues_.events.empty()) {
        const SlabHandle handle = queues_.events.front();
        Entry* entry = connections_.find(handle);
        if (entry != nullptr) {
            tell_next_event(handle, *entry, event);
            if (event) break;
            entry->events_queued = false;
        }
        queues_.events.pop_front();
        if (entry != nullptr) remove_if_done(handle);
    }
    return event;
}

namespace {

void tell(ConnectionHandle connection, const streams::StreamEvent& event,
          std::optional<Event>& told) {
    using Kind = streams::StreamEventKind;
    const auto [kind, directionality, stream, code] = event;
    switch (kind) {
        case Kind::kOpened: told.emplace(StreamOpened{connection, stream}); return;
        case Kind::kReadable: told.emplace(StreamReadable{connection, stream}); return;
        case Kind::kWritable: told.emplace(StreamWritable{connection, stream}); return;
        case Kind::kResetReceived: told.emplace(StreamReset{connection, stream, code}); return;
        case Kind::kStopReceived: told.emplace(StreamStopped{connection, stream, code}); return;
        case Kind::kAllAcknowledged: told.emplace(StreamDelivered{connection, stream}); return;
        case Kind::kStreamsAvailable: break;
    }
    told.emplace(StreamsAvailable{connection, directionality});
}

// What happens a few times in the life of a connection.
std::optional<Event> rare_event(ConnectionHandle name, connection::Connection& connection) {
    if (connection.take_early_data_ready()) return EarlyDataReady{name};
    if (connection.take_early_data_rejected()) return EarlyDataRejected{name};
    if (connection.take_established()) return ConnectionEstablished{name};
    if (const auto to = connection.take_migrated()) {
        return ConnectionMigrated{name, to->local, to->remote};
    }
    if (const auto to = connection.take_failed_migration()) {
        return MigrationFailed{name, to->local, to->remote};
    }
    if (auto ticket = connection.take_ticket()) return TicketReceived{name, std::move(*ticket)};
    return std::nullopt;
}

}  // namespace

// The handshake and its like first, then what happened on streams, and the end last.
void Endpoint::Implementation::tell_next_event(SlabHandle handle, Entry& entry,
                                               std::optional<Event>& event) {
    connection::Connection& connection = *entry.connection;
    const ConnectionHandle name{handle.index, handle.generation};
    if (entry.closed_told) return;
    if (connection.has_rare_news()) {
        event = rare_event(name, connection);
        if (event) return;
        connection.clear_rare_news();
    }
    if (const auto happened = connection.poll_stream_event()) {
        // A stream that ends with what the application is told may be credit for another.
        if (connection.streams().has_connection_frames()) queue_transmit(handle, entry);
        tell(name, *happened, event);
    } else if (const auto bytes = connection.poll_datagram()) {
        event.emplace(DatagramReceived{name, *bytes});
    } else if (connection.take_datagram_writable()) {
        event.emplace(DatagramWritable{name});
    } else if (!connection.is_open()) {
        entry.closed_told = true;
        event.emplace(ConnectionClosed{name, connection.close_info()});
    }
}

// --- The application's handles ---

void Endpoint::Implementation::touch(ConnectionHandle handle) {
    after_activity({handle.index, handle.generation});
}

EndpointStatistics Endpoint::Implementation::statistics() const {
    EndpointStatistics counts = counters_;
    counts.datagrams_dropped = dropped_.total();
    counts.connections_now = connections_.size();
    counts.half_open_now = admission_.half_open;
    counts.receive_budget_used = stream_resources_.budget.used();
    counts.bytes_copied = stream_resources_.blocks.copied();
    return counts;
}

}  // namespace stoq
