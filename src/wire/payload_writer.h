// PayloadWriter: where the frames of one packet are appended.
//
// It joins the room left in the packet with the list of what was put there. Whoever owns a kind of
// frame appends it here; the connection then hands the list to recovery with the packet number.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/sent_frame.h"

namespace stoq::wire {

class PayloadWriter {
public:
    // A packet of small frames stops here; the rest goes into the next packet.
    static constexpr std::size_t kMaxRecords = 64;

    explicit PayloadWriter(Bytes room) : bytes_(room) {}

    // Copies only the records that there are: packets move while they are built.
    PayloadWriter(const PayloadWriter& other)
        : bytes_(other.bytes_),
          record_count_(other.record_count_),
          ack_eliciting_(other.ack_eliciting_),
          in_flight_(other.in_flight_) {
        std::copy_n(other.records_.begin(), record_count_, records_.begin());
    }
    PayloadWriter& operator=(const PayloadWriter& other) {
        if (this == &other) return *this;
        bytes_ = other.bytes_;
        std::copy_n(other.records_.begin(), other.record_count_, records_.begin());
        record_count_ = other.record_count_;
        ack_eliciting_ = other.ack_eliciting_;
        in_flight_ = other.in_flight_;
        return *this;
    }
    ~PayloadWriter() = default;

    ByteWriter& bytes() { return bytes_; }
    std::size_t remaining() const { return bytes_.remaining(); }
    std::size_t written() const { return bytes_.written(); }
    bool empty() const { return bytes_.written() == 0; }

    // False when no further frame may be added although bytes are left.
    bool can_record() const { return record_count_ < kMaxRecords; }

    // Call after appending an ack-eliciting frame (everything but ACK, PADDING, CONNECTION_CLOSE).
    void record(const SentFrame& frame) {
        ack_eliciting_ = true;
        in_flight_ = true;
        append(frame);
    }
    // Call after appending an ACK frame.
    void record_ack(std::uint64_t largest_acknowledged) {
        SentFrame frame{};
        frame.kind = SentFrameKind::kAck;
        frame.value = largest_acknowledged;
        append(frame);
    }
    // Call after appending PADDING: counts towards bytes in flight (RFC 9002 section 2).
    void record_padding() { in_flight_ = true; }

    bool ack_eliciting() const { return ack_eliciting_; }
    bool in_flight() const { return in_flight_; }
    std::span<const SentFrame> records() const { return {records_.data(), record_count_}; }

private:
    void append(const SentFrame& frame) {
        STOQ_CHECK(can_record());  // a frame without a record would never be sent again
        records_[record_count_++] = frame;
    }

    ByteWriter bytes_;
    std::array<SentFrame, kMaxRecords> records_;
    std::size_t record_count_ = 0;
    bool ack_eliciting_ = false;
    bool in_flight_ = false;
};

}  // namespace stoq::wire
