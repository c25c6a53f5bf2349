// What happens to a received datagram, in order: split into packets, choose keys, open, process.
//
// Short header packets that stand next to each other are opened as one batch; everything else is
// rare and goes one packet at a time. Before a packet is opened the only thing that can come of it
// is a drop.
#include "connection/connection.h"
#include "wire/packet_number_codec.h"
#include "wire/stateless_reset.h"

namespace stoq::connection {
namespace {

// The most datagrams that are opened together.
constexpr std::size_t kMaxBatch = 64;

TransportError violation(Reason reason) {
    return {TransportErrorCode::kProtocolViolation, reason, 0};
}

}  // namespace

void Connection::receive(std::span<ReceivedDatagram> datagrams, Instant now) {
    while (!datagrams.empty()) datagrams = datagrams.subspan(receive_run(datagrams, now));
    finish_receiving(now);
}

// Returns how many datagrams were taken.
std::size_t Connection::receive_run(std::span<ReceivedDatagram> datagrams, Instant now) {
    const ReceivedDatagram& first = datagrams.front();
    Arrival arrival = arrival_of(first, now);
    counters_.datagrams_received += 1;
    counters_.bytes_received += first.data.size();
    if (first.data.empty()) return 1;
    if (const auto refusal = paths_.admit(arrival.addresses)) {
        drop(*refusal, first.data.size(), now);
        return 1;
    }
    if (wire::has_long_header(first.data[0])) {
        arrival.credited = paths_.credit(arrival.addresses, first.data.size());
        receive_coalesced(first.data, arrival);
        return 1;
    }
    std::size_t bytes = first.data.size();
    std::size_t count = 1;
    while (count < datagrams.size() && count < kMaxBatch) {
        const ReceivedDatagram& next = datagrams[count];
        if (next.data.empty() || wire::has_long_header(next.data[0])) break;
        if (next.remote != first.remote || next.local != first.local || next.ecn != first.ecn)
            break;
        bytes += next.data.size();
        ++count;
    }
    counters_.datagrams_received += count - 1;
    counters_.bytes_received += bytes - first.data.size();
    arrival.credited = paths_.credit(arrival.addresses, bytes);
    receive_short_run(datagrams.first(count), arrival);
    return count;
}

Connection::Arrival Connection::arrival_of(const ReceivedDatagram& datagram, Instant now) const {
    Arrival arrival;
    arrival.now = now;
    arrival.addresses = {datagram.local, datagram.remote};
    arrival.ecn = datagram.ecn;
    arrival.datagram_length = datagram.data.size();
    return arrival;
}

// A datagram that begins with a long header packet, behind which others may stand.
//= 9000-12.2-1
//= 9000-12.2-6
void Connection::receive_coalesced(Bytes datagram, Arrival& arrival) {
    const std::size_t id_length = config_.source_id.length();
    std::optional<wire::ConnectionId> first_destination;
    Bytes rest = datagram;
    while (!rest.empty() && close_.phase() != ClosePhase::kClosed) {
        auto packet = wire::decode_packet(rest, id_length, fixed_bit());
        if (!packet) return drop(packet.error(), rest.size(), arrival.now);
        if (auto* negotiation = std::get_if<wire::VersionNegotiationPacket>(&*packet)) {
            return on_version_negotiation(*negotiation, arrival.now);
        }
        if (auto* retry = std::get_if<wire::RetryPacket>(&*packet)) {
            return on_retry(*retry, rest, arrival.now);
        }
        auto* wanted = std::get_if<wire::ProtectedPacket>(&*packet);
        //= 9000-5.2.1-2
        if (wanted == nullptr) return drop(DropReason::kUnknownVersion, rest.size(), arrival.now);
        rest = rest.subspan(wanted->bytes.size());
        //= 9000-12.2-5
        if (first_destination && *first_destination != wanted->destination) {
            drop(DropReason::kWrongConnectionId, wanted->bytes.size(), arrival.now);
            continue;
        }
        first_destination = wanted->destination;
        receive_protected(*wanted, arrival);
        // One packet of an address that is new counts for the whole datagram, and once.
        arrival.credited |= arrival.path.has_value();
    }
}

void Connection::receive_protected(const wire::ProtectedPacket& packet, Arrival& arrival) {
    if (const auto reason = reason_to_drop(packet, arrival)) {
        return drop(*reason, packet.bytes.size(), arrival.now);
    }
    arrival.level = wire::level_of(packet.type);
    arrival.version = packet.version;
    arrival.destination = packet.destination;
    if (!keyring_.has_receive_keys(arrival.level)) {
        const std::size_t credit = arrival.credited ? 0 : packet.bytes.size();
        if (!may_open_later(arrival.level) || !close_.is_open() ||
            !held_.packets.store(packet.bytes, arrival.addresses, arrival.ecn, arrival.level,
                                 credit)) {
            return drop(DropReason::kKeysUnavailable, packet.bytes.size(), arrival.now);
        }
        return observer_.emit(
            arrival.now, observe::PacketBuffered{.type = observe::packet_type_of(arrival.level),
                                                 .length = packet.bytes.size()});
    }
    protection::PacketToOpen to_open = protection::packet_to_open(packet);
    open_and_process({&to_open, 1}, arrival);
    if (to_open.opened) on_handshake_packet_opened(packet, arrival.now);
}

// What the header alone says against a long header packet.
std::optional<DropReason> Connection::reason_to_drop(const wire::ProtectedPacket& packet,
                                                     const Arrival& arrival) const {
    //= 9000-8.2.1-7
    if (packet.type == wire::PacketType::kOneRtt) return std::nullopt;
    if (!is_of_possible_version(packet)) return DropReason::kUnknownVersion;
    if (config_.role == Role::kServer) {
        //= 9000-14.1-4
        if (packet.type == wire::PacketType::kInitial &&
            arrival.datagram_length < path::kBaseDatagramSize) {
            return DropReason::kDatagramTooSmall;
        }
        //= 9000-7.2-6
        if (packet.source != config_.remote_id) return DropReason::kWrongConnectionId;
        return std::nullopt;
    }
    if (packet.type == wire::PacketType::kZeroRtt) return DropReason::kUnexpectedPacketType;
    //= 9000-17.2.2-1
    if (!packet.token.empty()) return DropReason::kBadToken;
    //= 9000-7.2-3
    if (status_.peer_packet_processed && packet.source != config_.remote_id) {
        return DropReason::kWrongConnectionId;
    }
    return std::nullopt;
}

void Connection::receive_short_run(std::span<ReceivedDatagram> datagrams, Arrival& arrival) {
    std::array<protection::PacketToOpen, kMaxBatch> packets;
    const std::size_t id_length = config_.source_id.length();
    const wire::FixedBit fixed = fixed_bit();
    const bool has_keys = keyring_.has_receive_keys(EncryptionLevel::kOneRtt);
    std::size_t count = 0;
    for (const ReceivedDatagram& datagram : datagrams) {
        const DropReason reason = wire::check_short_header(datagram.data, id_length, fixed);
        //= 9000-10.3-7
        if (reason != DropReason::kNone) {
            drop(reason, datagram.data.size(), arrival.now);
            continue;
        }
        if (!has_keys) {
            receive_protected(*wire::decode_short_header(datagram.data, id_length, fixed), arrival);
            continue;
        }
        protection::PacketToOpen& packet = packets[count++];
        packet.packet = datagram.data;
        packet.packet_number_offset = static_cast<std::uint32_t>(1 + id_length);
        packet.type = wire::PacketType::kOneRtt;
    }
    if (count == 0) return;
    if (count == 1) arrival.datagram_length = packets[0].packet.size();
    arrival.level = EncryptionLevel::kOneRtt;
    arrival.destination.assign(packets[0].packet.subspan(1, id_length));
    open_and_process({packets.data(), count}, arrival);
}

// The border of trust: `packets` are bytes, what process_packet() gets is known to be the peer's.
void Connection::open_and_process(std::span<protection::PacketToOpen> packets, Arrival& arrival) {
    const auto largest = tracker(space_of(arrival.level)).largest_received();
    const Duration timeout = recovery_.probe_timeout(PacketNumberSpace::kApplication);
    const bool other_version =
        arrival.level == EncryptionLevel::kInitial && arrival.version != status_.versions.current;
    const protection::OpenContext context{
        .next_expected = largest ? largest->next() : PacketNumber(0),
        .retain_previous_until = arrival.now + 3 * timeout,
        .initial_version = other_version ? &protection::constants_of(arrival.version) : nullptr};
    const protection::OpenOutcome outcome = keyring_.open(arrival.level, packets, context);
    if (outcome.key_updates > 0) {
        counters_.key_updates += outcome.key_updates;
        observer_.emit(arrival.now,
                       observe::KeyUpdated{.sender = peer_of(config_.role),
                                           .key_phase = keyring_.one_rtt().receive_generation(),
                                           .trigger = observe::KeyTrigger::kRemoteUpdate});
    }
    for (protection::PacketToOpen& packet : packets) {
        if (close_.phase() == ClosePhase::kClosed) return;
        arrival.datagram_length = packet.type == wire::PacketType::kOneRtt && packets.size() > 1
                                      ? packet.packet.size()
                                      : arrival.datagram_length;
        if (packet.opened) {
            if (other_version) follow_version(arrival.version);
            process_packet(*packet.opened, arrival);
        } else {
            on_unopened(packet, arrival);
        }
    }
    if (outcome.error) fail(*outcome.error, arrival.now);
}

void Connection::on_unopened(const protection::PacketToOpen& packet, const Arrival& arrival) {
    drop(packet.drop, packet.packet.size(), arrival.now);
    if (packet.type != wire::PacketType::kOneRtt) return;
    //= 9000-10.3.1-2
    const auto token = wire::candidate_stateless_reset_token(packet.packet);
    if (token && ids_.remote.matches_reset_token(*token)) on_stateless_reset(arrival.now);
}

void Connection::process_packet(const protection::OpenedPacket& packet, Arrival& arrival) {
    const PacketNumberSpace space = space_of(arrival.level);
    //= 9000-12.3-4
    //= 9000-12.3-5
    if (tracker(space).is_duplicate(packet.number())) {
        return drop(DropReason::kDuplicatePacket, packet.payload().size(), arrival.now);
    }
    if (!close_.is_open()) {
        // A closing connection only wants to know whether the peer closes as well.
        close_.on_datagram();
        arrival.ack_eliciting = arrival.non_probing = false;
        (void)process_frames(packet.payload(), arrival);
        return;
    }
    if (!enter_path(arrival)) {
        return drop(DropReason::kPeerNotAllowed, packet.payload().size(), arrival.now);
    }
    ++counters_.packets_received;
    observer_.emit(arrival.now,
                   observe::PacketReceived{.type = observe::packet_type_of(arrival.level),
                                           .number = packet.number(),
                                           .length = packet.payload().size(),
                                           .payload = packet.payload(),
                                           .ecn = arrival.ecn});
    //= 9000-17.2-9
    //= 9000-17.3.1-3
    if (!packet.reserved_bits_are_zero()) {
        return fail(violation(Reason::kReservedBits), arrival.now);
    }
    arrival.ack_eliciting = arrival.non_probing = false;
    arrival.key_phase = packet.key_phase();
    const auto result = process_frames(packet.payload(), arrival);
    //= 9000-5.2-2
    if (!result) return fail(result.error(), arrival.now);
    //= 9000-13.1-1
    tracker(space).on_packet_received(packet.number(), arrival.now, arrival.ecn,
                                      arrival.ack_eliciting);
    if (arrival.ecn == Ecn::kCe) ++counters_.ecn_ce_received;
    if (close_.is_open()) follow_peer(packet, arrival);
}

// Finds the path that the datagram came on, and counts its bytes there if they are not yet.
bool Connection::enter_path(Arrival& arrival) {
    if (arrival.path && arrival.level != EncryptionLevel::kOneRtt) return true;
    // What a validated address has sent need not be counted.
    if (arrival.path && paths_[*arrival.path].amplification.validated()) return true;
    const auto sequence = ids_.local.sequence_of(arrival.destination);
    arrival.path = paths_.on_datagram(arrival.addresses, arrival.datagram_length,
                                      sequence.value_or(0), ids_.remote, arrival.credited);
    return arrival.path.has_value();
}

// Liveness, and where the peer is now.
void Connection::follow_peer(const protection::OpenedPacket& packet, Arrival& arrival) {
    // Packets of the handshake may change what the timer is set to.
    const bool one_rtt = arrival.level == EncryptionLevel::kOneRtt;
    if (!one_rtt || !std::exchange(arrival.followed, true)) {
        timers_.idle_restarted_by_sending = false;
        restart_idle_timer(arrival.now);
        status_.peer_packet_processed = true;
        if (one_rtt && status_.early.state != EarlyDataState::kNone) {
            discard_early_keys_soon(arrival.now);
        }
    }
    if (!one_rtt) return;
    if (paths_.follows_already({*arrival.path, packet.number(), arrival.non_probing})) return;
    // Nothing could be sent there: while the peer has not given a connection ID for the path, it is
    // not followed, and hears from us where it was before.
    if (ids_.remote.id_of(*arrival.path) == nullptr) return;
    const path::PacketOnPath on_path{
        .path = *arrival.path, .number = packet.number(), .non_probing = arrival.non_probing};
    if (const auto migration = paths_.on_packet_processed(on_path, validation_input(arrival.now))) {
        on_migration(*migration, arrival.now);
    }
}

// Keys have arrived: packets that waited for them get their turn.
void Connection::replay_stored(Instant now) {
    if (held_.packets.empty()) return;
    for (StoredPacket& stored : held_.packets.take()) {
        if (!keyring_.has_receive_keys(stored.level)) {
            if (may_open_later(stored.level)) {
                held_.packets.store(stored.bytes, stored.addresses, stored.ecn, stored.level,
                                    stored.credit);
            }
            continue;
        }
        ReceivedDatagram datagram{.data = stored.bytes,
                                  .local = stored.addresses.local,
                                  .remote = stored.addresses.remote,
                                  .ecn = stored.ecn};
        Arrival arrival = arrival_of(datagram, now);
        arrival.datagram_length = stored.credit;
        auto packet = wire::decode_packet(datagram.data, config_.source_id.length(), fixed_bit());
        if (!packet) continue;
        if (auto* wanted = std::get_if<wire::ProtectedPacket>(&*packet)) {
            receive_protected(*wanted, arrival);
            settle();  // `stored` goes away
        }
    }
}

void Connection::drop(DropReason reason, std::size_t length, Instant now) {
    ++counters_.packets_dropped;
    observer_.emit(now, observe::PacketDropped{.reason = reason, .length = length});
}

void Connection::finish_receiving(Instant now) {
    if (!close_.is_open()) return;
    replay_stored(now);
    // Whatever came may have earned that more is sent.
    recovery_.set_amplification_limited(paths_.active().amplification.blocked());
    if (status_.confirmed && ids_.local.active_count() < path::LocalConnectionIds::kMaxActive) {
        ids_.local.issue(shared_.ids);
    }
}

}  // namespace stoq::connection
