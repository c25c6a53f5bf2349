// How a connection ends (RFC 9000 section 10).
#include "connection/connection.h"

namespace stoq::connection {
namespace {

observe::CloseTrigger trigger_of(CloseKind kind) {
    switch (kind) {
        case CloseKind::kLocalApplication:
        case CloseKind::kPeerApplication: return observe::CloseTrigger::kApplication;
        case CloseKind::kLocalTransport:
        case CloseKind::kPeerTransport: return observe::CloseTrigger::kError;
        case CloseKind::kIdleTimeout: return observe::CloseTrigger::kIdleTimeout;
        case CloseKind::kHandshakeTimeout: return observe::CloseTrigger::kHandshakeTimeout;
        case CloseKind::kStatelessReset: return observe::CloseTrigger::kStatelessReset;
        case CloseKind::kVersionMismatch: return observe::CloseTrigger::kVersionMismatch;
        case CloseKind::kRefused: return observe::CloseTrigger::kAborted;
    }
    return observe::CloseTrigger::kAborted;
}

}  // namespace

//= 9000-10.2-1
Duration Connection::close_period() const {
    return 3 * recovery_.probe_timeout(PacketNumberSpace::kApplication);
}

void Connection::close(std::uint64_t code, std::string_view reason, Instant now) {
    if (!close_.is_open()) return;
    CloseInfo info;
    info.kind = CloseKind::kLocalApplication;
    info.code = code;
    info.phrase = reason;
    close_.start_closing(std::move(info), now + close_period());
    on_closed(now, observe::Initiator::kLocal);
}

// The peer broke the protocol.
void Connection::fail(TransportError error, Instant now) {
    if (!close_.is_open()) return;
    CloseInfo info;
    info.kind = CloseKind::kLocalTransport;
    info.code = static_cast<std::uint64_t>(error.code);
    info.frame_type = error.frame_type;
    info.reason = error.reason;
    info.certificate = handshake_.info().certificate_problem;
    info.phrase = handshake_.info().failure;
    //= 9000-10.3-2
    close_.start_closing(std::move(info), now + close_period());
    on_closed(now, observe::Initiator::kLocal);
}

// The peer has closed.
void Connection::drain(CloseInfo info, Instant now) {
    const bool was_open = close_.is_open();
    close_.start_draining(std::move(info), now + close_period());
    if (was_open) on_closed(now, observe::Initiator::kRemote);
}

void Connection::on_stateless_reset(Instant now) {
    CloseInfo info;
    info.kind = CloseKind::kStatelessReset;
    //= 9000-10.3.1-5
    drain(std::move(info), now);
}

// There is nobody to tell, or nothing to tell them.
void Connection::vanish(CloseKind kind, Instant now, Reason reason) {
    const bool was_open = close_.is_open();
    CloseInfo info;
    info.kind = kind;
    info.reason = reason;
    close_.finish(std::move(info));
    if (was_open) on_closed(now, observe::Initiator::kLocal);
    emit_forgotten(now);
}

// The last event of a connection.
void Connection::emit_forgotten(Instant now) const {
    observer_.emit(now,
                   observe::ConnectionStateUpdated{.old_state = observe::ConnectionState::kClosing,
                                                   .new_state = observe::ConnectionState::kClosed});
}

void Connection::on_closed(Instant now, observe::Initiator initiator) {
    timers_ = Timers{};
    held_.packets.clear();
    const CloseInfo& info = close_.info();
    observer_.emit(now, observe::ConnectionClosed{
                            .initiator = initiator,
                            .trigger = trigger_of(info.kind),
                            .application_error = info.kind == CloseKind::kLocalApplication ||
                                                 info.kind == CloseKind::kPeerApplication,
                            .error_code = info.code,
                            .frame_type = info.frame_type,
                            .reason = info.phrase});
}

void Connection::on_unreachable(Instant now) {
    if (config_.role == Role::kClient && !status_.peer_packet_processed) {
        vanish(CloseKind::kRefused, now);
    }
}

}  // namespace stoq::connection
