// Priorities: which stream's frames leave first. Driven through StreamSet, as streams are.
#include "streams/send_scheduler.h"

#include <gtest/gtest.h>

#include "support/stream_link.h"

namespace stoq::streams {
namespace {

using test::pattern;
using test::StreamPacket;
using test::take_packet;

class SendSchedulerTest : public testing::Test {
protected:
    StreamId open_with(std::size_t length, std::uint8_t urgency = kDefaultUrgency,
                       bool incremental = false) {
        const StreamId id = *pair.client.open(Directionality::kUnidirectional);
        EXPECT_TRUE(pair.client.set_priority(id, urgency, incremental));
        EXPECT_EQ(*pair.client.write(id, pattern(0, length)), length);
        return id;
    }

    // The streams of the frames of the next packet.
    std::vector<std::uint64_t> next_packet(std::size_t size = 1200) {
        std::vector<std::uint64_t> ids;
        last = take_packet(pair.client, size);
        for (const wire::SentFrame& frame : last.frames) {
            if (frame.kind == wire::SentFrameKind::kStream) ids.push_back(frame.id);
        }
        return ids;
    }

    using Ids = std::vector<std::uint64_t>;

    test::StreamPair pair;
    StreamPacket last;
};

TEST_F(SendSchedulerTest, LowerUrgencyValueGoesFirst) {
    const StreamId low = open_with(100, 7);
    const StreamId high = open_with(100, 0);
    const StreamId middle = open_with(100);
    //= test 9000-2.3-1
    EXPECT_EQ(next_packet(), (Ids{high.value(), middle.value(), low.value()}));
}

TEST_F(SendSchedulerTest, EqualUrgencyIsFirstComeFirstServed) {
    const StreamId first = open_with(3000);
    const StreamId second = open_with(3000);
    EXPECT_EQ(next_packet(), Ids{first.value()});
    EXPECT_EQ(next_packet(), Ids{first.value()});
    EXPECT_EQ(next_packet(), (Ids{first.value(), second.value()}));
    EXPECT_EQ(next_packet(), Ids{second.value()});
}

TEST_F(SendSchedulerTest, IncrementalStreamsTakeTurnsByPacket) {
    const StreamId first = open_with(3000, 3, true);
    const StreamId second = open_with(3000, 3, true);
    EXPECT_EQ(next_packet(), Ids{first.value()});
    EXPECT_EQ(next_packet(), Ids{second.value()});
    EXPECT_EQ(next_packet(), Ids{first.value()});
    EXPECT_EQ(next_packet(), Ids{second.value()});
}

TEST_F(SendSchedulerTest, NewStreamTakesItsTurnBesideABulkStream) {
    const StreamId bulk = *pair.client.open(Directionality::kUnidirectional);
    ASSERT_TRUE(pair.client.write(bulk, pattern(0, 100'000)));
    EXPECT_EQ(next_packet(), Ids{bulk.value()});
    const StreamId small = *pair.client.open(Directionality::kUnidirectional);
    ASSERT_TRUE(pair.client.write(small, pattern(0, 64)));
    EXPECT_EQ(next_packet(), Ids{bulk.value()});
    EXPECT_EQ(next_packet(), (Ids{small.value(), bulk.value()}));
}

TEST_F(SendSchedulerTest, ChangedPriorityTakesEffectAtOnce) {
    const StreamId first = open_with(3000);
    const StreamId second = open_with(3000);
    EXPECT_EQ(next_packet(), Ids{first.value()});
    ASSERT_TRUE(pair.client.set_priority(second, 1, false));
    EXPECT_EQ(next_packet(), Ids{second.value()});
}

TEST_F(SendSchedulerTest, LostDataGoesBeforeMoreUrgentNewData) {
    const StreamId background = open_with(1000, 7);
    EXPECT_EQ(next_packet(), Ids{background.value()});
    const StreamPacket lost = last;
    const StreamId urgent = open_with(3000, 0);
    test::lose(pair.client, lost);
    //= test 9000-13.3-4
    EXPECT_EQ(next_packet(), (Ids{background.value(), urgent.value()}));
}

TEST_F(SendSchedulerTest, StreamBlockedByItsOwnLimitDoesNotHoldUpOthers) {
    StreamSettings small;
    small.initial_stream_window = 100;
    test::StreamPair narrow({}, small);
    const StreamId first = *narrow.client.open(Directionality::kUnidirectional);
    const StreamId second = *narrow.client.open(Directionality::kUnidirectional);
    ASSERT_TRUE(narrow.client.write(first, pattern(0, 500)));
    ASSERT_TRUE(narrow.client.write(second, pattern(0, 100)));
    const StreamPacket packet = take_packet(narrow.client);
    ASSERT_EQ(packet.frames.size(), 2u);
    EXPECT_EQ(packet.frames[0].length, 100u);
    EXPECT_EQ(packet.frames[1].id, second.value());
}

TEST_F(SendSchedulerTest, DoesNotStartAFrameInALittleRoom) {
    open_with(1170);
    open_with(1000);
    EXPECT_EQ(next_packet().size(), 1u);
    EXPECT_EQ(next_packet().size(), 1u);
}

TEST_F(SendSchedulerTest, HeldStreamSendsNothing) {
    StreamResources resources(1 << 20);
    Stream stream(resources.blocks);
    stream.sends = true;
    stream.send.open(StreamId(0), 1000);
    stream.send.append(pattern(0, 10));
    stream.held = true;
    SendScheduler scheduler;
    scheduler.window().raise(1000);
    scheduler.refresh(stream);
    EXPECT_FALSE(scheduler.has_pending());
    stream.held = false;
    scheduler.refresh(stream);
    EXPECT_TRUE(scheduler.has_pending());
    scheduler.remove(stream);
    EXPECT_FALSE(scheduler.has_pending());
}

}  // namespace
}  // namespace stoq::streams
