// How datagrams come to be, in order of urgency: the end of the connection, path validation, the
// coalesced packets of a handshake, an MTU probe, and trains of 1-RTT packets.
//
// A packet is written in the clear straight into the slot, recorded, and sealed there: alone during
// the handshake, with its whole train afterwards.
#include <algorithm>

#include "connection/connection.h"
#include "wire/frame_encode.h"

namespace stoq::connection {
namespace {

// To several paths, of which none is the one whose window counts.
constexpr std::uint32_t kMostUnheardPathResponses = 64;

// In the order of their packets in a datagram.
constexpr std::array kCoalescedLevels{EncryptionLevel::kInitial, EncryptionLevel::kZeroRtt,
                                      EncryptionLevel::kHandshake, EncryptionLevel::kOneRtt};

wire::SentFrame bare(wire::SentFrameKind kind) {
    wire::SentFrame frame{};
    frame.kind = kind;
    return frame;
}

}  // namespace

bool Connection::transmit(TransmitSlot& slot, Instant now) {
    slot.length = 0;
    if (!close_.is_open()) return transmit_close(slot, now);
    if (const auto error = keyring_.usage_error(EncryptionLevel::kOneRtt)) {
        fail(*error, now);
        return transmit_close(slot, now);
    }
    if (transmit_path_validation(slot, now)) return true;
    if (!status_.confirmed) return transmit_coalesced(slot, now);
    if (transmit_mtu_probe(slot, now)) return true;
    return transmit_train(slot, now);
}

// --- What may be sent ---

// On a short path a window grows without a loss until the peer's socket buffer overflows, and all
// of it waits there: the window is no more than what 80 Gbit/s need on the path, or what keeps both
// ends busy over loopback (docs/performance.md, "Beside a bulk stream").
std::uint64_t Connection::most_on_path() const {
    constexpr std::uint64_t kLeast = 512 << 10;
    // A peer that acknowledges every 32 datagrams must not have to wait for more of them.
    constexpr std::uint64_t kLeastDatagrams = 64;
    constexpr std::uint64_t kBytesPerMicrosecond = 10'000;
    // Of the smoothed time, of which queues make most: so small that they do not feed themselves,
    // and enough where the path has become a longer one since the shortest was seen.
    constexpr int kPartOfSmoothed = 32;
    const recovery::RttEstimator& rtt = recovery_.rtt();
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(
        std::max(rtt.min(), rtt.smoothed() / kPartOfSmoothed));
    return std::max({kLeast, kLeastDatagrams * datagram_size(),
                     static_cast<std::uint64_t>(time.count()) * kBytesPerMicrosecond});
}

Connection::SendBudget Connection::send_budget(Instant now) {
    SendBudget budget;
    //= 9000-14.1-6
    budget.total = paths_.active().amplification.allowance();
    const std::uint64_t in_flight = recovery_.bytes_in_flight();
    const std::uint64_t window = controller_->window();
    //= 9002-7-3
    budget.data = window > in_flight ? window - in_flight : 0;
    timers_.pace = kNever;
    if (budget.data == 0 || !config_.settings.pacing) return budget;
    if (in_flight == 0) pacer_.on_idle();
    const std::uint64_t paced = pacer_.budget(now);
    // Whoever asks all the time would get a datagram at a time: wait until a train may leave, or
    // about all that there is.
    const std::uint64_t buffered = streams_.buffered_to_send();
    const std::uint64_t unsent = buffered > in_flight ? buffered - in_flight : 0;
    const std::uint64_t wanted =
        std::min({budget.data, pacer_.quantum(), std::max<std::uint64_t>(datagram_size(), unsent)});
    if (paced >= wanted) {
        budget.data = std::min(budget.data, paced);
        return budget;
    }
    budget.data = 0;
    const auto waits = [&](EncryptionLevel level) {
        return keyring_.has_send_keys(level) && has_something_to_send(level, true, now);
    };
    if (std::ranges::any_of(kCoalescedLevels, waits)) {
        timers_.pace = pacer_.next_send(now, wanted);
    }
    return budget;
}

bool Connection::ack_is_due(PacketNumberSpace space, Instant now) const {
    return tracker(space).ack_now() || now >= tracker(space).ack_deadline();
}

bool Connection::has_application_frames() const {
    return has_frames_besides_streams() || streams_.has_pending();
}

bool Connection::has_frames_besides_streams() const {
    return pending_.handshake_done || pending_.new_token || ids_.local.has_frames_to_write() ||
           ids_.remote.has_frames_to_write() || pending_.datagrams.has_pending() ||
           pending_.ack_frequency.has_frame_to_write() ||
           handshake_.has_pending(PacketNumberSpace::kApplication);
}

bool Connection::has_something_to_send(EncryptionLevel level, bool may_elicit, Instant now) const {
    const PacketNumberSpace space = space_of(level);
    // 0-RTT packets carry no ACK frames.
    if (level == EncryptionLevel::kZeroRtt) {
        return may_elicit &&
               (pending_.ping || streams_.has_pending() || pending_.datagrams.has_pending());
    }
    if (ack_is_due(space, now)) return true;
    if (!may_elicit) return false;
    if (pending_.probes[index_of(space)] > 0 || handshake_.has_pending(space)) return true;
    return level == EncryptionLevel::kOneRtt && (pending_.ping || has_application_frames());
}

// --- Writing one packet ---

std::optional<PacketBuilder> Connection::begin_packet(EncryptionLevel level, Bytes room,
                                                      path::PathIndex path) {
    const PacketNumberSpace space = space_of(level);
    const wire::ConnectionId* destination = ids_.remote.id_of(path);
    if (destination == nullptr || !recovery_.has_room(space)) return std::nullopt;
    const bool initial = level == EncryptionLevel::kInitial;
    PacketHeaderFields fields;
    fields.level = level;
    //= 9369-4.1-10
    fields.version =
        level == EncryptionLevel::kZeroRtt ? config_.version : status_.versions.current;
    fields.fixed_bit = next_fixed_bit();
    fields.destination = *destination;
    if (level != EncryptionLevel::kOneRtt) fields.source = config_.source_id;
    //= 9000-8.1.2-1
    //= 9000-8.1.3-2
    if (initial) {
        fields.token = {reinterpret_cast<const std::uint8_t*>(tokens_.initial.data()),
                        tokens_.initial.size()};
    }
    //= 9000-17.2.3-2
    fields.number = recovery_.next_packet_number(space, shared_.ids.random);
    fields.largest_acknowledged = recovery_.largest_acked(space);
    return PacketBuilder::begin(room, fields);
}

// Unpredictable for a peer that does not mind, so that nobody on the path relies on it (RFC 9287).
//= 9287-3.1-1
//= 9287-3.1-3
//= 9287-3.1-4
//= 9287-3.1-6
bool Connection::next_fixed_bit() {
    if (!config_.settings.grease_quic_bit || !peer_parameters_ ||
        !peer_parameters_->grease_quic_bit) {
        return true;
    }
    if (status_.fixed_bits.left == 0) status_.fixed_bits = {shared_.ids.random.next_uint64(), 64};
    --status_.fixed_bits.left;
    const bool set = (status_.fixed_bits.bits & 1) != 0;
    status_.fixed_bits.bits >>= 1;
    return set;
}

// The order of frames in a packet.
void Connection::write_frames(PacketBuilder& packet, bool may_elicit, Instant now) {
    wire::PayloadWriter& writer = packet.payload();
    const PacketNumberSpace space = space_of(packet.level());
    if (packet.level() == EncryptionLevel::kZeroRtt) return write_early_frames(writer, now);
    //= 9000-13.2.6-1
    //= 9000-13.2.6-2
    //= 9000-17.2.3-4
    // In the handshake, what was said long ago would be taken for a long round trip.
    const bool asks_for_answer = packet.level() == EncryptionLevel::kOneRtt &&
                                 (pending_.probes[index_of(space)] > 0 || pending_.ping);
    if (tracker(space).ack_pending() || tracker(space).ack_now() ||
        (asks_for_answer && may_elicit && tracker(space).is_unconfirmed())) {
        tracker(space).write_ack(writer, now, 3);
    }
    if (!may_elicit) return;
    // Either probe may be lost as well: the second repeats what was in the first.
    if (space != PacketNumberSpace::kApplication && pending_.probes[index_of(space)] > 0) {
        requeue_for_probe(space, now);
    }
    handshake_.write_crypto(space, writer);
    if (packet.level() == EncryptionLevel::kOneRtt) write_application_frames(writer, now);
    // A probe is for an answer now, whatever was asked for before.
    if (packet.level() == EncryptionLevel::kOneRtt && pending_.probes[index_of(space)] > 0 &&
        pending_.ack_frequency.enabled() && writer.can_record() &&
        wire::encode(writer.bytes(), wire::ImmediateAckFrame{})) {
        writer.record(bare(wire::SentFrameKind::kNone));
    }
    //= 9002-6.2.4-1
    //= 9002-6.2.4-3
    //= 9002-6.2.4-8
    const bool wants_ping =
        pending_.probes[index_of(space)] > 0 ||
        (packet.level() == EncryptionLevel::kOneRtt &&
         (pending_.ping || (!writer.empty() && recovery_.should_elicit_ack(space, now))));
    if (wants_ping && !writer.ack_eliciting() && writer.can_record() &&
        wire::encode(writer.bytes(), wire::PingFrame{})) {
        writer.record(bare(wire::SentFrameKind::kNone));
    }
}

// What 0-RTT packets may carry and a client may have at that time (RFC 9000 section 12.5).
void Connection::write_early_frames(wire::PayloadWriter& writer, Instant now) {
    const bool streams_pending = streams_.has_pending();
    if (streams_pending && !streams_.write_control_frames(writer)) return;
    if (pending_.datagrams.has_pending()) {
        write_datagrams(writer, streams_.first_urgency(), now);
    }
    if (streams_pending) streams_.write_stream_frames(writer);
    if (pending_.ping && !writer.ack_eliciting() && writer.can_record() &&
        wire::encode(writer.bytes(), wire::PingFrame{})) {
        writer.record(bare(wire::SentFrameKind::kNone));
    }
}

void Connection::write_application_frames(wire::PayloadWriter& writer, Instant now) {
    if (pending_.handshake_done && wire::encode(writer.bytes(), wire::HandshakeDoneFrame{})) {
        writer.record(bare(wire::SentFrameKind::kHandshakeDone));
        pending_.handshake_done = false;
    }
    if (ids_.local.has_frames_to_write()) ids_.local.write_new_connection_ids(writer);
    if (ids_.remote.has_frames_to_write()) ids_.remote.write_retire_connection_ids(writer);
    if (pending_.ack_frequency.has_frame_to_write()) {
        pending_.ack_frequency.write_ack_frequency(writer);
    }
    if (pending_.new_token && writer.can_record()) {
        const ByteView token{reinterpret_cast<const std::uint8_t*>(tokens_.to_send.data()),
                             tokens_.to_send.size()};
        if (wire::encode(writer.bytes(), wire::NewTokenFrame{token})) {
            writer.record(bare(wire::SentFrameKind::kNewToken));
            pending_.new_token = false;
        }
    }
    const bool streams_pending = streams_.has_pending();
    if (streams_pending && !streams_.write_control_frames(writer)) return;
    if (pending_.datagrams.has_pending()) {
        write_datagrams(writer, streams_.first_urgency(), now);
    }
    if (streams_pending) streams_.write_stream_frames(writer);
}

// The packet is complete: tell everybody who counts packets.
void Connection::finish_packet(PacketBuilder& packet, path::PathIndex path, Ecn ecn, Instant now,
                               Purpose purpose) {
    const wire::PayloadWriter& writer = packet.payload();
    const PacketNumberSpace space = space_of(packet.level());
    const std::size_t length = packet.length();
    bool mtu_probe = false;
    for (const wire::SentFrame& frame : writer.records()) {
        mtu_probe |= frame.kind == wire::SentFrameKind::kMtuProbe;
    }
    recovery_.on_packet_sent(
        {.space = space,
         .number = packet.number(),
         .bytes = static_cast<std::uint32_t>(length),
         .ack_eliciting = writer.ack_eliciting(),
         .in_flight = writer.in_flight(),
         .mtu_probe = mtu_probe,
         .ecn = ecn,
         .path = path == paths_.active_index() ? status_.recovery_path : recovery::kOtherPath,
         .frames = writer.records()},
        now);
    paths_[path].ecn.on_packet_sent(space, ecn == Ecn::kEct0);
    if (writer.in_flight()) {
        controller_->on_packet_sent(now, length, recovery_.bytes_in_flight());
        if (config_.settings.pacing) pacer_.on_sent(now, length);
    }
    ++counters_.packets_sent;
    if (writer.ack_eliciting()) {
        if (purpose == Purpose::kTraffic) {
            if (pending_.probes[index_of(space)] > 0) --pending_.probes[index_of(space)];
            if (space == PacketNumberSpace::kApplication) pending_.ping = false;
        }
        if (!std::exchange(timers_.idle_restarted_by_sending, true)) restart_idle_timer(now);
    }
    observer_.emit(now, observe::PacketSent{.type = observe::packet_type_of(packet.level()),
                                            .number = packet.number(),
                                            .length = length,
                                            .payload = packet.frames(),
                                            .is_mtu_probe = mtu_probe,
                                            .ecn = ecn});
}

// The datagrams in the slot are complete.
void Connection::address_slot(TransmitSlot& slot, path::PathIndex path, std::size_t length,
                              Ecn ecn) {
    slot.length = length;
    if (slot.datagram_length == 0) slot.datagram_length = length;
    slot.local = paths_[path].addresses.local;
    slot.remote = paths_[path].addresses.remote;
    slot.ecn = ecn;
    counters_.bytes_sent += length;
    counters_.datagrams_sent += (length + slot.datagram_length - 1) / slot.datagram_length;
    paths_[path].amplification.on_sent(length);
    recovery_.set_amplification_limited(paths_.active().amplification.blocked());
}

// --- Kinds of datagrams ---

// PATH_CHALLENGE and PATH_RESPONSE go in datagrams of their own, on the path that they are about,
// before any data does: the first packet on a new path is a challenge.
//= 9000-8.2.2-2
//= 9000-8.2.2-3
bool Connection::transmit_path_validation(TransmitSlot& slot, Instant now) {
    if (!keyring_.has_send_keys(EncryptionLevel::kOneRtt)) return false;
    std::optional<path::PathIndex> chosen;
    const bool may_respond = may_send_path_response();
    paths_.for_each([&](path::PathIndex index, path::PathState& path) {
        const bool wanted =
            path.validator.has_challenge_to_write() || (may_respond && !path.responses.empty());
        // Where nothing fits, the others need not wait.
        if (wanted && !path.amplification.blocked() && ids_.remote.id_of(index) != nullptr) {
            chosen = index;
        }
    });
    if (!chosen) return false;
    path::PathState& path = paths_[*chosen];
    //= 9000-8.2.1-5
    //= 9000-8.2.2-5
    //= 9000-8.2.2-6
    const bool expand = path.may_expand() && slot.buffer.size() >= path::kMinPathDatagramSize;
    const std::size_t room = std::min<std::size_t>(
        {slot.buffer.size(), path::kMinPathDatagramSize,
         static_cast<std::size_t>(std::min<std::uint64_t>(path.amplification.allowance(), 65527))});
    auto packet = begin_packet(EncryptionLevel::kOneRtt, slot.buffer.first(room), *chosen);
    if (!packet) return false;
    const bool responds = may_respond && !path.responses.empty();
    while (responds && path.responses.write_path_response(packet->payload())) {
    }
    if (!packet->payload().empty()) ++status_.unheard_path_responses;
    path.validator.write_path_challenge(packet->payload(), expand);
    if (packet->payload().empty()) return false;
    if (expand) packet->pad_to(path::kMinPathDatagramSize);
    finish_packet(*packet, *chosen, Ecn::kNotEct, now, Purpose::kPathProbe);
    const protection::PacketToSeal to_seal = packet->finish();
    if (!keyring_.seal(EncryptionLevel::kOneRtt, {&to_seal, 1})) return false;
    slot.datagram_length = 0;
    address_slot(slot, *chosen, packet->length(), Ecn::kNotEct);
    return true;
}

// A peer that asks again and again and acknowledges nothing is answered no more than it could be
// sent data. What waits is bounded by path::PathResponses.
//= 9002-7-3
bool Connection::may_send_path_response() const {
    return status_.unheard_path_responses < kMostUnheardPathResponses &&
           recovery_.bytes_in_flight() + path::kMinPathDatagramSize <= controller_->window();
}

bool Connection::transmit_mtu_probe(TransmitSlot& slot, Instant now) {
    path::MtuDiscovery& mtu = paths_.active().mtu;
    const auto size = mtu.probe_size_to_send(slot.buffer.size(), now);
    // A probe is ordinary traffic as far as congestion goes, and never the first thing sent.
    if (!size || slot.buffer.size() < *size || !recovery_.rtt().has_sample()) return false;
    if (recovery_.bytes_in_flight() + *size > controller_->window()) return false;
    if (!paths_.active().amplification.validated()) return false;
    const path::PathIndex path = paths_.active_index();
    auto packet = begin_packet(EncryptionLevel::kOneRtt, slot.buffer.first(*size), path);
    if (!packet || !wire::encode(packet->payload().bytes(), wire::PingFrame{})) return false;
    wire::SentFrame record{};
    record.kind = wire::SentFrameKind::kMtuProbe;
    record.value = *size;
    packet->payload().record(record);
    packet->pad_to(*size);
    const Ecn ecn = paths_.active().ecn.mark();
    finish_packet(*packet, path, ecn, now, Purpose::kPathProbe);
    mtu.on_probe_sent(*size);
    ++counters_.mtu_probes_sent;
    const protection::PacketToSeal to_seal = packet->finish();
    if (!keyring_.seal(EncryptionLevel::kOneRtt, {&to_seal, 1})) return false;
    slot.datagram_length = 0;
    address_slot(slot, path, *size, ecn);
    return true;
}

// A flight of the handshake, as a train: full datagrams, and one that may be shorter.
bool Connection::transmit_coalesced(TransmitSlot& slot, Instant now) {
    const Ecn ecn = paths_.active().ecn.mark();
    const std::size_t full = datagram_size();
    std::size_t used = 0;
    for (std::size_t count = 0; count < slot.max_datagrams; ++count) {
        const std::size_t length = write_coalesced(slot.buffer.subspan(used), used, ecn, now);
        used += length;
        if (length < full) break;
    }
    if (used == 0) return false;
    slot.datagram_length = std::min(full, used);
    address_slot(slot, paths_.active_index(), used, ecn);
    return true;
}

// One datagram of Initial, Handshake and 1-RTT packets, as far as there are keys and news; `before`
// bytes are in the slot already. Returns its length, 0 for none.
//= 9000-12.2-4
std::size_t Connection::write_coalesced(Bytes room, std::size_t before, Ecn ecn, Instant now) {
    const SendBudget budget = send_budget(now);
    const path::PathIndex path = paths_.active_index();
    if (budget.total <= before) return 0;
    const std::size_t limit = static_cast<std::size_t>(
        std::min<std::uint64_t>({room.size(), datagram_size(), budget.total - before}));
    CoalescedPackets packets;
    for (const EncryptionLevel level : kCoalescedLevels) {
        if (!keyring_.has_send_keys(level)) continue;
        // What a server cannot expand must not elicit an acknowledgement.
        //= 9000-14.1-2
        const bool expandable = level != EncryptionLevel::kInitial ||
                                config_.role == Role::kClient || limit >= path::kBaseDatagramSize;
        const bool may_elicit =
            expandable && (budget.data >= limit || pending_.probes[index_of(space_of(level))] > 0);
        if (!has_something_to_send(level, may_elicit, now)) continue;
        auto packet = begin_packet(level, room.subspan(packets.used, limit - packets.used), path);
        if (!packet) continue;
        write_frames(*packet, may_elicit, now);
        if (!packet->payload().empty()) packets.add(std::move(*packet));
    }
    return finish_coalesced(packets, limit, ecn, now);
}

// Expands the datagram to what its Initial packet asks for, if there is one, but to no more than
// `limit`, and seals its packets. Returns its length, 0 for none.
std::size_t Connection::finish_coalesced(CoalescedPackets& packets, std::size_t limit, Ecn ecn,
                                         Instant now) {
    if (packets.count == 0) return 0;
    const std::span all = std::span(packets.packets).first(packets.count);
    const PacketBuilder& first = *all.front();
    //= 9000-14.1-1
    //= 9000-14.1-2
    //= 9000-8.1-4
    //= 9000-8.1-6
    const bool must_expand = first.level() == EncryptionLevel::kInitial &&
                             (config_.role == Role::kClient || first.payload().ack_eliciting());
    if (must_expand && packets.used < path::kBaseDatagramSize) {
        const std::size_t missing = std::min(path::kBaseDatagramSize, limit) - packets.used;
        all.back()->pad_to(all.back()->length() + missing);
        packets.used += missing;
    }
    bool handshake = false;
    for (auto& packet : all) {
        finish_packet(*packet, paths_.active_index(), ecn, now);
        const protection::PacketToSeal to_seal = packet->finish();
        if (!keyring_.seal(packet->level(), {&to_seal, 1})) return 0;
        handshake |= packet->level() == EncryptionLevel::kHandshake;
    }
    //= 9001-4.9.1-1
    //= 9001-4.9.1-2
    if (config_.role == Role::kClient && handshake) {
        discard_space(PacketNumberSpace::kInitial, now);
    }
    return packets.used;
}

// As many full datagrams as slot, window and pacer take, sealed together. Around the packets that
// are written frame by frame, extend_train() adds those that hold nothing but stream data.
bool Connection::transmit_train(TransmitSlot& slot, Instant now) {
    const SendBudget budget = send_budget(now);
    const path::PathIndex path = paths_.active_index();
    std::uint8_t& probes = pending_.probes[index_of(PacketNumberSpace::kApplication)];
    const std::size_t size = std::min(
        probes > 0 ? paths_.active().mtu.size_for_probe_timeout(recovery_.probe_timeout_count())
                   : datagram_size(),
        slot.buffer.size());
    Train train;
    train.room = slot.buffer.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(slot.buffer.size(), budget.total)));
    // An address that is not proved may be owed less than a full datagram: an acknowledgement fits.
    train.size = std::min(size, train.room.size());
    train.most = std::min(slot.max_datagrams, Train::kMostPackets);
    train.budget = budget.data;
    train.ecn = paths_.active().ecn.mark();
    for (extend_train(train, now); train.has_room(); extend_train(train, now)) {
        const bool may_elicit = train.used + train.size <= train.budget || probes > 0;
        if (!has_something_to_send(EncryptionLevel::kOneRtt, may_elicit, now)) {
            if (may_elicit) recovery_.on_app_limited();
            break;
        }
        auto packet = begin_packet(EncryptionLevel::kOneRtt, train.next(), path);
        if (!packet) break;
        write_frames(*packet, may_elicit, now);
        //= 9000-12.4-1
        if (packet->payload().empty()) break;
        finish_packet(*packet, path, train.ecn, now);
        train.add(packet->length()) = packet->finish();
        if (packet->length() < train.size) break;
    }
    const std::span packets = std::span(train.packets).first(train.count);
    if (packets.empty() || !keyring_.seal(EncryptionLevel::kOneRtt, packets)) return false;
    slot.datagram_length = std::min(train.size, train.used);
    address_slot(slot, path, train.used, train.ecn);
    return true;
}

