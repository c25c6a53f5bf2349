// What TLS brings: keys, the peer's transport parameters, the end of the handshake.
#include "base/try.h"
#include "connection/connection.h"
#include "connection/early_data.h"
#include "connection/version_choice.h"

namespace stoq::connection {
namespace {

std::unexpected<TransportError> parameter_error(Reason reason) {
    return std::unexpected(TransportError{TransportErrorCode::kTransportParameterError, reason, 0});
}

}  // namespace

TransportResult<void> Connection::apply_tls_events(Instant now) {
    while (auto event = handshake_.poll_event()) {
        if (const auto* secret = std::get_if<tls::SecretInstalled>(&*event)) {
            on_secret(*secret, now);
        } else if (const auto* peer = std::get_if<tls::PeerTransportParameters>(&*event)) {
            STOQ_TRY(on_peer_parameters(peer->bytes, now));
        } else if (std::holds_alternative<tls::HandshakeComplete>(*event)) {
            STOQ_TRY(on_handshake_complete(now));
        } else if (auto* received = std::get_if<tls::TicketReceived>(&*event)) {
            status_.rare_news = true;
            tokens_.tickets.push_back(
                ticket_of_version(status_.versions.current, received->ticket));
        }
    }
    return {};
}

std::optional<std::vector<std::uint8_t>> Connection::take_ticket() {
    if (tokens_.tickets.empty()) return std::nullopt;
    std::optional<std::vector<std::uint8_t>> ticket(std::move(tokens_.tickets.front()));
    tokens_.tickets.pop_front();
    return ticket;
}

void Connection::on_secret(const tls::SecretInstalled& secret, Instant now) {
    const bool sending = secret.direction == tls::Direction::kSend;
    if (secret.level == EncryptionLevel::kZeroRtt && !on_early_key(secret)) return;
    //= 9001-4.9.3-1
    if (secret.level == EncryptionLevel::kOneRtt && config_.role == Role::kClient) {
        keyring_.discard(EncryptionLevel::kZeroRtt);
    }
    keyring_.install(secret.level, sending ? crypto::Direction::kSeal : crypto::Direction::kOpen,
                     secret.cipher_suite, secret.secret);
    if (secret.level == EncryptionLevel::kHandshake) recovery_.on_handshake_keys(now);
    observer_.emit(now,
                   observe::KeyInstalled{.level = secret.level,
                                         .sender = sending ? config_.role : peer_of(config_.role)});
}

TransportResult<void> Connection::on_peer_parameters(ByteView encoded, Instant now) {
    const auto parameters =
        STOQ_TRY(wire::decode_transport_parameters(encoded, peer_of(config_.role)));
    STOQ_TRY(check_connection_ids(parameters));
    STOQ_TRY(check_version(parameters));
    if (config_.role == Role::kServer) {
        if (parameters.version_information) {
            status_.versions.current = compatible_version(
                config_.settings.versions, config_.version, *parameters.version_information);
        }
        status_.versions.settled = true;
        //= 9369-4.1-5
        keyring_.switch_version(protection::constants_of(status_.versions.current));
    }
    if (config_.role == Role::kClient) STOQ_TRY(settle_early_data(parameters, now));
    adopt(parameters, now);
    return {};
}

// The connection IDs of the handshake were sent in the clear; here TLS vouches for them (RFC 9000
// section 7.3).
TransportResult<void> Connection::check_connection_ids(
    const wire::TransportParameters& parameters) const {
    //= 9000-7.3-3
    if (!parameters.initial_source_connection_id) return parameter_error(Reason::kMissingParameter);
    //= 9000-7.3-2
    //= 9000-7.3-4
    if (*parameters.initial_source_connection_id != config_.remote_id) {
        return parameter_error(Reason::kConnectionIdMismatch);
    }
    if (config_.role == Role::kServer) return {};
    //= 9000-7.3-3
    if (!parameters.original_destination_connection_id) {
        return parameter_error(Reason::kMissingParameter);
    }
    //= 9000-7.3-4
    if (*parameters.original_destination_connection_id != config_.original_destination_id) {
        return parameter_error(Reason::kConnectionIdMismatch);
    }
    //= 9000-7.3-4
    if (parameters.retry_source_connection_id != config_.retry_source_id) {
        return parameter_error(Reason::kConnectionIdMismatch);
    }
    return {};
}

// What the version in the headers was, nobody has authenticated; here TLS vouches for it (RFC 9368
// section 4).
TransportResult<void> Connection::check_version(const wire::TransportParameters& parameters) const {
    const std::unexpected mismatch(
        TransportError{TransportErrorCode::kVersionNegotiationError, Reason::kVersionMismatch, 0});
    const auto& information = parameters.version_information;
    if (config_.role == Role::kServer) {
        //= 9368-4-8
        //= 9368-4-9
        //= 9369-4-2
        //= 9368-4-10
        if (information && information->chosen != config_.version) return mismatch;
        return {};
    }
    //= 9368-4-13
    //= 9368-4-18
    const std::uint32_t chosen = information ? information->chosen : config_.version;
    if (chosen != status_.versions.current) return mismatch;
    if (config_.abandoned_version == 0) return {};
    // A server of version 1 may not know of version_information at all.
    //= 9368-4-12
    //= 9368-4-14
    //= 9368-8-1
    if (!information && chosen != wire::kVersion1) return mismatch;
    const std::array<std::uint32_t, 1> version_1{wire::kVersion1};
    const std::span<const std::uint32_t> available =
        information ? information->available() : std::span<const std::uint32_t>(version_1);
    //= 9368-4-16
    if (!would_have_led_to(config_.version, config_.settings.versions, available)) return mismatch;
    return {};
}

void Connection::adopt(const wire::TransportParameters& parameters, Instant now) {
    peer_parameters_ = parameters;
    adopt_limits(parameters);
    ids_.local.set_peer_limit(parameters.active_connection_id_limit);
    const Duration max_ack_delay = std::chrono::milliseconds(parameters.max_ack_delay_ms);
    recovery_.set_peer_max_ack_delay(max_ack_delay);
    if (parameters.min_ack_delay_us && config_.settings.ack_frequency) {
        // Its value is below that of max_ack_delay: the decoder has seen to it.
        const auto min_ack_delay =
            std::chrono::microseconds(static_cast<std::int64_t>(*parameters.min_ack_delay_us));
        pending_.ack_frequency.enable(min_ack_delay, max_ack_delay);
    }
    const path::MtuOutcome mtu =
        paths_.limit_datagram_size(static_cast<std::size_t>(parameters.max_udp_payload_size));
    if (mtu.changed) on_datagram_size_changed(mtu, now);
    if (parameters.stateless_reset_token) {
        ids_.remote.set_handshake_reset_token(*parameters.stateless_reset_token);
    }
    if (parameters.preferred_address) {
        ids_.remote.add_preferred_address(parameters.preferred_address->connection_id,
                                          parameters.preferred_address->stateless_reset_token);
    }
    ++status_.reset_tokens_version;
    restart_idle_timer(now);
    observer_.emit(now, observe::TransportParametersSet{.initiator = observe::Initiator::kRemote,
                                                        .parameters = &*peer_parameters_});
}

TransportResult<void> Connection::on_handshake_complete(Instant now) {
    STOQ_TRY(check_early_protocol());
    status_.established = true;
    status_.tell_established = true;
    status_.rare_news = true;
    timers_.handshake = kNever;
    keyring_.on_handshake_complete();
    observer_.emit(now, observe::ConnectionStateUpdated{
                            .old_state = observe::ConnectionState::kHandshakeStarted,
                            .new_state = observe::ConnectionState::kHandshakeComplete});
    emit_negotiated(now);
    if (config_.role == Role::kClient) return {};
    //= 9001-4.1.2-1
    //= 9000-19.20-1
    pending_.handshake_done = true;
    //= 9000-19.7-3
    status_.wants_token = true;
    confirm_handshake(now);
    return {};
}

void Connection::emit_negotiated(Instant now) const {
    if (!observer_.enabled()) return;
    const tls::HandshakeInfo& info = handshake_.info();
    const wire::VersionInformation own =
        version_information(config_.settings.versions, status_.versions.current);
    observe::VersionInformation versions;
    versions.chosen_version = own.chosen;
    (config_.role == Role::kClient ? versions.client_versions : versions.server_versions) =
        own.available();
    observer_.emit(now, versions);
    observer_.emit(now, observe::AlpnInformation{.chosen = info.alpn});
    observer_.emit(now, observe::SecurityNegotiated{
                            .group = info.group,
                            .signature = info.signature,
                            .client_signature = info.client_signature,
                            .cipher_suite = info.cipher_suite,
                            .peer_chain = info.peer_chain,
                            .peer_certificate_type = info.peer_certificate_type,
                            .post_quantum_key_exchange = info.post_quantum_key_exchange,
                            .post_quantum_authentication = info.post_quantum_authentication,
                            .resumed = info.resumed});
}

void Connection::confirm_handshake(Instant now) {
    status_.confirmed = true;
    keyring_.on_handshake_confirmed();
    recovery_.on_handshake_confirmed(now);
    paths_.on_handshake_confirmed();
    //= 9001-4.9.2-1
    discard_space(PacketNumberSpace::kInitial, now);
    discard_space(PacketNumberSpace::kHandshake, now);
    paths_.active().mtu.enable();
    ids_.local.issue(shared_.ids);
    if (config_.role == Role::kServer) handshake_.release_session();
    if (config_.role == Role::kClient) follow_preferred_address(now);
    observer_.emit(now, observe::ConnectionStateUpdated{
                            .old_state = observe::ConnectionState::kHandshakeComplete,
                            .new_state = observe::ConnectionState::kHandshakeConfirmed});
}

// The keys of a level go, and with them everything that only they could carry.
void Connection::discard_space(PacketNumberSpace space, Instant now) {
    const EncryptionLevel level = space == PacketNumberSpace::kInitial
                                      ? EncryptionLevel::kInitial
                                      : EncryptionLevel::kHandshake;
    if (!keyring_.has_send_keys(level) && !keyring_.has_receive_keys(level)) return;
    keyring_.discard(level);
    recovery_.discard_space(space, now);
    handshake_.discard(space);
    pending_.probes[index_of(space)] = 0;
    observer_.emit(now, observe::KeyDiscarded{.level = level, .sender = config_.role});
}

}  // namespace stoq::connection
