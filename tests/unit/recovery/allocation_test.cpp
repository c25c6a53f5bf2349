// The steady state allocates nothing: sending, acknowledging, losing, and tracking what arrives.

#include <gtest/gtest.h>

#include "recovery/ack_tracker.h"
#include "recovery_harness.h"
#include "support/counting_allocator.h"

namespace stoq::recovery {
namespace {

using test::allocation_count;

// Trains of 44 packets over a link that loses one packet in each, half a window in flight.
class Transfer {
public:
    void train() {
        for (int i = 0; i < 44; ++i) send();
        now_ += microseconds(100);
        wire::PayloadWriter writer{Bytes(memory_)};
        ASSERT_TRUE(tracker_.write_ack(writer, now_, 3));
        ByteReader reader(ByteView(memory_.data(), writer.written()));
        const auto frame = wire::decode_frame(reader, wire::PacketType::kOneRtt);
        const auto outcome =
            recovery_.on_ack_received(kApplication, std::get<wire::AckFrame>(*frame), {}, now_);
        ASSERT_TRUE(outcome.has_value());
        lost_ += outcome->lost.packets;
        acked_ += outcome->acked_packets;
        for (const auto& acked : outcome->acked) {
            if (acked.kind == wire::SentFrameKind::kAck) tracker_.on_ack_acknowledged(acked.value);
        }
    }
    std::uint32_t lost() const { return lost_; }
    std::uint32_t acked() const { return acked_; }

private:
    void send() {
        const std::array frames{stream_range(4, offset_, 1400), ack_record(known_)};
        offset_ += 1400;
        OutgoingPacket packet;
        packet.space = kApplication;
        packet.number = recovery_.next_packet_number(kApplication, random_);
        packet.bytes = 1452;
        packet.ack_eliciting = packet.in_flight = true;
        packet.frames = frames;
        recovery_.on_packet_sent(packet, now_);
        if (++sent_ % 44 == 20) return;
        tracker_.on_packet_received(packet.number, now_, Ecn::kEct0, true);
        known_ = packet.number.value();
    }

    LossRecovery recovery_{{}};
    AckTracker tracker_{kApplication};
    SeededRandom random_{3};
    Instant now_ = kStart;
    std::array<std::uint8_t, 1200> memory_{};
    std::uint64_t offset_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t known_ = 0;
    std::uint32_t lost_ = 0;
    std::uint32_t acked_ = 0;
};

TEST(RecoveryAllocation, SteadyStateWithLossesAllocatesNothing) {
    Transfer transfer;
    for (int i = 0; i < 2000; ++i) transfer.train();
    const std::uint64_t before = allocation_count.load();
    for (int i = 0; i < 10'000; ++i) transfer.train();
    EXPECT_EQ(allocation_count.load(), before);
    EXPECT_EQ(transfer.lost(), 12'000u);
    EXPECT_EQ(transfer.acked(), 12'000u * 43);
}

}  // namespace
}  // namespace stoq::recovery
