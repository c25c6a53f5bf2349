// SentPackets: the packets of one packet number space that may still be acknowledged.
//
// Two rings. `packets` is indexed by packet number: a number that was skipped on purpose holds an
// entry of its own. `frames` holds what the packets carried, in the order of sending. Both are
// retired from the front. Which numbers were acknowledged is kept a second time as a set of ranges,
// so that an ACK which repeats old ranges costs nothing for what is not new.
#pragma once

#include <optional>
#include <span>

#include "base/interval_set.h"
#include "base/packet_number.h"
#include "base/random.h"
#include "base/ring.h"
#include "recovery/frame_list.h"
#include "stoq/types.h"
#include "wire/sent_frame.h"

namespace stoq::recovery {

// Paths that were in use have numbers, in turn; all others share one.
inline constexpr std::uint8_t kOtherPath = 0xff;
constexpr std::uint8_t path_after(std::uint8_t path) {
    return static_cast<std::uint8_t>((path + 1) % kOtherPath);
}

// A packet as it leaves.
struct OutgoingPacket {
    PacketNumberSpace space = PacketNumberSpace::kInitial;
    PacketNumber number;
    std::uint32_t bytes = 0;     // whole packet: header, payload and tag
    bool ack_eliciting = false;  // as PayloadWriter::ack_eliciting()
    bool in_flight = false;      // as PayloadWriter::in_flight()
    bool mtu_probe = false;      // its loss says nothing about congestion (RFC 9000 section 14.4)
    Ecn ecn = Ecn::kNotEct;
    std::uint8_t path = 0;
    std::span<const wire::SentFrame> frames{};  // as PayloadWriter::records(); copied
};

// Packets that leave together and differ only in their numbers, which follow each other, and in the
// one frame that each carries: all are ack-eliciting and in flight.
struct OutgoingTrain {
    PacketNumberSpace space = PacketNumberSpace::kApplication;
    PacketNumber first;
    std::uint32_t bytes = 0;  // of each
    Ecn ecn = Ecn::kNotEct;
    std::uint8_t path = 0;
    std::span<const wire::SentFrame> frames{};  // one for each packet
};

// What a rate estimator noted when the packet left.
struct DeliverySnapshot {
    std::uint64_t delivered = 0;  // bytes acknowledged by then
    std::uint64_t lost = 0;       // bytes declared lost by then
    Instant delivered_time{};     // when `delivered` last grew
    Instant first_sent_time{};    // when the flight that it belongs to began
};

struct SentPacket {
    enum class State : std::uint8_t {
        kUnused,        // no such packet: the ring's empty slot
        kSkipped,       // the number was left out on purpose; nobody can have received it
        kOutstanding,   // sent, not acknowledged, not declared lost
        kAcknowledged,  // waits for its turn to leave the ring
        kLost,          // declared lost; kept for a while, to notice when that was a mistake
    };

    Instant time_sent{};
    DeliverySnapshot delivery;
    std::uint64_t first_frame = 0;  // position in the ring of frames
    std::uint32_t bytes = 0;
    std::uint32_t flight_bytes = 0;  // in flight on its path when it left, itself included
    std::uint8_t frame_count = 0;
    std::uint8_t path = 0;
    Ecn ecn = Ecn::kNotEct;
    State state = State::kUnused;
    bool ack_eliciting = false;
    bool in_flight = false;
    bool mtu_probe = false;
    bool app_limited = false;

    bool outstanding() const { return state == State::kOutstanding; }
};
static_assert(sizeof(SentPacket) <= 64);

class SentPackets {
public:
    static constexpr std::size_t kSilentBacklog = 256;

    explicit SentPackets(std::size_t initial_capacity = 16);

    // The number for the next packet. Now and then one is skipped, so that a peer which
    // acknowledges packets it never saw gives itself away (RFC 9000 section 21.4). Asking again
    // without sending gives the same number.
    PacketNumber next_number(RandomSource& random);

    // How many numbers from the next one on are not going to be skipped, as far as is known.
    std::uint64_t unskipped_numbers() const { return skip_at_ > end() ? skip_at_ - end() : 0; }

    // Numbers have to increase. Returns the entry, whose delivery fields the caller may fill.
    SentPacket& on_sent(const OutgoingPacket& packet, Instant now);

    // One packet of a train, with the next number.
    SentPacket& on_sent(const OutgoingTrain& train, const wire::SentFrame& frame, Instant now);

    SentPacket& operator[](std::uint64_t number) { return packets_[number]; }
    const SentPacket& operator[](std::uint64_t number) const { return packets_[number]; }
    // What the packet carried, into `list`. Not for packets that have left the ring.
    void append_frames(const SentPacket& packet, FrameList& list) const;

    std::uint64_t begin() const { return packets_.begin_position(); }
    std::uint64_t end() const { return packets_.end_position(); }
    std::size_t size() const { return packets_.size(); }

    // True when `number` was sent, is still kept and not known to be acknowledged.
    bool may_be_new(std::uint64_t number) const {
        return packets_.contains(number) &&
               packets_[number].state != SentPacket::State::kAcknowledged;
    }
    // True when [begin, end) holds the number that was skipped last. Older ones are found as
    // entries of the ring, until they leave it.
    bool holds_last_skipped(Interval range) const {
        return last_skipped_ >= range.begin && last_skipped_ < range.end;
    }
    // Packets between `number` and `later`, not counting numbers that were skipped.
    std::uint64_t distance(std::uint64_t number, std::uint64_t later) const;

    // The next stretch of unacknowledged numbers inside [from, end).
    Interval unacknowledged(std::uint64_t from, std::uint64_t end) const;
    // Call after the states of [begin, end) were set to kAcknowledged (skipped ones excepted).
    void mark_acknowledged(std::uint64_t begin, std::uint64_t end) { acked_.insert(begin, end); }

    // Removes what needs no keeping from the front. Lost packets stay unless they were sent before
    // `lost_horizon`; packets that nobody has to acknowledge go when more than kSilentBacklog are
    // kept. Returns the highest acknowledged number that left, if one did.
    std::optional<std::uint64_t> retire(Instant lost_horizon);
    // Forgets every packet; numbers continue.
    void clear();

private:
    static constexpr std::uint64_t kFirstSkipPeriod = 128;
    static constexpr std::uint64_t kLastSkipPeriod = 64 * 1024;
    // More disorder than this costs allocations, until the most that there is was seen.
    static constexpr std::size_t kReservedRanges = 64;

    bool retirable(const SentPacket& packet, Instant lost_horizon) const;

    Ring<SentPacket> packets_;
    Ring<wire::SentFrame> frames_;
    IntervalSet acked_;
    std::uint64_t skip_at_ = 0;  // the next number to leave out, 0: not drawn yet
    std::uint64_t skip_period_ = kFirstSkipPeriod;  // grows: the first skips find most cheats
    std::uint64_t last_skipped_ = UINT64_MAX;       // the latest number left out
};

}  // namespace stoq::recovery
