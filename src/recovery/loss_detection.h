// LossRecovery: which packets arrived, which are lost, and when to probe (RFC 9002 section 6).
//
// One per connection. It holds the three packet number spaces, and the round-trip time and bytes in
// flight of the current path: packets that were sent on another path are recovered as well, but say
// nothing about this one's round-trip time, congestion or bytes in flight.
//
// Told of events, it answers with outcomes; the spans in them stay valid until the next call that
// is not const. The caller sets its timer to timer() after each batch of events.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "base/packet_number.h"
#include "base/random.h"
#include "recovery/delivery_rate.h"
#include "recovery/frame_list.h"
#include "recovery/persistent_congestion.h"
#include "recovery/rtt_estimator.h"
#include "recovery/sent_packets.h"
#include "stoq/error.h"
#include "stoq/types.h"
#include "wire/sent_frame.h"

namespace stoq::wire {
struct AckFrame;
}

namespace stoq::recovery {

struct RecoverySettings {
    Role role = Role::kClient;
    Duration initial_rtt = kDefaultInitialRtt;
    bool list_losses = false;            // in LossInfo::each, for an observer
    std::uint32_t packet_threshold = 3;  // RFC 9002 section 6.1.1; less than 3 is taken as 3
    // Beyond this many packets between the oldest outstanding one and the next, nothing is sent.
    // Bounds the memory that a peer which never acknowledges can hold: 64 bytes each.
    std::size_t max_tracked_packets = 128 * 1024;
};

// The largest of some packets and, of those as large, the one sent last. What a path carries is
// judged by it: an average over packets of all sizes would tell nothing.
struct LargestPacket {
    std::uint32_t bytes = 0;  // 0: there was none
    Instant time_sent{};

    void note(std::uint32_t size, Instant sent) {
        if (size > bytes || (size == bytes && sent > time_sent)) *this = {size, sent};
    }
};

// One packet that was declared lost, for observers.
struct LostPacket {
    PacketNumber number;
    std::uint32_t bytes = 0;
    bool by_time = false;  // and not because later ones arrived
    bool mtu_probe = false;
};

// What was declared lost. Bytes and packets count what was in flight on the current path, and
// leave MTU probes out; frames are those of every lost packet, MTU probes and other paths included.
struct LossInfo {
    std::span<const wire::SentFrame> frames{};
    // As `frames`, of every lost packet; empty without RecoverySettings::list_losses.
    std::span<const LostPacket> each{};
    std::uint64_t bytes = 0;
    std::uint32_t packets = 0;
    std::uint32_t marked = 0;    // of these, sent with ECT(0)
    std::uint32_t ranges = 0;    // runs of neighbouring numbers among them
    Instant latest_sent_time{};  // of the lost packets, meaningful when packets > 0
    LargestPacket largest;       // of the same packets
    // Of the last of them: its number; in flight when it left, itself included; declared lost since
    // then, itself included; whether it was sent when data had run out.
    std::uint64_t last_number = 0;
    std::uint64_t flight_bytes = 0;
    std::uint64_t lost_since_sent = 0;
    bool app_limited = false;
    bool persistent_congestion = false;

    bool congestion() const { return packets > 0; }
};

struct AckOutcome {
    // Frames of every newly acknowledged packet; ranges of one stream are merged. MTU probes show
    // as kMtuProbe here or in `lost.frames`.
    std::span<const wire::SentFrame> acked{};
    LossInfo lost;

    std::uint32_t newly_acked = 0;   // packets, of any path, in flight or not; 0: nothing was new
    bool any_ack_eliciting = false;  // among them
    bool largest_advanced = false;   // the frame raised the space's largest acknowledged number
    bool rtt_updated = false;
    bool app_limited = false;  // the newest of them was sent when data had run out

