#include "extensions/ack_frequency.h"

#include <gtest/gtest.h>

#include "wire/frame_decode.h"

namespace stoq::extensions {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

std::optional<wire::AckFrequencyFrame> written(AckFrequencySender& sender) {
    std::vector<std::uint8_t> bytes(100);
    wire::PayloadWriter writer(bytes);
    sender.write_ack_frequency(writer);
    if (writer.empty()) return std::nullopt;
    EXPECT_EQ(writer.records().size(), 1u);
    ByteReader reader(writer.bytes().written_bytes());
    return std::get<wire::AckFrequencyFrame>(
        *wire::decode_frame(reader, wire::PacketType::kOneRtt));
}

TEST(AckFrequencySender, AsksNobodyWhoDidNotOffer) {
    AckFrequencySender sender;
    sender.update({.window_datagrams = 1000, .smoothed_rtt = milliseconds(40)});
    EXPECT_FALSE(sender.has_frame_to_write());
}

TEST(AckFrequencySender, AsksForRarerAcksAsTheWindowGrowsAndForMoreAsItShrinks) {
    AckFrequencySender sender;
    sender.enable(milliseconds(1), milliseconds(25));
    sender.update({.window_datagrams = 20, .smoothed_rtt = milliseconds(40)});
    EXPECT_FALSE(sender.has_frame_to_write());
    sender.update({.window_datagrams = 80, .smoothed_rtt = milliseconds(40)});
    ASSERT_TRUE(sender.has_frame_to_write());
    const auto first = written(sender);
    EXPECT_EQ(first->sequence_number, 0u);
    EXPECT_EQ(first->ack_eliciting_threshold, 5u);
    EXPECT_EQ(first->requested_max_ack_delay, 10'000u);
    EXPECT_EQ(first->reordering_threshold, 3u);
    EXPECT_FALSE(sender.has_frame_to_write());
    // Not for small changes.
    sender.update({.window_datagrams = 150, .smoothed_rtt = milliseconds(40)});
    EXPECT_FALSE(sender.has_frame_to_write());
    sender.update({.window_datagrams = 100'000, .smoothed_rtt = milliseconds(400)});
    const auto second = written(sender);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->sequence_number, 1u);
    EXPECT_EQ(second->ack_eliciting_threshold, AckFrequencySender::kMaxThreshold);
    EXPECT_EQ(second->requested_max_ack_delay, 25'000u);
    sender.update({.window_datagrams = 10, .smoothed_rtt = microseconds(100)});
    const auto third = written(sender);
    ASSERT_TRUE(third);
    EXPECT_EQ(third->ack_eliciting_threshold, 1u);
    EXPECT_EQ(third->requested_max_ack_delay, 1'000u);
}

TEST(AckFrequencySender, OnlyTheNewestRequestIsRepeatedAfterALoss) {
    AckFrequencySender sender;
    sender.enable(milliseconds(1), milliseconds(25));
    sender.update({.window_datagrams = 80, .smoothed_rtt = milliseconds(40)});
    (void)written(sender);
    sender.update({.window_datagrams = 800, .smoothed_rtt = milliseconds(40)});
    (void)written(sender);
    sender.on_lost(0);
    EXPECT_FALSE(sender.has_frame_to_write());
    sender.on_lost(1);
    ASSERT_TRUE(sender.has_frame_to_write());
    EXPECT_EQ(written(sender)->sequence_number, 2u);
}

TEST(AckFrequencyReceiver, FollowsTheNewestRequest) {
    AckFrequencyReceiver receiver;
    receiver.enable(milliseconds(1));
    const auto policy = receiver.on_ack_frequency({3, 9, 5'000, 4});
    ASSERT_TRUE(policy && *policy);
    EXPECT_EQ((*policy)->threshold, 10u);
    EXPECT_EQ((*policy)->max_ack_delay, milliseconds(5));
    EXPECT_EQ((*policy)->reordering_threshold, 4u);
    for (const std::uint64_t old : {0u, 3u}) {
        const auto ignored = receiver.on_ack_frequency({old, 1, 5'000, 1});
        ASSERT_TRUE(ignored);
        EXPECT_FALSE(*ignored);
    }
    EXPECT_TRUE(*receiver.on_ack_frequency({4, UINT64_MAX >> 2, 1'000, 0}));
    EXPECT_TRUE(receiver.on_immediate_ack());
}

TEST(AckFrequencyReceiver, RefusesWhatWasNotOfferedAndDelaysOutsideTheirRange) {
    AckFrequencyReceiver silent;
    EXPECT_EQ(silent.on_ack_frequency({0, 1, 5'000, 1}).error().reason, Reason::kNotNegotiated);
    EXPECT_EQ(silent.on_immediate_ack().error().reason, Reason::kNotNegotiated);
    AckFrequencyReceiver receiver;
    receiver.enable(milliseconds(1));
    for (const std::uint64_t delay : {999u, 16'384'000u}) {
        const auto refused = receiver.on_ack_frequency({0, 1, delay, 1});
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, TransportErrorCode::kProtocolViolation);
        EXPECT_EQ(refused.error().reason, Reason::kBadAckDelay);
    }
    EXPECT_TRUE(receiver.on_ack_frequency({0, 1, 16'383'999, 1}));
}

}  // namespace
}  // namespace stoq::extensions
