// What it means, frame by frame, that a packet was acknowledged or lost (RFC 9000 section 13.3),
// and what the congestion controller is told of it.
#include <algorithm>
#include <array>
#include <utility>

#include "connection/connection.h"

namespace stoq::connection {

void Connection::apply(const recovery::AckOutcome& outcome, PacketNumberSpace space, Instant now) {
    for (const wire::SentFrame& frame : outcome.acked) on_frame_acked(frame, space, now);
    if (outcome.rtt_updated) {
        controller_->set_max_window(
            std::min(config_.settings.max_congestion_window, most_on_path()));
    }
    if (outcome.newly_acked > 0) status_.unheard_path_responses = 0;
    if (outcome.acked_packets > 0) {
        paths_.active().mtu.on_datagram_acked(outcome.largest_packet.bytes,
                                              outcome.largest_packet.time_sent);
    }
    apply(outcome.lost, space, now);
    if (outcome.spurious_packets > 0) {
        controller_->on_spurious_loss(now, outcome.spurious_packets, outcome.spurious_sent_time);
    }
    if (outcome.acked_bytes > 0) {
        const recovery::RttEstimator& rtt = recovery_.rtt();
        controller_->on_acknowledged(
            {.now = now,
             .acked_bytes = outcome.acked_bytes,
             .bytes_in_flight_before = outcome.bytes_in_flight_before,
             .largest_acked_sent_time = outcome.largest_acked_sent_time,
             .latest_rtt = outcome.rtt_updated ? rtt.latest() : Duration::zero(),
             .smoothed_rtt = rtt.smoothed(),
             .min_rtt = rtt.min(),
             .app_limited = outcome.app_limited,
             .delivery_rate = outcome.delivery.bytes_per_second(),
             .total_delivered = outcome.delivery.total_delivered,
             .prior_delivered = outcome.delivery.prior_delivered,
             .flight_bytes = outcome.delivery.flight_bytes,
             .lost_since_sent = outcome.delivery.lost});
    }
    if (outcome.rtt_updated) {
        streams_.on_rtt(recovery_.rtt().smoothed());
        streams_.on_congestion_window(controller_->window());
        remember_path();
        pending_.ack_frequency.update({.window_datagrams = controller_->window() / datagram_size(),
                                       .smoothed_rtt = recovery_.rtt().smoothed()});
    }
    update_pacer(now);
    emit_metrics(now);
}

// The token that the client comes back with tells what this connection has learned. A new one is
// worth its bytes when the window has doubled.
void Connection::remember_path() {
    if (config_.role == Role::kClient || !status_.confirmed) return;
    if (controller_->window() < 2 * status_.remembered_window) return;
    const auto memory = path_memory();
    if (!memory) return;
    status_.remembered_window = memory->congestion_window;
    status_.wants_token = true;
}

void Connection::apply(const recovery::LossInfo& lost, PacketNumberSpace space, Instant now) {
    for (const wire::SentFrame& frame : lost.frames) on_frame_lost(frame, now);
    emit_lost(lost, space, now);
    // Packets of 1-RTT that wait for the handshake may fill the window, and they are acknowledged
    // only after it: what the handshake has lost goes out like the one packet that RFC 9002 section
    // 7.3.2 lets go when recovery begins.
    if (space != PacketNumberSpace::kApplication && !lost.frames.empty()) {
        pending_.probes[index_of(space)] =
            std::max<std::uint8_t>(pending_.probes[index_of(space)], 1);
    }
    if (!lost.congestion()) return;
    counters_.packets_lost += lost.packets;
    //= 9000-13.3-7
    controller_->on_lost({.now = now,
                          .lost_bytes = lost.bytes,
                          .lost_packets = lost.packets,
                          .lost_ranges = lost.ranges,
                          .latest_lost_sent_time = lost.latest_sent_time,
                          .bytes_in_flight = recovery_.bytes_in_flight(),
                          .total_delivered = recovery_.delivery().delivered(),
                          .flight_bytes = lost.flight_bytes,
                          .lost_since_sent = lost.lost_since_sent,
                          .app_limited = lost.app_limited,
                          .persistent_congestion = lost.persistent_congestion});
    const path::MtuOutcome mtu =
        paths_.active().mtu.on_datagram_lost(lost.largest.bytes, lost.largest.time_sent, now);
    if (mtu.changed) on_datagram_size_changed(mtu, now);
    path::EcnValidator& ecn = paths_.active().ecn;
    const observe::EcnState before = ecn.state();
    bool changed = false;
    for (std::uint32_t i = 0; i < lost.marked; ++i) changed |= ecn.on_marked_packet_lost();
    if (changed) emit_ecn_state(before, now);
}

// Which of the application's packets were 0-RTT is not remembered.
void Connection::emit_lost(const recovery::LossInfo& lost, PacketNumberSpace space,
                           Instant now) const {
    constexpr std::array kTypes{observe::PacketType::kInitial, observe::PacketType::kHandshake,
                                observe::PacketType::kOneRtt};
    for (const recovery::LostPacket& packet : lost.each) {
        observer_.emit(
            now, observe::PacketLost{.type = kTypes[index_of(space)],
                                     .number = packet.number,
                                     .length = packet.bytes,
                                     .trigger = packet.by_time
                                                    ? observe::LossTrigger::kTimeThreshold
                                                    : observe::LossTrigger::kReorderingThreshold,
                                     .is_mtu_probe = packet.mtu_probe});
    }
}

void Connection::on_datagram_size_changed(const path::MtuOutcome& outcome, Instant now) {
    const auto size = static_cast<std::uint32_t>(datagram_size());
    controller_->on_datagram_size_changed(size);
    pacer_.on_datagram_size_changed(size);
    if (outcome.black_hole) ++counters_.black_holes;
    observer_.emit(now, observe::MtuUpdated{.path = paths_.active().serial,
                                            .new_size = size,
                                            .done = paths_.active().mtu.search_complete(),
                                            .black_hole = outcome.black_hole});
}

void Connection::on_frame_acked(const wire::SentFrame& frame, PacketNumberSpace space,
                                Instant now) {
    using Kind = wire::SentFrameKind;
    switch (frame.kind) {
        case Kind::kStream:
        case Kind::kResetStream:
        case Kind::kStopSending:
        case Kind::kMaxData:
        case Kind::kMaxStreamData:
        case Kind::kMaxStreams:
        case Kind::kDataBlocked:
        case Kind::kStreamDataBlocked:
        case Kind::kStreamsBlocked: return streams_.on_acked(frame);
        case Kind::kAck: return tracker(space).on_ack_acknowledged(frame.value);
        case Kind::kCrypto: return handshake_.on_acked(frame);
        case Kind::kNewConnectionId: return ids_.local.on_acked(frame.value);
        case Kind::kRetireConnectionId: return ids_.remote.on_acked(frame.value);
        case Kind::kMtuProbe: {
            const path::MtuOutcome outcome =
                paths_.active().mtu.on_probe_acked(static_cast<std::size_t>(frame.value), now);
            if (outcome.changed) on_datagram_size_changed(outcome, now);
            return;
        }
        case Kind::kNone:
        case Kind::kHandshakeDone:
        case Kind::kNewToken:
        case Kind::kPathChallenge:
        case Kind::kPathResponse:
        case Kind::kDatagram:
        case Kind::kAckFrequency: return;
    }
}

void Connection::on_frame_lost(const wire::SentFrame& frame, Instant now) {
    using Kind = wire::SentFrameKind;
    switch (frame.kind) {
        case Kind::kStream:
        case Kind::kResetStream:
        case Kind::kStopSending:
        case Kind::kMaxData:
        case Kind::kMaxStreamData:
        case Kind::kMaxStreams:
        case Kind::kDataBlocked:
        case Kind::kStreamDataBlocked:
        case Kind::kStreamsBlocked: return streams_.on_lost(frame);
        case Kind::kCrypto: return handshake_.on_lost(frame);
        case Kind::kNewConnectionId: return ids_.local.on_lost(frame.value);
        case Kind::kRetireConnectionId: return ids_.remote.on_lost(frame.value);
        case Kind::kMtuProbe:
            return paths_.active().mtu.on_probe_lost(static_cast<std::size_t>(frame.value), now);
        //= 9000-13.3-3
        case Kind::kHandshakeDone: pending_.handshake_done = true; return;
        case Kind::kNewToken: pending_.new_token = true; return;
        case Kind::kDatagram: return pending_.datagrams.on_lost();
        case Kind::kAckFrequency: return pending_.ack_frequency.on_lost(frame.value);
        // Newer ones take their place (ACK, PATH_CHALLENGE), or nobody needs them again.
        case Kind::kNone:
        case Kind::kAck:
        case Kind::kPathChallenge:
        case Kind::kPathResponse: return;
    }
}

void Connection::on_ecn_feedback(const wire::AckFrame& frame, const recovery::AckOutcome& outcome,
                                 PacketNumberSpace space, Instant now) {
    path::EcnValidator& ecn = paths_.active().ecn;
    const observe::EcnState before = ecn.state();
    const path::EcnOutcome result =
        ecn.on_ack({.space = space,
                    .newly_acked_marked = outcome.acked_ect0,
                    .counts = frame.ecn,
                    .largest_acked_increased = outcome.largest_advanced});
    if (result.state_changed) emit_ecn_state(before, now);
    if (result.new_ce > 0 && outcome.newly_acked > 0) {
        controller_->on_congestion_experienced(now, outcome.largest_acked_sent_time);
    }
}

void Connection::emit_ecn_state(observe::EcnState before, Instant now) const {
    observer_.emit(now, observe::EcnStateUpdated{.path = paths_.active().serial,
                                                 .old_state = before,
                                                 .new_state = paths_.active().ecn.state()});
}

void Connection::update_pacer(Instant now) {
    if (!config_.settings.pacing || !recovery_.rtt().has_sample()) return;
    pacer_.set_rate(now, controller_->pacing_rate(recovery_.rtt().smoothed()));
}

void Connection::emit_metrics(Instant now) {
    if (!observer_.enabled()) return;
    const std::string_view state = controller_->state_name();
    const std::string_view before = std::exchange(status_.congestion_state, state);
    if (state != before) {
        observer_.emit(now,
                       observe::CongestionStateUpdated{.old_state = before, .new_state = state});
    }
    const recovery::RttEstimator& rtt = recovery_.rtt();
    observer_.emit(
        now, observe::MetricsUpdated{.min_rtt = rtt.min(),
                                     .smoothed_rtt = rtt.smoothed(),
                                     .latest_rtt = rtt.latest(),
                                     .rtt_variation = rtt.variation(),
                                     .pto_count = recovery_.probe_timeout_count(),
                                     .congestion_window = controller_->window(),
                                     .bytes_in_flight = recovery_.bytes_in_flight(),
                                     .slow_start_threshold = controller_->slow_start_threshold(),
                                     .pacing_rate = pacer_.rate() * 8});
}

}  // namespace stoq::connection
