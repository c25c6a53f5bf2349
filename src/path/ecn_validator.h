// EcnValidator: may packets on this path be marked ECN-capable (RFC 9000 section 13.4.2, A.4)?
//
// Marks the first packets (testing), stops until the peer's counts arrive (unknown), and then goes
// on marking (capable) or never does again (failed).
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/packet_number.h"
#include "observe/events.h"
#include "stoq/types.h"
#include "wire/frame.h"

namespace stoq::path {

// What an ACK frame says about marks. Marks are ECT(0) throughout; ECT(1) is never sent.
struct EcnFeedback {
    PacketNumberSpace space = PacketNumberSpace::kApplication;
    // Packets acknowledged for the first time that were sent marked, on whatever path.
    std::uint64_t newly_acked_marked = 0;
    std::optional<wire::EcnCounts> counts;  // of the ACK frame
    bool largest_acked_increased = false;   // over earlier ACK frames of the same space
};

struct EcnOutcome {
    // Packets that met congestion on their way (RFC 9002 section 7.1). Zero once failed.
    std::uint64_t new_ce = 0;
    bool state_changed = false;
};

class EcnValidator {
public:
    using State = observe::EcnState;
    static constexpr std::uint64_t kTestingPackets = 10;

    EcnValidator() : EcnValidator(true) {}
    explicit EcnValidator(bool enabled) : state_(initial_state(enabled)) {}

    State state() const { return state_; }
    // How to mark the next datagram of the path in use. Datagrams that probe other paths go
    // unmarked: their counts would mix with those of the path in use.
    Ecn mark() const {
        return state_ == State::kTesting || state_ == State::kCapable ? Ecn::kEct0 : Ecn::kNotEct;
    }

    // `marked`: the packet left in a datagram with ECT(0).
    // True when the state changed.
    bool on_packet_sent(PacketNumberSpace space, bool marked) {
        return on_packets_sent(space, marked, 1);
    }
    bool on_packets_sent(PacketNumberSpace space, bool marked, std::uint64_t count);
    EcnOutcome on_ack(const EcnFeedback& feedback);
    // A marked packet was declared lost. True when the state changed.
    bool on_marked_packet_lost();

    // The probe timeout expired for the `pto_count`-th time in a row. Testing ends when nothing
    // marked is answered. True when the state changed.
    bool on_probe_timeout(std::uint32_t pto_count);

    // This path takes over from `previous`: testing starts anew. The peer's counts belong to the
    // packet number space, not to the path, so they are carried over.
    void take_over(const EcnValidator& previous, bool enabled);

private:
    struct Space {
        std::uint64_t sent = 0;    // packets marked ECT(0), ever
        wire::EcnCounts reported;  // latest counts that were processed
    };

    static State initial_state(bool enabled) { return enabled ? State::kTesting : State::kFailed; }
    bool counts_are_sound(const EcnFeedback& feedback, const Space& space) const;
    bool fail();

    std::array<Space, kPacketNumberSpaceCount> spaces_{};
    // Since testing began on this path:
    std::uint64_t marked_sent_ = 0;
    std::uint64_t marked_acked_ = 0;
    std::uint64_t marked_lost_ = 0;
    std::uint64_t ce_seen_ = 0;
    State state_;
};

}  // namespace stoq::path
