// AckTracker: what was received in one packet number space, and when it is to be acknowledged.
//
// (RFC 9000 section 13.2.) Received numbers are a set of ranges, at most kMaxRanges, and
// kUsualRanges once they have been reported: beyond that the lowest go, and whatever lies below
// them is taken for a duplicate from then on.
//
// When to send: Initial and Handshake packets are acknowledged at once. For 1-RTT, ask ack_now()
// after a whole batch of datagrams has been taken in: it turns true at the second ack-eliciting
// packet (or another threshold), and at once after reordering, a gap or a CE mark; one ACK then
// answers the whole batch. ack_deadline() covers the single packet after which nothing comes.
#pragma once

#include <array>
#include <optional>

#include "base/interval_set.h"
#include "base/packet_number.h"
#include "stoq/types.h"
#include "wire/payload_writer.h"

namespace stoq::recovery {

class AckTracker {
public:
    static constexpr std::size_t kMaxRanges = 128;
    static constexpr std::size_t kUsualRanges = 32;

    explicit AckTracker(PacketNumberSpace space);

    // 1-RTT only. `max_ack_delay` is our own, as advertised to the peer or as it asked for;
    // `threshold` is the number of ack-eliciting packets that is answered without waiting, at least
    // 1. `reordering_threshold`: how late a packet may be without being answered at once, 0 for any
    // (draft-ietf-quic-ack-frequency section 6.2).
    void set_policy(Duration max_ack_delay, std::uint32_t threshold,
                    std::uint64_t reordering_threshold = 1);
    // The packet in progress asks for an ACK at once.
    void request_immediate_ack() { ack_now_ = true; }

    // True when the packet was processed before or is too old to tell: drop it. Ask after its
    // protection was removed and before anything in it is processed.
    bool is_duplicate(PacketNumber number) const;

    // After every frame of the packet has been processed.
    void on_packet_received(PacketNumber number, Instant now, Ecn ecn, bool ack_eliciting);

    // An ACK has to leave now, in a packet of its own if need be.
    bool ack_now() const { return ack_now_; }
    // There is something new to acknowledge: add an ACK to whatever is being sent.
    bool ack_pending() const { return unacknowledged_ > 0; }
    // Something was acknowledged that the peer may not have heard of: a packet that is sent for
    // want of an answer should say it again.
    bool is_unconfirmed() const {
        return largest_ack_eliciting_ && *largest_ack_eliciting_ >= ack_floor_;
    }
    // When ack_now() is to be taken as true although it is not; kNever when nothing waits.
    Instant ack_deadline() const;

    // Appends an ACK frame and takes the debt as paid. Omits the oldest ranges if room is short;
    // false, and nothing written, when there is nothing to acknowledge or no room for one range.
    bool write_ack(wire::PayloadWriter& writer, Instant now, std::uint8_t ack_delay_exponent);

    // The peer has seen an ACK of ours up to `largest` (SentFrameKind::kAck): what it said need
    // not be repeated.
    void on_ack_acknowledged(std::uint64_t largest);

    // The largest number processed so far: what the next packet number is decoded against.
    std::optional<PacketNumber> largest_received() const;

    std::span<const Interval> ranges() const { return received_.intervals(); }

private:
    void trim(std::size_t most);
    bool asks_for_immediate_ack(std::uint64_t number, Ecn ecn) const;
    bool is_beyond_reordering_threshold(std::uint64_t number) const;

    PacketNumberSpace space_;
    std::uint32_t threshold_ = 2;
    std::uint64_t reordering_threshold_ = 1;
    std::optional<std::uint64_t> largest_reported_;  // by an ACK of ours
    Ecn last_ecn_ = Ecn::kNotEct;
    Duration max_ack_delay_ = std::chrono::milliseconds(25);
    IntervalSet received_;
    std::uint64_t floor_ = 0;      // below it every packet is taken for a duplicate
    std::uint64_t ack_floor_ = 0;  // below it the peer knows already
    // Reordered packets that the peer may not know of: the lowest of them, and the largest number
    // received when the last of them came. Only an ACK with a larger number surely tells of them.
    std::uint64_t lowest_late_ = UINT64_MAX;
    std::uint64_t late_until_ = 0;
    Instant largest_received_at_{};
    Instant first_unacknowledged_at_{};  // oldest ack-eliciting packet that waits for an ACK
    std::uint32_t unacknowledged_ = 0;   // ack-eliciting packets since the last ACK was written
    bool ack_now_ = false;
    std::optional<std::uint64_t> largest_ack_eliciting_;
    std::array<std::uint64_t, 4> ecn_counts_{};
};

}  // namespace stoq::recovery
