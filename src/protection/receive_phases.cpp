#include "protection/receive_phases.h"

#include <algorithm>
#include <utility>

namespace stoq::protection {
namespace {

bool key_phase_of(const PacketToOpen& packet) {
    return (packet.packet[0] & wire::kKeyPhaseBit) != 0;
}

constexpr TransportError kPhaseReversed{.code = TransportErrorCode::kKeyUpdateError,
                                        .reason = Reason::kKeyPhaseReversed};

}  // namespace

ReceivePhases::ReceivePhases(const KeyParameters& parameters, crypto::Secret secret)
    : parameters_(parameters),
      next_secret_(next_generation(parameters, secret)),
      header_(make_header_keys(parameters, secret)),
      current_(make_payload_keys(parameters, crypto::Direction::kOpen, secret)),
      next_(make_payload_keys(parameters, crypto::Direction::kOpen, next_secret_)) {}

OpenOutcome ReceivePhases::open(std::span<PacketToOpen> packets, const OpenContext& context) {
    remove_header_protection(*header_, packets);
    expand_packet_numbers(packets, context.next_expected);
    OpenOutcome outcome;
    // Nearly always a single run with the current keys.
    while (!packets.empty() && !outcome.error) {
        const Choice choice = choose(packets.front());
        const auto run = leading_run(packets, choice);
        protection::open(keys_of(choice), run);
        judge(run, choice, context, outcome);
        packets = packets.subspan(run.size());
    }
    return outcome;
}

// A packet that appears to change the phase and does not open ends as dropped; next_ stays as it
// is.
//= 9001-5.5-1
//= 9001-5.5-2
//= 9001-6.3-1
//= 9001-6.3-4
//
// Packets of the previous and of the next phase have the same Key Phase bit; numbers tell them
// apart (RFC 9001 section 6.5). A number between those of the current phase fits neither: it is
// tried with the older keys, because a peer that returns to these is to be found out.
ReceivePhases::Choice ReceivePhases::choose(const PacketToOpen& packet) const {
    const bool current_phase = (generation_ & 1) != 0;
    if (packet.drop != DropReason::kNone || key_phase_of(packet) == current_phase) {
        return Choice::kCurrent;
    }
    const bool beyond = !opened_ || packet.packet_number > opened_->highest;
    return beyond || !previous_.aead ? Choice::kNext : Choice::kPrevious;
}

PayloadKeys& ReceivePhases::keys_of(Choice choice) {
    switch (choice) {
        case Choice::kPrevious: return previous_;
        case Choice::kCurrent: return current_;
        case Choice::kNext: return next_;
    }
    std::unreachable();
}

std::span<PacketToOpen> ReceivePhases::leading_run(std::span<PacketToOpen> packets,
                                                   Choice choice) const {
    const auto end = std::ranges::find_if(
        packets, [&](const PacketToOpen& packet) { return choose(packet) != choice; });
    return {packets.begin(), end};
}

// What a run of packets, tried with the keys of `choice`, means for the phases.
void ReceivePhases::judge(std::span<const PacketToOpen> run, Choice choice,
                          const OpenContext& context, OpenOutcome& outcome) {
    std::optional<NumberRange> opened;
    for (const PacketToOpen& packet : run) {
        if (packet.opened) {
            extend(opened, packet.packet_number);
        } else if (packet.drop == DropReason::kDecryptionFailed) {
            ++outcome.failed;
        }
    }
    if (!opened) return;
    switch (choice) {
        case Choice::kPrevious:
            //= 9001-6.4-2
            if (opened_ && opened->highest > opened_->lowest) outcome.error = kPhaseReversed;
            return;
        case Choice::kNext:
            if (opened_ && opened->lowest < opened_->highest) outcome.error = kPhaseReversed;
            promote_next(context.retain_previous_until);
            ++outcome.key_updates;
            break;
        case Choice::kCurrent: break;
    }
    extend(opened_, opened->lowest);
    extend(opened_, opened->highest);
}

void ReceivePhases::extend(std::optional<NumberRange>& range, PacketNumber number) {
    if (!range) range = NumberRange{number, number};
    range->lowest = std::min(range->lowest, number);
    range->highest = std::max(range->highest, number);
}

// The keys after next are made here, once for each update that the peer really made. No packet that
// fails to authenticate comes this far, so forged ones cannot learn anything from the time it
// takes.
void ReceivePhases::promote_next(Instant retain_previous_until) {
    // Until here, and for a while from now, the old keys open what was sent before.
    //= 9001-6.1-3
    //= 9001-6.1-4
    auto memory = std::move(previous_.aead ? previous_.aead : spare_);
    previous_ = std::exchange(current_, std::move(next_));
    previous_deadline_ = retain_previous_until;
    next_secret_ = next_generation(parameters_, next_secret_);
    //= 9001-6.3-5
    next_ =
        remake_payload_keys(std::move(memory), parameters_, crypto::Direction::kOpen, next_secret_);
    ++generation_;
    opened_.reset();
}

Instant ReceivePhases::previous_deadline() const {
    return previous_.aead ? previous_deadline_ : kNever;
}

void ReceivePhases::discard_previous(Instant now) {
    //= 9001-6.5-4
    //= 9001-6.5-5
    if (!previous_.aead || now < previous_deadline_) return;
    previous_.aead->wipe_key();
    spare_ = std::move(previous_.aead);
    previous_ = {};
    previous_deadline_ = kNever;
}

}  // namespace stoq::protection
