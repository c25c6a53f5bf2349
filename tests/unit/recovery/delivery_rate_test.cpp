#include "recovery/delivery_rate.h"

#include "recovery_harness.h"

namespace stoq::recovery {
namespace {

TEST(DeliveryRate, SteadyFlightGivesTheRateOfThePath) {
    Sender sender;
    // One packet a millisecond, 10 ms round trip: 1.2 MB/s.
    AckOutcome outcome;
    for (std::uint64_t i = 0; i < 60; ++i) {
        sender.send();
        sender.wait(milliseconds(1));
        if (i >= 9) outcome = sender.ack_one(i - 9);
    }
    EXPECT_EQ(outcome.delivery.bytes_per_second(), 1'200'000u);
    EXPECT_FALSE(outcome.delivery.app_limited);
    EXPECT_EQ(outcome.delivery.total_delivered - outcome.delivery.prior_delivered,
              outcome.delivery.delivered);
}

TEST(DeliveryRate, CompressedAcknowledgementsDoNotExaggerate) {
    Sender sender;
    for (int i = 0; i < 40; ++i) {
        sender.send();
        sender.wait(milliseconds(1));
    }
    // All forty arrive at the peer in time, but their acknowledgements come at once.
    sender.wait(milliseconds(10));
    const AckOutcome outcome = sender.ack({{0, 40}});
    EXPECT_LE(outcome.delivery.bytes_per_second(), 40u * 1'200'000 / 39);
}

TEST(DeliveryRate, IntervalBelowTheSmallestRttIsNoSample) {
    SentPacket packet;
    packet.bytes = 1200;
    packet.time_sent = kStart;
    DeliveryRate rate;
    rate.on_sent(packet, 0);
    rate.on_acknowledged(packet, kStart + milliseconds(5));
    EXPECT_EQ(rate.finish(milliseconds(10)).bytes_per_second(), 0u);
    EXPECT_EQ(rate.delivered(), 1200u);
}

TEST(DeliveryRate, WithoutAcknowledgementThereIsNoSample) {
    DeliveryRate rate;
    EXPECT_EQ(rate.finish(milliseconds(10)).bytes_per_second(), 0u);
}

}  // namespace
}  // namespace stoq::recovery
