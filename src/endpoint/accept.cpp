// How a client's first Initial becomes a connection, or does not.
#include "base/instant_after.h"
#include "endpoint/first_initial.h"
#include "endpoint/implementation.h"

namespace stoq {
namespace {

// Clients choose at least this much randomness for their first Destination Connection ID, because
// Initial keys are made from it (RFC 9000 section 7.2).
constexpr std::size_t kMinFirstDestinationLength = 8;

}  // namespace

void Endpoint::Implementation::on_initial(ReceivedDatagram& datagram,
                                          const wire::ProtectedPacket& packet) {
    //= 9000-14.1-4
    //= 9000-14-4
    if (datagram.data.size() < path::kBaseDatagramSize) {
        return drop(DropReason::kDatagramTooSmall, datagram);
    }
    if (!server_->accepting) return refuse(datagram, packet);
    endpoint::InitialRequest request;
    request.remote = datagram.remote;
    request.token = packet.token;
    request.half_open = admission_.half_open + admission_.held.size();
    request.connections = connections_.size();
    //= 9000-8.1.3-14
    if (!packet.token.empty()) {
        request.valid_token = tokens_.open(packet.token, datagram.remote, token_time());
    }
    //= 9369-5-2
    if (request.valid_token && request.valid_token->version != packet.version) {
        if (request.valid_token->kind == endpoint::TokenKind::kRetry) {
            return drop(DropReason::kBadToken, datagram);
        }
        request.valid_token.reset();
    }
    // Behind a Retry the client uses the ID that we chose, and no other.
    const bool after_retry =
        request.valid_token && request.valid_token->kind == endpoint::TokenKind::kRetry;
    if (after_retry && request.valid_token->retry_source_id != packet.destination) {
        return drop(DropReason::kBadToken, datagram);
    }
    //= 9000-7.2-1
    if (!after_retry && packet.destination.length() < kMinFirstDestinationLength) {
        return drop(DropReason::kBadConnectionIdLength, datagram);
    }
    switch (admission_.policy->decide(request)) {
        case endpoint::Verdict::kAccept: return accept(datagram, packet, request.valid_token);
        case endpoint::Verdict::kRetry: return send_retry(datagram, packet);
        case endpoint::Verdict::kInvalidToken:
            replies_.refuse(datagram, packet, TransportErrorCode::kInvalidToken);
            return drop(DropReason::kBadToken, datagram);
        case endpoint::Verdict::kRefuse: return refuse(datagram, packet);
        case endpoint::Verdict::kDropHalfOpen: return drop(DropReason::kTooManyHalfOpen, datagram);
    }
}

void Endpoint::Implementation::refuse(const ReceivedDatagram& datagram,
                                      const wire::ProtectedPacket& packet) {
    //= 9000-5.2.2-5
    replies_.refuse(datagram, packet, TransportErrorCode::kConnectionRefused);
    drop(DropReason::kTooManyConnections, datagram);
}

void Endpoint::Implementation::accept(ReceivedDatagram& datagram,
                                      const wire::ProtectedPacket& packet,
                                      const std::optional<endpoint::AddressToken>& token) {
    // What cannot be opened makes no connection, and costs no TLS session: its connection IDs are
    // anybody's words, and one that was damaged on the way would keep the client's undamaged
    // packets from being answered.
    auto initial_keys = endpoint::keys_of_intact(packet);
    if (!initial_keys) {
        // Or the client uses an ID by now that another worker gave it.
        if (is_foreign(datagram)) return;
        return drop(DropReason::kDecryptionFailed, datagram);
    }
    if (admission_.permits == 0) {
        if (!admission_.held.push(datagram, now_)) drop(DropReason::kTooManyHalfOpen, datagram);
        return;
    }
    if (admission_.permits != kNoLimit) --admission_.permits;
    connection::ConnectionConfig made;
    made.role = Role::kServer;
    made.version = packet.version;
    made.settings = server_->settings;
    made.addresses = {datagram.local, datagram.remote};
    made.source_id = new_connection_id();
    made.remote_id = packet.source;
    made.initial_destination_id = packet.destination;
    made.initial_keys = &*initial_keys;
    made.original_destination_id = packet.destination;
    if (token && token->kind == endpoint::TokenKind::kRetry) {
        made.original_destination_id = token->original_destination_id;
        made.retry_source_id = token->retry_source_id;
    }
    made.address_validated = token.has_value();
    if (token && made.settings.careful_resume) made.path_memory = token->path_memory;
    made.tls = server_->tls;
    made.sink = sink_;
    admission_.strikes->advance(now_);
    auto connection = connection::Connection::create(made, shared_, now_);
    if (!connection) return drop(DropReason::kTooManyConnections, datagram);
    (*connection)->receive({&datagram, 1}, now_);
    const SlabHandle handle = add(std::move(*connection));
    table_.add(packet.destination, handle);
    ++counters_.connections_accepted;
    Entry& entry = *connections_.find(handle);
    if (!std::exchange(entry.settle_queued, true)) queues_.settle.push_back(handle);
    after_activity(handle);
}

// Those that wait go the way of all datagrams once more. What belongs to a connection that has
// begun needs no permit.
void Endpoint::Implementation::admit_handshakes(std::size_t count, Instant now) {
    now_ = std::max(now_, now);
    admission_.permits = count;
    while (!admission_.held.empty()) {
        if (admission_.permits == 0 && !is_routed(admission_.held.front())) return;
        endpoint::HeldDatagrams::Held& held =
            admission_.borrowed.emplace_back(admission_.held.pop());
        ReceivedDatagram datagram{
            .data = held.bytes, .local = held.local, .remote = held.remote, .ecn = held.ecn};
        --counters_.datagrams_received;  // it was counted when it came
        admission_.waited = now_ - held.arrived;
        receive({&datagram, 1}, now_);
        admission_.waited = Duration::zero();
    }
}

bool Endpoint::Implementation::is_routed(ByteView datagram) const {
    const auto view = wire::peek_destination_connection_id(datagram, generator_->length());
    const auto id = view ? wire::ConnectionId::from(*view) : std::nullopt;
    return id && table_.find(*id);
}

void Endpoint::Implementation::send_retry(const ReceivedDatagram& datagram,
                                          const wire::ProtectedPacket& packet) {
    endpoint::AddressToken token;
    token.kind = endpoint::TokenKind::kRetry;
    token.version = packet.version;
    token.remote = datagram.remote;
    token.expires = instant_after(token_time(), settings_.retry_token_lifetime);
    token.original_destination_id = packet.destination;
    //= 9000-17.2.5.1-1
    do {
        token.retry_source_id = new_connection_id();
    } while (token.retry_source_id == packet.destination);
    const std::string sealed = tokens_.seal(token, shared_.ids.random);
    const ByteView bytes{reinterpret_cast<const std::uint8_t*>(sealed.data()), sealed.size()};
    //= 9000-17.2.5.1-5
    counters_.retries_sent += replies_.retry(datagram, packet, token.retry_source_id, bytes);
}

// Who waits for a handshake does not lose its token by that.
Instant Endpoint::Implementation::token_time() const {
    return now_ - admission_.waited + settings_.clock_origin;
}

void Endpoint::Implementation::give_token(connection::Connection& connection) {
    if (!settings_.send_new_token) return;
    endpoint::AddressToken token;
    token.kind = endpoint::TokenKind::kNewToken;
    token.version = connection.version();
    token.remote = connection.addresses().remote;
    token.expires = instant_after(token_time(), settings_.new_token_lifetime);
    token.path_memory = connection.path_memory();
    connection.send_new_token(tokens_.seal(token, shared_.ids.random));
}

wire::ConnectionId Endpoint::Implementation::new_connection_id() {
    for (;;) {
        const wire::ConnectionId id = generator_->generate(shared_.ids.random);
        if (!table_.find(id)) return id;
    }
}

wire::ConnectionId Endpoint::Implementation::new_destination_id() {
    std::array<std::uint8_t, kMinFirstDestinationLength> bytes;
    shared_.ids.random.fill(bytes);
    return *wire::ConnectionId::from(bytes);
}

}  // namespace stoq
