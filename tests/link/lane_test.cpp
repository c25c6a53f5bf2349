#include "lane.h"

#include <gtest/gtest.h>

#include "packets.h"

namespace stoq::link {
namespace {

using std::chrono::milliseconds;

constexpr Instant kStart = Instant(std::chrono::seconds(1000));

// 1000 bytes take 1 ms.
LinkSettings one_packet_a_millisecond() {
    LinkSettings settings;
    settings.bits_per_second = 8'000'000;
    settings.delay = milliseconds(15);
    settings.queue_packets = 2;
    return settings;
}

TEST(LinkLane, APacket_ArrivesAfterTransmissionAndDelay) {
    Lane lane(one_packet_a_millisecond());
    EXPECT_EQ(lane.next_arrival(), kNever);
    ASSERT_TRUE(lane.offer(Packet(1000), kStart));
    EXPECT_EQ(lane.next_arrival(), kStart + milliseconds(16));
    EXPECT_FALSE(lane.take(kStart + milliseconds(16) - Duration(1)));
    EXPECT_EQ(lane.take(kStart + milliseconds(16))->size(), 1000U);
    EXPECT_EQ(lane.next_arrival(), kNever);
}

TEST(LinkLane, PacketsBehindEachOther_LeaveAtTheRate) {
    Lane lane(one_packet_a_millisecond());
    for (const std::size_t size : {1000U, 500U, 1000U})
        ASSERT_TRUE(lane.offer(Packet(size), kStart));
    std::vector<Duration> arrivals;
    while (lane.next_arrival() != kNever) {
        arrivals.push_back(lane.next_arrival() - kStart);
        ASSERT_TRUE(lane.take(lane.next_arrival()));
    }
    EXPECT_EQ(arrivals, (std::vector<Duration>{milliseconds(16), std::chrono::microseconds(16500),
                                               std::chrono::microseconds(17500)}));
}

TEST(LinkLane, AFullQueue_LosesWhatComesUntilOneHasLeft) {
    Lane lane(one_packet_a_millisecond());
    // One is being sent, two wait.
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(lane.offer(Packet(1000), kStart));
    EXPECT_FALSE(lane.offer(Packet(1000), kStart));
    EXPECT_FALSE(lane.offer(Packet(1000), kStart + milliseconds(1) - Duration(1)));
    EXPECT_TRUE(lane.offer(Packet(1000), kStart + milliseconds(1)));
    EXPECT_FALSE(lane.offer(Packet(1000), kStart + milliseconds(1)));
}

TEST(LinkLane, WhatIsUnderWay_DoesNotCountAsWaiting) {
    LinkSettings settings = one_packet_a_millisecond();
    settings.delay = std::chrono::seconds(10);
    Lane lane(settings);
    for (int i = 0; i < 100; ++i)
        EXPECT_TRUE(lane.offer(Packet(1000), kStart + i * milliseconds(1)));
}

TEST(LinkLane, WithoutARate_OnlyTheDelayCounts) {
    LinkSettings settings;
    settings.delay = milliseconds(3);
    settings.queue_packets = 0;
    Lane lane(settings);
    EXPECT_TRUE(lane.offer(Packet(1000), kStart));
    EXPECT_TRUE(lane.offer(Packet(1000), kStart));
    EXPECT_EQ(lane.next_arrival(), kStart + milliseconds(3));
}

}  // namespace
}  // namespace stoq::link
