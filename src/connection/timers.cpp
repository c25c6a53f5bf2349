// What time does to a connection. Every part has its own deadlines; here they meet.
#include <algorithm>

#include "base/instant_after.h"
#include "connection/connection.h"

namespace stoq::connection {

Instant Connection::next_timeout() const {
    switch (close_.phase()) {
        case ClosePhase::kClosed: return kNever;
        case ClosePhase::kClosing:
        case ClosePhase::kDraining: return close_.deadline();
        case ClosePhase::kOpen: break;
    }
    // An acknowledgement that may not leave is sent when the peer's next datagram allows it.
    const bool blocked = paths_.active().amplification.blocked();
    return std::min({timers_.idle, timers_.keep_alive, timers_.handshake, timers_.pace,
                     timers_.discard_early_keys, recovery_.timer(),
                     blocked ? kNever : ack_deadline(), paths_.next_timeout(),
                     keyring_.one_rtt().next_deadline(), pending_.datagrams.next_deadline()});
}

Instant Connection::ack_deadline() const {
    Instant earliest = kNever;
    for (const auto level :
         {EncryptionLevel::kInitial, EncryptionLevel::kHandshake, EncryptionLevel::kOneRtt}) {
        if (!keyring_.has_send_keys(level)) continue;
        earliest = std::min(earliest, tracker(space_of(level)).ack_deadline());
    }
    return earliest;
}

void Connection::on_timeout(Instant now) {
    if (!close_.is_open()) {
        if (now < close_.deadline()) return;
        close_.expire();
        return emit_forgotten(now);
    }
    if (now >= timers_.idle) return vanish(CloseKind::kIdleTimeout, now);
    if (now >= timers_.handshake) {
        return vanish(CloseKind::kHandshakeTimeout, now, reason_of_handshake_timeout());
    }
    if (now >= timers_.keep_alive) {
        pending_.ping = true;
        timers_.keep_alive = kNever;  // set again when the PING leaves
        streams_.repeat_blocked_signals();
    }
    if (now >= timers_.pace) timers_.pace = kNever;
    if (now >= timers_.discard_early_keys) {
        timers_.discard_early_keys = kNever;
        keyring_.discard(EncryptionLevel::kZeroRtt);
    }
    if (now >= recovery_.timer()) on_recovery_timeout(now);
    if (now >= paths_.next_timeout()) on_path_timeout(now);
    keyring_.one_rtt().discard_previous(now);
    pending_.datagrams.expire(now);
}

void Connection::on_recovery_timeout(Instant now) {
    const recovery::TimeoutOutcome outcome = recovery_.on_timeout(now);
    apply(outcome.lost, outcome.space_of_lost, now);
    update_pacer(now);
    emit_metrics(now);
    if (!outcome.probe_timeout()) return;
    ++counters_.probe_timeouts;
    path::EcnValidator& ecn = paths_.active().ecn;
    const observe::EcnState before = ecn.state();
    if (ecn.on_probe_timeout(recovery_.probe_timeout_count())) emit_ecn_state(before, now);
    for (const auto space : {PacketNumberSpace::kInitial, PacketNumberSpace::kHandshake,
                             PacketNumberSpace::kApplication}) {
        std::uint8_t& owed = pending_.probes[index_of(space)];
        owed = std::max(owed, outcome.probes[index_of(space)]);
        // Of a handshake that waits for room in the window nothing may be in flight.
        if (space != PacketNumberSpace::kApplication && handshake_.has_pending(space)) {
            owed = std::max<std::uint8_t>(owed, 1);
        }
        if (outcome.probes[index_of(space)] > 0) requeue_for_probe(space, now);
    }
}

// A probe without news repeats what is outstanding: if that was lost, no time is lost with it.
void Connection::requeue_for_probe(PacketNumberSpace space, Instant now) {
    //= 9002-6.2.4-6
    const EncryptionLevel level = space == PacketNumberSpace::kInitial ? EncryptionLevel::kInitial
                                  : space == PacketNumberSpace::kHandshake
                                      ? EncryptionLevel::kHandshake
                                      : EncryptionLevel::kOneRtt;
    if (level == EncryptionLevel::kOneRtt && has_application_frames()) return;
    if (level != EncryptionLevel::kOneRtt && handshake_.has_pending(space)) return;
    for (const wire::SentFrame& frame : recovery_.probe_frames(space, 2)) {
        if (frame.kind != wire::SentFrameKind::kMtuProbe) on_frame_lost(frame, now);
    }
}

Reason Connection::reason_of_handshake_timeout() const {
    const bool no_server_hello =
        config_.role == Role::kClient && !keyring_.has_receive_keys(EncryptionLevel::kHandshake);
    // Silence says nothing; half of a ClientHello that was acknowledged does.
    const bool partly_heard = status_.peer_packet_processed && !status_.retried;
    return no_server_hello && partly_heard ? Reason::kClientHelloCutShort : Reason::kNone;
}

// What was written early is in streams and queues that another connection would not have.
bool Connection::has_early_writing() const {
    return streams_.live_streams() != 0 || pending_.datagrams.has_pending() ||
           pending_.datagrams.refused();
}

bool Connection::is_stalled_before_server_hello(Instant now) const {
    // Enough that loss alone is unlikely, and little enough that nobody gives up before: 7 s on a
    // silent path, settings.classical_retry_after where the server acknowledges half of a
    // ClientHello.
    constexpr std::uint64_t kProbes = 3;
    const Instant begun = timers_.handshake - config_.settings.handshake_timeout;
    return config_.role == Role::kClient && close_.is_open() &&
           now - begun >= config_.settings.classical_retry_after &&
           counters_.probe_timeouts >= kProbes && !has_early_writing() &&
           !keyring_.has_receive_keys(EncryptionLevel::kHandshake);
}

void Connection::on_path_timeout(Instant now) {
    const path::PathTimeoutOutcome outcome = paths_.on_timeout(validation_input(now), ids_.remote);
    ++status_.reset_tokens_version;  // of paths that were given up
    if (outcome.failed_migration) {
        status_.failed_migration = outcome.failed_migration;
        status_.rare_news = true;
        pending_.ping = true;  // so that the peer sees where we are, too
    }
    if (outcome.no_path_left) return vanish(CloseKind::kIdleTimeout, now);
    if (outcome.reverted) on_migration(*outcome.reverted, now);
}

path::ValidationInput Connection::validation_input(Instant now) const {
    return {.now = now,
            .probe_timeout = recovery_.probe_timeout(PacketNumberSpace::kApplication),
            .random = shared_.ids.random};
}

// The smaller of both sides' timeouts, but never less than three probe timeouts.
Duration Connection::effective_idle_timeout() const {
    Duration timeout = config_.settings.idle_timeout;
    if (peer_parameters_ && peer_parameters_->max_idle_timeout_ms > 0) {
        constexpr std::uint64_t kYear = 365ull * 24 * 3600 * 1000;
        const Duration peers =
            std::chrono::milliseconds(std::min(peer_parameters_->max_idle_timeout_ms, kYear));
        timeout = timeout == Duration::zero() ? peers : std::min(timeout, peers);
    }
    if (timeout == Duration::zero()) return timeout;
    //= 9000-10.1-1
    return std::max(timeout, 3 * recovery_.probe_timeout(PacketNumberSpace::kApplication));
}

void Connection::restart_idle_timer(Instant now) {
    const Duration timeout = effective_idle_timeout();
    timers_.idle = timeout == Duration::zero() ? kNever : instant_after(now, timeout);
    if (config_.settings.keep_alive_interval > Duration::zero()) {
        timers_.keep_alive = instant_after(now, config_.settings.keep_alive_interval);
    }
}

}  // namespace stoq::connection
