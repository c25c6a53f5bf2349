#include "extensions/ack_frequency.h"

#include <algorithm>

#include "wire/frame_encode.h"
#include "wire/frame_table.h"

namespace stoq::extensions {
namespace {

std::uint64_t microseconds_of(Duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
}

std::unexpected<TransportError> violation(Reason reason, std::uint64_t frame_type) {
    return std::unexpected(TransportError{TransportErrorCode::kProtocolViolation, reason,
                                          static_cast<std::uint32_t>(frame_type)});
}

}  // namespace

void AckFrequencySender::enable(Duration min_ack_delay, Duration max_ack_delay) {
    enabled_ = true;
    min_ack_delay_ = min_ack_delay;
    max_ack_delay_ = max_ack_delay;
}

void AckFrequencySender::update(const Conditions& conditions) {
    if (!enabled_) return;
    const std::uint64_t wanted =
        std::clamp<std::uint64_t>(conditions.window_datagrams / kAcksPerWindow, 1, kMaxThreshold);
    if (wanted < 2 * threshold_ && 2 * wanted > threshold_) return;
    threshold_ = wanted;
    // A quarter of a round trip, so that the sender does not run dry while it waits for an ACK.
    requested_ = std::clamp(conditions.smoothed_rtt / 4, min_ack_delay_, max_ack_delay_);
    pending_ = true;
}

void AckFrequencySender::write_ack_frequency(wire::PayloadWriter& writer) {
    const wire::AckFrequencyFrame frame{.sequence_number = next_,
                                        .ack_eliciting_threshold = threshold_,
                                        .requested_max_ack_delay = microseconds_of(requested_),
                                        .reordering_threshold = kReorderingThreshold};
    if (!writer.can_record() || !wire::encode(writer.bytes(), frame)) return;
    wire::SentFrame record{};
    record.kind = wire::SentFrameKind::kAckFrequency;
    record.value = next_++;
    writer.record(record);
    pending_ = false;
}

TransportResult<std::optional<AckPolicy>> AckFrequencyReceiver::on_ack_frequency(
    const wire::AckFrequencyFrame& frame) {
    constexpr std::uint64_t kTooLong = (std::uint64_t{1} << 14) * 1000;  // RFC 9000 section 18.2
    if (!min_ack_delay_) return violation(Reason::kNotNegotiated, wire::frame_type::kAckFrequency);
    if (frame.requested_max_ack_delay >= kTooLong ||
        frame.requested_max_ack_delay < microseconds_of(*min_ack_delay_)) {
        return violation(Reason::kBadAckDelay, wire::frame_type::kAckFrequency);
    }
    if (frame.sequence_number < next_) return std::optional<AckPolicy>();
    next_ = frame.sequence_number + 1;
    const std::uint64_t threshold = std::min(frame.ack_eliciting_threshold, kMaxThreshold) + 1;
    return AckPolicy{.max_ack_delay = std::chrono::microseconds(frame.requested_max_ack_delay),
                     .threshold = static_cast<std::uint32_t>(threshold),
                     .reordering_threshold = frame.reordering_threshold};
}

TransportResult<void> AckFrequencyReceiver::on_immediate_ack() const {
    if (!min_ack_delay_) return violation(Reason::kNotNegotiated, wire::frame_type::kImmediateAck);
    return {};
}

}  // namespace stoq::extensions
