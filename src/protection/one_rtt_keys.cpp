#include "protection/one_rtt_keys.h"

#include "base/check.h"

namespace stoq::protection {
namespace {

constexpr TransportError kTooEarly{.code = TransportErrorCode::kKeyUpdateError,
                                   .reason = Reason::kKeyUpdateTooEarly};
constexpr TransportError kPhaseReversed{.code = TransportErrorCode::kKeyUpdateError,
                                        .reason = Reason::kKeyPhaseReversed};
constexpr TransportError kUsedUp{.code = TransportErrorCode::kAeadLimitReached,
                                 .reason = Reason::kConfidentialityLimit};

}  // namespace

void OneRttKeys::install_send(const KeyParameters& parameters, crypto::Secret secret,
                              const UsageLimits& limits) {
    STOQ_CHECK(!send_);
    limits_ = limits;
    send_.emplace(parameters, std::move(secret), limits);
}

void OneRttKeys::install_receive(const KeyParameters& parameters, crypto::Secret secret) {
    STOQ_CHECK(!receive_);
    receive_.emplace(parameters, std::move(secret));
}

bool OneRttKeys::seal(std::span<const PacketToSeal> packets) {
    STOQ_CHECK(send_);
    //= 9001-5.3-3
    //= 9001-6.6-3
    if (send_->sealed() + packets.size() > limits_.update_after && may_update()) {
        update_send_keys();
    }
    return send_->seal(packets);
}

OpenOutcome OneRttKeys::open(std::span<PacketToOpen> packets, const OpenContext& context) {
    STOQ_CHECK(receive_);
    OpenOutcome outcome = receive_->open(packets, context);
    if (outcome.key_updates > 0 && !outcome.error) outcome.error = follow(outcome.key_updates);
    return outcome;
}

// The receive keys moved on: the peer either answers our update or makes one of its own, which our
// send keys follow before anything else, and with that any acknowledgment, is sent.
std::optional<TransportError> OneRttKeys::follow(std::uint32_t key_updates) {
    // Nothing we sent lies between two updates in one batch: the peer did not wait for it.
    if (key_updates > 1) return kTooEarly;
    if (!send_ || send_->generation() >= receive_->generation()) return std::nullopt;
    //= 9001-6.2-3
    const bool answered_last_update = send_->generation() == 0 || send_->sealed() > 0;
    if (!answered_last_update) return kTooEarly;
    //= 9001-6.2-1
    //= 9001-6.2-2
    update_send_keys();
    return std::nullopt;
}

void OneRttKeys::update_send_keys() {
    send_->update();
    phase_acknowledged_ = false;
}

TransportResult<void> OneRttKeys::on_packets_acknowledged(const AcknowledgedPackets& acknowledged) {
    if (!send_ || !send_->began_by(acknowledged.largest)) return {};
    //= 9001-6.2-4
    if (acknowledged.carrier_key_phase != send_->key_phase()) {
        return std::unexpected(kPhaseReversed);
    }
    if (phase_acknowledged_) return {};
    phase_acknowledged_ = true;
    // There is no earlier update to wait for in the first phase.
    //= 9001-6.5-3
    if (send_->generation() > 0) {
        update_not_before_ = acknowledged.now + 3 * acknowledged.probe_timeout;
    }
    return {};
}

bool OneRttKeys::may_update() const {
    //= 9001-6-1
    //= 9001-6.1-1
    //= 9001-6.1-2
    return send_ && receive_ && handshake_confirmed_ && phase_acknowledged_;
}

bool OneRttKeys::can_initiate_update(Instant now) const {
    return may_update() && now >= update_not_before_;
}

bool OneRttKeys::initiate_update(Instant now) {
    if (!can_initiate_update(now)) return false;
    update_send_keys();
    return true;
}

std::optional<TransportError> OneRttKeys::usage_error() const {
    //= 9001-6.6-5
    if (send_ && send_->sealed() >= limits_.close_after && !may_update()) return kUsedUp;
    return std::nullopt;
}

Instant OneRttKeys::next_deadline() const {
    return receive_ ? receive_->previous_deadline() : kNever;
}

void OneRttKeys::discard_previous(Instant now) {
    if (receive_) receive_->discard_previous(now);
}

}  // namespace stoq::protection