    // In flight on the current path.
    std::uint64_t acked_bytes = 0;
    std::uint32_t acked_packets = 0;
    LargestPacket largest_packet;  // of the same packets
    std::uint64_t bytes_in_flight_before = 0;
    // When the newest of them, in flight or not, was sent; meaningful when one was of this path.
    Instant largest_acked_sent_time{};

    // Newly acknowledged packets that were sent with a mark: the counters that the peer reports
    // must have grown by at least as much (RFC 9000 section 13.4.2.1).
    std::uint32_t acked_ect0 = 0;
    std::uint32_t acked_ect1 = 0;

    // Packets acknowledged here that had been declared lost before, by mistake.
    std::uint32_t spurious_packets = 0;
    Instant spurious_sent_time{};  // of the newest of them

    DeliverySample delivery;
};

struct TimeoutOutcome {
    LossInfo lost;
    PacketNumberSpace space_of_lost = PacketNumberSpace::kApplication;
    // Probe timeout: how many ack-eliciting packets to send per space, whatever the window and the
    // pacer say. A client's Initial probe goes into a datagram of at least 1200 bytes. All zero
    // when the timer was a loss timer.
    std::array<std::uint8_t, kPacketNumberSpaceCount> probes{};

    bool probe_timeout() const { return (probes[0] | probes[1] | probes[2]) != 0; }
};

class LossRecovery {
public:
    explicit LossRecovery(const RecoverySettings& settings);

    // --- Sending ---
    PacketNumber next_packet_number(PacketNumberSpace space, RandomSource& random);
    void on_packet_sent(const OutgoingPacket& packet, Instant now);
    // The same as on_packet_sent() for each packet of the train. At most room_for_train() packets.
    void on_train_sent(const OutgoingTrain& train, Instant now);
    // How many packets may follow with numbers in a row, from next_packet_number() on.
    std::uint64_t room_for_train(PacketNumberSpace space) const;
    // False when the space has no room for another packet: send nothing in it.
    bool has_room(PacketNumberSpace space) const;
    // True after a long run of packets that the peer need not acknowledge: add a PING, so that the
    // state which is kept for them goes away (RFC 9000 section 13.2.4).
    bool should_elicit_ack(PacketNumberSpace space, Instant now) const;
    // The application has no more to send although window and pacer would let it.
    void on_app_limited() { delivery_.on_app_limited(bytes_in_flight_); }

    // --- Acknowledgements and time ---
    // `ack_delay` is the frame's, decoded with the peer's exponent.
    // PROTOCOL_VIOLATION when the frame acknowledges a packet that was never sent.
    TransportResult<AckOutcome> on_ack_received(PacketNumberSpace space, const wire::AckFrame& ack,
                                                Duration ack_delay, Instant now);
    // The next deadline, kNever when there is none.
    Instant timer() const;
    // Does nothing before timer() is reached.
    TimeoutOutcome on_timeout(Instant now);
    // Frames of the oldest outstanding ack-eliciting packets, at most `max_packets` of them: what a
    // probe repeats when there is nothing new to send. They stay in flight.
    std::span<const wire::SentFrame> probe_frames(PacketNumberSpace space, std::size_t max_packets);

    // --- Events of the connection ---
    // Keys of the space are gone: its packets are forgotten without being lost.
    void discard_space(PacketNumberSpace space, Instant now);
    // 0-RTT was rejected, or Retry arrived: the space's packets are forgotten, and their frames,
    // which have to be sent again, are returned. Not a sign of congestion.
    std::span<const wire::SentFrame> abandon_packets(PacketNumberSpace space, Instant now);
    void on_handshake_keys(Instant now);
    void on_handshake_confirmed(Instant now);
    // Server: nothing may be sent until the client sends more (RFC 9000 section 8.1).
    void set_amplification_limited(bool limited) { amplification_limited_ = limited; }
    void set_peer_max_ack_delay(Duration delay) { peer_max_ack_delay_ = delay; }
    // Traffic moves to another path, whose round-trip time is not known yet.
    void on_path_changed(std::uint8_t path, Duration initial_rtt, Instant now);

