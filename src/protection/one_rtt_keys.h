// The keys of 1-RTT packets and the rules by which both sides move from one key phase to the next
// (RFC 9001 section 6).
//
//   we initiate:   initiate_update() ──> sending new, expecting new ──> peer's first new packet
//   peer does:     its first new packet opens ──> our send keys follow at once
//   both do:       each side sees the other's first new packet; nobody updates twice
#pragma once

#include <optional>
#include <span>

#include "protection/receive_phases.h"
#include "protection/send_phases.h"

namespace stoq::protection {

// An acknowledgment of a 1-RTT packet, as far as keys care.
struct AcknowledgedPackets {
    PacketNumber largest;            // the largest number that it newly acknowledges
    bool carrier_key_phase = false;  // OpenedPacket::key_phase() of the packet that carried it
    Instant now;
    Duration probe_timeout{};
};

class OneRttKeys {
public:
    // Each direction is installed once (checked).
    void install_send(const KeyParameters& parameters, crypto::Secret secret,
                      const UsageLimits& limits);
    void install_receive(const KeyParameters& parameters, crypto::Secret secret);
    bool has_send_keys() const { return send_.has_value(); }
    bool has_receive_keys() const { return receive_.has_value(); }

    // Until then no key update is initiated (RFC 9001 section 6.1).
    void on_handshake_confirmed() { handshake_confirmed_ = true; }

    // Seals with the current keys; writes the Key Phase bit of each header. Updates the keys before
    // they are used too often, if an update is possible. False, with nothing sealed, when it is not
    // and the confidentiality limit is reached: usage_error() has said so in time.
    [[nodiscard]] bool seal(std::span<const PacketToSeal> packets);

    // Opens packets of any key phase. KEY_UPDATE_ERROR when the peer updates twice without waiting
    // for an acknowledgment, or goes back to older keys.
    OpenOutcome open(std::span<PacketToOpen> packets, const OpenContext& context);

    // Tell every acknowledgment of 1-RTT packets: it may permit the next key update.
    // KEY_UPDATE_ERROR when the peer has acknowledged packets of a phase that it did not follow.
    TransportResult<void> on_packets_acknowledged(const AcknowledgedPackets& acknowledged);

    // Three probe timeouts after the peer was seen to have followed the last update, a further one
    // may begin.
    bool can_initiate_update(Instant now) const;
    // False, with nothing changed, if not permitted now.
    bool initiate_update(Instant now);

    // AEAD_LIMIT_REACHED when the send keys are nearly used up and cannot be updated. Ask before
    // sending.
    std::optional<TransportError> usage_error() const;

    // When discard_previous() has something to do; kNever if nothing is pending.
    Instant next_deadline() const;
    void discard_previous(Instant now);

    std::uint64_t send_generation() const { return send_ ? send_->generation() : 0; }
    std::uint64_t receive_generation() const { return receive_ ? receive_->generation() : 0; }

private:
    // What the standard demands before an update; can_initiate_update() adds what it recommends.
    bool may_update() const;
    void update_send_keys();
    std::optional<TransportError> follow(std::uint32_t key_updates);

    std::optional<SendPhases> send_;
    std::optional<ReceivePhases> receive_;
    UsageLimits limits_{};
    bool handshake_confirmed_ = false;
    bool phase_acknowledged_ = false;  // a packet of the current send phase
    Instant update_not_before_{};
};

}  // namespace stoq::protection