// --- The end ---

// CONNECTION_CLOSE in every packet type that the peer may be able to open (RFC 9000 section
// 10.2.3), coalesced.
bool Connection::transmit_close(TransmitSlot& slot, Instant now) {
    if (!close_.send_due()) return false;
    close_.on_sent();
    //= 9000-10.2.1-7
    const std::size_t limit = static_cast<std::size_t>(std::min<std::uint64_t>(
        {slot.buffer.size(), path::kBaseDatagramSize, paths_.active().amplification.allowance()}));
    CoalescedPackets packets;
    for (const EncryptionLevel level : kCoalescedLevels) {
        // Once the handshake is confirmed there are no other keys than those of 1-RTT.
        //= 9000-10.2.3-1
        //= 9000-10.2.3-3
        //= 9000-10.2.3-4
        //= 9000-10.2.3-5
        if (!keyring_.has_send_keys(level) || level == EncryptionLevel::kZeroRtt) continue;
        const Bytes room = slot.buffer.subspan(packets.used, limit - packets.used);
        auto packet = begin_packet(level, room, paths_.active_index());
        if (packet && write_close(*packet)) packets.add(std::move(*packet));
    }
    const std::size_t used = finish_coalesced(packets, limit, Ecn::kNotEct, now);
    if (used == 0) return false;
    slot.datagram_length = 0;
    address_slot(slot, paths_.active_index(), used, Ecn::kNotEct);
    return true;
}

// False when it does not fit.
bool Connection::write_close(PacketBuilder& packet) const {
    const CloseInfo& info = close_.info();
    const bool application = info.kind == CloseKind::kLocalApplication;
    wire::ConnectionCloseFrame frame;
    if (application && packet.level() != EncryptionLevel::kOneRtt) {
        //= 9000-10.2.3-6
        //= 9000-10.2.3-7
        frame.error_code = static_cast<std::uint64_t>(TransportErrorCode::kApplicationError);
    } else {
        frame.application = application;
        frame.error_code = info.code;
        frame.frame_type = application ? 0 : info.frame_type;
        const std::string_view text = application ? info.phrase : to_string(info.reason);
        frame.reason = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
    }
    return wire::encode(packet.payload().bytes(), frame);
}

}  // namespace stoq::connection
