// ACK frequency (draft-ietf-quic-ack-frequency): what we ask of the peer, and what it asks of us.
#pragma once

#include <optional>

#include "stoq/error.h"
#include "stoq/types.h"
#include "wire/frame.h"
#include "wire/payload_writer.h"

namespace stoq::extensions {

// Asks for rarer ACKs while much is in flight, and for frequent ones when the window has shrunk.
class AckFrequencySender {
public:
    // An ACK is asked for every so many datagrams of the congestion window, and never for more than
    // kMaxThreshold of them.
    static constexpr std::uint64_t kAcksPerWindow = 16;
    static constexpr std::uint64_t kMaxThreshold = 32;
    static constexpr std::uint64_t kReorderingThreshold = 3;  // that of RFC 9002 section 6.1.1

    struct Conditions {
        std::uint64_t window_datagrams = 0;
        Duration smoothed_rtt{};
    };

    // The peer's min_ack_delay and max_ack_delay.
    void enable(Duration min_ack_delay, Duration max_ack_delay);
    bool enabled() const { return enabled_; }

    // Decides anew; asks only when the threshold should at least double or halve.
    void update(const Conditions& conditions);

    bool has_frame_to_write() const { return pending_; }
    void write_ack_frequency(wire::PayloadWriter& writer);
    // Only the newest request is worth repeating.
    void on_lost(std::uint64_t sequence_number) { pending_ |= sequence_number + 1 == next_; }

private:
    bool enabled_ = false;
    bool pending_ = false;
    Duration min_ack_delay_{};
    Duration max_ack_delay_{};
    Duration requested_{};
    std::uint64_t threshold_ = 1;
    std::uint64_t next_ = 0;  // sequence number
};

// How a request of the peer is to be followed.
struct AckPolicy {
    Duration max_ack_delay{};
    std::uint32_t threshold = 2;  // ack-eliciting packets that are answered by an ACK
    std::uint64_t reordering_threshold = 1;
};

class AckFrequencyReceiver {
public:
    static constexpr std::uint64_t kMaxThreshold = 1024;

    // `min_ack_delay` as we have advertised it.
    void enable(Duration min_ack_delay) { min_ack_delay_ = min_ack_delay; }

    // The policy from now on; nothing when the frame is obsolete.
    // @error kProtocolViolation: not offered, or a delay that is not allowed.
    TransportResult<std::optional<AckPolicy>> on_ack_frequency(
        const wire::AckFrequencyFrame& frame);
    // @error kProtocolViolation: not offered.
    TransportResult<void> on_immediate_ack() const;

private:
    std::optional<Duration> min_ack_delay_;
    std::uint64_t next_ = 0;  // the lowest sequence number that is news
};

}  // namespace stoq::extensions
