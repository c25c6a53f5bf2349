#include "extensions/datagram_receiver.h"

#include <gtest/gtest.h>

namespace stoq::extensions {
namespace {

using Payload = std::vector<std::uint8_t>;

wire::DatagramFrame frame(const Payload& payload) {
    return {.data = payload, .encoded_size = 2 + payload.size()};
}

Payload copy(ByteView bytes) {
    return {bytes.begin(), bytes.end()};
}

TEST(DatagramReceiver, ShowsWhatCameWhereItLiesAndInOrder) {
    DatagramReceiver receiver(65535, 1000);
    const Payload first{1, 2};
    const Payload second;
    ASSERT_TRUE(receiver.on_datagram(frame(first)));
    ASSERT_TRUE(receiver.on_datagram(frame(second)));
    const auto shown = receiver.poll();
    ASSERT_TRUE(shown);
    EXPECT_EQ(shown->data(), first.data());
    EXPECT_TRUE(receiver.poll()->empty());
    EXPECT_FALSE(receiver.poll());
    receiver.settle();
    EXPECT_FALSE(receiver.poll());
    EXPECT_EQ(receiver.received(), 2u);
}

TEST(DatagramReceiver, WhatNobodyPolledIsCopiedOnce) {
    DatagramReceiver receiver(65535, 1000);
    Payload bytes{1, 2, 3};
    ASSERT_TRUE(receiver.on_datagram(frame(bytes)));
    receiver.settle();
    bytes = {9, 9, 9};
    receiver.settle();
    EXPECT_EQ(copy(*receiver.poll()), (Payload{1, 2, 3}));
    receiver.settle();
    EXPECT_FALSE(receiver.poll());
}

//= test 9221-5.3-1
TEST(DatagramReceiver, BeyondTheBoundTheOldestAreDroppedAndCounted) {
    DatagramReceiver receiver(65535, 25);
    const Payload bytes(10, 1);
    const Payload last(10, 2);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(receiver.on_datagram(frame(bytes)));
    ASSERT_TRUE(receiver.on_datagram(frame(last)));
    receiver.settle();
    EXPECT_EQ(receiver.dropped(), 2u);
    EXPECT_EQ(copy(*receiver.poll()), bytes);
    EXPECT_EQ(copy(*receiver.poll()), last);
    EXPECT_FALSE(receiver.poll());
}

TEST(DatagramReceiver, HoldsNoMoreThanItsCount) {
    DatagramReceiver receiver(65535, 1'000'000);
    const Payload empty;
    for (std::size_t i = 0; i < DatagramReceiver::kMaxHeld + 5; ++i) {
        ASSERT_TRUE(receiver.on_datagram(frame(empty)));
    }
    EXPECT_EQ(receiver.dropped(), 5u);
    receiver.settle();
    std::size_t count = 0;
    while (receiver.poll()) ++count;
    EXPECT_EQ(count, DatagramReceiver::kMaxHeld);
}

//= test 9221-3-3
//= test 9221-3-4
TEST(DatagramReceiver, RefusesWhatWasNotOffered) {
    const Payload bytes(98);
    for (const std::uint64_t offered : {std::uint64_t{0}, std::uint64_t{99}}) {
        DatagramReceiver receiver(offered, 1000);
        const auto result = receiver.on_datagram(frame(bytes));
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, TransportErrorCode::kProtocolViolation);
        EXPECT_EQ(result.error().reason,
                  offered == 0 ? Reason::kNotNegotiated : Reason::kDatagramTooLarge);
        EXPECT_FALSE(receiver.poll());
    }
    DatagramReceiver receiver(100, 1000);
    EXPECT_TRUE(receiver.on_datagram(frame(bytes)));
}

}  // namespace
}  // namespace stoq::extensions