    // --- Signals ---
    const RttEstimator& rtt() const { return rtt_; }
    std::uint64_t bytes_in_flight() const { return bytes_in_flight_; }
    std::uint32_t probe_timeout_count() const { return probe_timeout_count_; }
    bool ack_eliciting_in_flight(PacketNumberSpace space) const;
    // The current probe timeout of a space without backoff; also the unit of other timers, such as
    // those of closing and of key updates.
    Duration probe_timeout(PacketNumberSpace space) const;
    std::optional<PacketNumber> largest_acked(PacketNumberSpace space) const;
    const DeliveryRate& delivery() const { return delivery_; }

private:
    struct Space {
        SentPackets packets;
        std::optional<std::uint64_t> largest_acked;
        std::uint64_t first_outstanding = 0;  // no packet below it is outstanding
        Instant loss_time = kNever;
        Instant last_ack_eliciting_sent{};
        std::uint32_t ack_eliciting_in_flight = 0;
        std::uint32_t silent_packets = 0;  // sent since the last ack-eliciting one
        LostRun lost_run;
        Instant latest_acked_sent{};  // the newest packet that was acknowledged
        bool discarded = false;
    };
    struct ProbeDeadline {
        Instant at = kNever;
        PacketNumberSpace space = PacketNumberSpace::kInitial;
    };

    Space& space_at(PacketNumberSpace space) { return spaces_[index_of(space)]; }
    const Space& space_at(PacketNumberSpace space) const { return spaces_[index_of(space)]; }

    // False when the peer cannot have received the packet.
    bool acknowledge_all(Space& space, const wire::AckFrame& ack, AckOutcome& outcome, Instant now);
    bool acknowledge_range(Space& space, Interval range, AckOutcome& outcome, Instant now);
    bool acknowledge(Space& space, std::uint64_t number, AckOutcome& outcome, Instant now);
    void count_acknowledged(const SentPacket& packet, AckOutcome& outcome, Instant now);
    void update_rtt(PacketNumberSpace space, const SentPacket& largest, Duration ack_delay,
                    Instant now);
    void reset_probe_timeouts(PacketNumberSpace space);

    LossInfo detect_lost(Space& space, Instant now);
    bool is_lost(const Space& space, std::uint64_t number, Instant lost_send_time) const;
    void declare_lost(Space& space, std::uint64_t number, LossInfo& info);
    void extend_lost_run(Space& space, std::uint64_t number, LossInfo& info);
    bool acknowledged_elsewhere(const Space& own, Instant from, Instant to) const;
    void leave_flight(Space& space, const SentPacket& packet);
    void retire(Space& space, Instant now);
    void forget_packets(Space& space, Instant now);

    bool peer_completed_address_validation() const;
    bool needs_anti_deadlock_probe() const;
    const Space* earliest_loss() const;
    ProbeDeadline probe_deadline() const;
    void fill_probes(PacketNumberSpace space, TimeoutOutcome& outcome) const;

    RecoverySettings settings_;
    RttEstimator rtt_;
    DeliveryRate delivery_;
    std::array<Space, kPacketNumberSpaceCount> spaces_;
    FrameList acked_;
    FrameList lost_;
    std::vector<LostPacket> lost_packets_;  // that lost_ has the frames of, when they are listed
    std::uint64_t bytes_in_flight_ = 0;
    Duration peer_max_ack_delay_ = std::chrono::milliseconds(25);
    Instant timer_restarted_at_ = kNever;  // the anti-deadlock probe counts from here
    std::uint32_t probe_timeout_count_ = 0;
    std::uint8_t path_ = 0;
    bool handshake_keys_ = false;
    bool handshake_acked_ = false;
    bool handshake_confirmed_ = false;
    bool amplification_limited_ = false;
};

}  // namespace stoq::recovery
