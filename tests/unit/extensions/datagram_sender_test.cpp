#include "extensions/datagram_sender.h"

#include <gtest/gtest.h>

#include "wire/frame_decode.h"

namespace stoq::extensions {
namespace {

using std::chrono::milliseconds;
using Payload = std::vector<std::uint8_t>;

constexpr Instant kStart{std::chrono::seconds(1)};

// The payloads of the frames that go into one packet of `room` bytes.
std::vector<Payload> written(DatagramSender& sender, DatagramSender::WriteLimits limits,
                             std::size_t room = 1000) {
    std::vector<std::uint8_t> bytes(room);
    wire::PayloadWriter writer(bytes);
    sender.write(writer, limits);
    std::vector<Payload> payloads;
    ByteReader reader(writer.bytes().written_bytes());
    while (!reader.empty()) {
        const auto frame = wire::decode_frame(reader, wire::PacketType::kOneRtt);
        EXPECT_TRUE(frame);
        const ByteView data = std::get<wire::DatagramFrame>(*frame).data;
        payloads.emplace_back(data.begin(), data.end());
    }
    EXPECT_EQ(writer.records().size(), payloads.size());
    EXPECT_EQ(writer.ack_eliciting(), !payloads.empty());
    return payloads;
}

DatagramSender::WriteLimits at(Instant now, std::uint8_t urgency = kLeastDatagramUrgency) {
    return {.now = now, .urgency = urgency, .max_payload = 990};
}

TEST(DatagramSender, SendsInOrderAndOnlyOnce) {
    DatagramSender sender(1000);
    ASSERT_TRUE(sender.send(Payload{1}, {}));
    ASSERT_TRUE(sender.send(Payload{}, {}));
    ASSERT_TRUE(sender.send(Payload{2, 3}, {}));
    EXPECT_TRUE(sender.has_pending());
    EXPECT_EQ(written(sender, at(kStart)), (std::vector<Payload>{{1}, {}, {2, 3}}));
    EXPECT_FALSE(sender.has_pending());
    EXPECT_TRUE(written(sender, at(kStart)).empty());
    EXPECT_EQ(sender.counters().sent, 3u);
}

//= test 9221-5.1-1
TEST(DatagramSender, TheMoreUrgentGoFirstAndThoseBehindStreamsWait) {
    DatagramSender sender(1000);
    ASSERT_TRUE(sender.send(Payload{5}, {.urgency = 5}));
    ASSERT_TRUE(sender.send(Payload{1}, {.urgency = 1}));
    ASSERT_TRUE(sender.send(Payload{2}, {.urgency = 2}));
    EXPECT_EQ(written(sender, at(kStart, 2)), (std::vector<Payload>{{1}, {2}}));
    EXPECT_TRUE(sender.has_pending());
    EXPECT_EQ(written(sender, at(kStart)), (std::vector<Payload>{{5}}));
}

TEST(DatagramSender, WhatDoesNotFitIsNotCut) {
    DatagramSender sender(1000);
    ASSERT_TRUE(sender.send(Payload(100, 1), {}));
    ASSERT_TRUE(sender.send(Payload(100, 2), {}));
    EXPECT_EQ(written(sender, at(kStart), 150), (std::vector<Payload>{Payload(100, 1)}));
    EXPECT_TRUE(written(sender, at(kStart), 101).empty());
    EXPECT_EQ(written(sender, at(kStart), 103), (std::vector<Payload>{Payload(100, 2)}));
}

TEST(DatagramSender, WhatIsTooLargeForAnyPacketIsDropped) {
    DatagramSender sender(1000);
    ASSERT_TRUE(sender.send(Payload(200), {}));
    ASSERT_TRUE(sender.send(Payload{1}, {}));
    EXPECT_EQ(written(sender, {.now = kStart, .max_payload = 199}), (std::vector<Payload>{{1}}));
    EXPECT_EQ(sender.counters().dropped, 1u);
}

TEST(DatagramSender, AfterItsDeadlineADatagramIsDroppedAndCounted) {
    DatagramSender sender(1000);
    ASSERT_TRUE(sender.send(Payload{1}, {.deadline = kStart + milliseconds(5)}));
    ASSERT_TRUE(sender.send(Payload{2}, {}));
    ASSERT_TRUE(sender.send(Payload{3}, {.deadline = kStart + milliseconds(3), .urgency = 7}));
    EXPECT_EQ(sender.next_deadline(), kStart + milliseconds(3));
    sender.expire(kStart + milliseconds(2));
    EXPECT_EQ(sender.counters().expired, 0u);
    sender.expire(kStart + milliseconds(3));
    EXPECT_EQ(sender.counters().expired, 1u);
    EXPECT_EQ(sender.next_deadline(), kStart + milliseconds(5));
    // Without a timer, when its turn comes.
    EXPECT_EQ(written(sender, at(kStart + milliseconds(5))), (std::vector<Payload>{{2}}));
    EXPECT_EQ(sender.counters().expired, 2u);
    EXPECT_EQ(sender.next_deadline(), kNever);
}

TEST(DatagramSender, AFullQueueRefusesAndTellsOnceWhenThereIsRoom) {
    DatagramSender sender(250);
    ASSERT_TRUE(sender.send(Payload(100), {}));
    ASSERT_TRUE(sender.send(Payload(100), {}));
    EXPECT_FALSE(sender.take_writable());
    const auto refused = sender.send(Payload(140), {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), ApiError::kWouldBlock);
    EXPECT_FALSE(sender.take_writable());
    EXPECT_EQ(written(sender, at(kStart), 150).size(), 1u);
    EXPECT_TRUE(sender.take_writable());
    EXPECT_FALSE(sender.take_writable());
    EXPECT_TRUE(sender.send(Payload(140), {}));
}

TEST(DatagramSender, EmptyDatagramsAreBoundedByCount) {
    DatagramSender sender(250);
    for (std::size_t i = 0; i < DatagramSender::kMaxQueued; ++i) {
        ASSERT_TRUE(sender.send({}, {}));
    }
    EXPECT_EQ(sender.send({}, {}).error(), ApiError::kWouldBlock);
}

TEST(DatagramSender, RefusesWhatCanNeverBeQueued) {
    DatagramSender sender(250);
    EXPECT_EQ(sender.send(Payload(251), {}).error(), ApiError::kInvalidArgument);
    EXPECT_EQ(sender.send(Payload(1), {.urgency = 8}).error(), ApiError::kInvalidArgument);
    EXPECT_FALSE(sender.take_writable());
}

//= test 9221-3-2
TEST(DatagramSender, ThePayloadLeavesRoomForTypeAndLength) {
    struct Row {
        std::uint64_t peer;
        std::size_t room;
        std::size_t payload;
    };
    for (const Row& row :
         {Row{0, 1000, 0}, Row{1, 1000, 0}, Row{2, 1000, 0}, Row{3, 1000, 1}, Row{65, 1000, 63},
          Row{66, 1000, 63}, Row{67, 1000, 64}, Row{65535, 1000, 997}, Row{65535, 2, 0},
          Row{65535, 0, 0}, Row{65535, 16'388, 16'383}}) {
        DatagramSender sender(100'000);
        sender.set_peer_limit(row.peer);
        EXPECT_EQ(sender.max_payload(row.room), row.payload) << row.peer << ' ' << row.room;
        EXPECT_EQ(sender.peer_takes_datagrams(), row.peer >= 2);
    }
}

}  // namespace
}  // namespace stoq::extensions
