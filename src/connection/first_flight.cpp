// What only happens at the very beginning: Version Negotiation, Retry, and learning each other's
// connection IDs (RFC 9000 sections 6, 7.2, 8.1).
#include "connection/connection.h"
#include "connection/version_choice.h"
#include "protection/retry_integrity.h"

namespace stoq::connection {

// A client's first Initial met a server that does not speak our version. Nobody authenticates such
// a packet, so it only counts before anything else has come from the server.
void Connection::on_version_negotiation(const wire::VersionNegotiationPacket& packet, Instant now) {
    const auto unexpected = [&] {
        drop(DropReason::kUnexpectedVersionNegotiation, packet.encoded_versions.size(), now);
    };
    //= 9000-6.2-2
    if (config_.role == Role::kServer || status_.peer_packet_processed || status_.retried) {
        return unexpected();
    }
    // What the application has closed does not begin again.
    if (!close_.is_open()) return unexpected();
    const auto echoed = wire::ConnectionId::from(packet.destination);
    const auto original = wire::ConnectionId::from(packet.source);
    if (echoed != config_.source_id || original != config_.remote_id) return unexpected();
    //= 9368-4-2
    if (config_.abandoned_version != 0) return unexpected();
    //= 9000-6.2-3
    //= 9368-4-1
    if (packet.contains(config_.version)) return unexpected();
    if (!has_early_writing()) {
        status_.versions.instead = version_after(packet, config_.settings.versions);
    }
    //= 9000-6.2-1
    //= 9368-2.1-4
    vanish(CloseKind::kVersionMismatch, now);
}

// The server wants proof of our address: begin again, with its token and to its connection ID.
void Connection::on_retry(const wire::RetryPacket& packet, Bytes whole, Instant now) {
    //= 9000-17.2.5.2-1
    //= 9000-17.2.5.2-2
    const bool too_late = status_.retried || status_.peer_packet_processed;
    //= 9369-4.1-1
    const bool ours = packet.destination == config_.source_id && packet.version == config_.version;
    if (config_.role == Role::kServer || too_late || !ours || !close_.is_open()) {
        return drop(DropReason::kUnexpectedRetry, whole.size(), now);
    }
    //= 9000-17.2.5.1-2
    if (packet.source == config_.remote_id) {
        return drop(DropReason::kUnexpectedRetry, whole.size(), now);
    }
    //= 9000-17.2.5.2-3
    if (!protection::retry_integrity_is_valid(config_.original_destination_id.view(), whole,
                                              protection::constants_of(packet.version))) {
        return drop(DropReason::kBadIntegrityTag, whole.size(), now);
    }
    //= 9369-4.1-2
    status_.retried = true;
    observer_.emit(now, observe::RetryReceived{.source_connection_id = packet.source.view(),
                                               .token_length = packet.token.size()});
    //= 9000-8.1.2-1
    tokens_.initial.assign(packet.token.begin(), packet.token.end());
    config_.retry_source_id = packet.source;
    //= 9000-17.2.5.1-3
    //= 9000-17.2.5.2-5
    config_.remote_id = packet.source;
    ids_.remote.set_handshake_id(packet.source);
    keyring_.install_initial(config_.role, packet.source.view());
    // The same handshake bytes go out again, under packet numbers that go on.
    //= 9000-17.2.5.3-1
    //= 9000-17.2.5.3-4
    // So does 0-RTT data, with the keys that it had: a Retry does not reject it.
    //= 9001-4.6.2-4
    for (const auto space : {PacketNumberSpace::kInitial, PacketNumberSpace::kApplication}) {
        for (const wire::SentFrame& frame : recovery_.abandon_packets(space, now)) {
            on_frame_lost(frame, now);
        }
    }
    // What the first Initial met says nothing about the path (RFC 9002 section 6.3).
    controller_->reset();
    pending_.probes = {};
}

// Until the version is settled a client takes long header packets of every version that it offered:
// those that cannot be opened yet wait. Afterwards there is one version, besides Initials of the
// first one, which a server's client may still send.
//= 9369-4.1-9
bool Connection::is_of_possible_version(const wire::ProtectedPacket& packet) const {
    if (packet.version == status_.versions.current) return true;
    if (config_.role == Role::kClient) {
        return !status_.versions.settled && lists(config_.settings.versions, packet.version);
    }
    return packet.type == wire::PacketType::kInitial && packet.version == config_.version;
}

// An Initial of another version than ours was opened. On a client, that is how it learns what the
// server has chosen; TLS will vouch for it.
void Connection::follow_version(std::uint32_t version) {
    if (config_.role == Role::kServer || status_.versions.settled) return;
    //= 9369-4.1-6
    //= 9369-4.1-8
    status_.versions.current = version;
    status_.versions.settled = true;
    keyring_.switch_version(protection::constants_of(version));
}

// A long header packet of the peer was opened and processed.
void Connection::on_handshake_packet_opened(const wire::ProtectedPacket& packet, Instant now) {
    if (packet.type == wire::PacketType::kInitial && config_.role == Role::kClient &&
        packet.source != config_.remote_id) {
        //= 9000-7.2-4
        config_.remote_id = packet.source;
        ids_.remote.set_handshake_id(packet.source);
    }
    if (packet.type == wire::PacketType::kHandshake && config_.role == Role::kServer) {
        // Whoever could make this packet has read what was sent to that address (section 8.1).
        paths_.on_handshake_address_validated();
        recovery_.set_amplification_limited(false);
        //= 9001-4.9.1-1
        discard_space(PacketNumberSpace::kInitial, now);
    }
}

}  // namespace stoq::connection
