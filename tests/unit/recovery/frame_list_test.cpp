#include "recovery/frame_list.h"

#include "recovery_harness.h"

namespace stoq::recovery {
namespace {

using wire::SentFrame;
using wire::SentFrameKind;

TEST(FrameList, TrainOfOneStreamBecomesOneRecord) {
    FrameList list;
    for (std::uint64_t i = 0; i < 100; ++i) list.add(stream_range(4, i * 1000, 1000));
    ASSERT_EQ(list.frames().size(), 1u);
    EXPECT_EQ(list.frames()[0].offset, 0u);
    EXPECT_EQ(list.frames()[0].length, 100'000u);
}

TEST(FrameList, InterleavedStreamsMergeEachWithItsOwn) {
    FrameList list;
    for (std::uint64_t i = 0; i < 10; ++i) {
        for (std::uint64_t id = 0; id < 4; ++id) list.add(stream_range(id, i * 10, 10));
    }
    ASSERT_EQ(list.frames().size(), 4u);
    for (const SentFrame& frame : list.frames()) EXPECT_EQ(frame.length, 100u);
}

TEST(FrameList, GapsOtherStreamsAndFinalRangesStayApart) {
    FrameList list;
    list.add(stream_range(4, 0, 10));
    list.add(stream_range(4, 11, 10));  // a byte is missing
    list.add(stream_range(8, 21, 10));  // another stream
    SentFrame last = stream_range(4, 21, 5);
    last.fin = true;
    list.add(last);
    ASSERT_EQ(list.frames().size(), 3u);
    EXPECT_TRUE(list.frames()[1].fin);
    EXPECT_EQ(list.frames()[1].length, 15u);
    list.add(stream_range(4, 26, 5));  // nothing follows the end of a stream
    EXPECT_EQ(list.frames().size(), 4u);
}

TEST(FrameList, LengthsThatWouldOverflowStayApart) {
    FrameList list;
    list.add(stream_range(4, 0, UINT32_MAX - 5));
    list.add(stream_range(4, UINT32_MAX - 5, 6));
    EXPECT_EQ(list.frames().size(), 2u);
}

TEST(FrameList, OfAcksTheHighestStaysAndEmptyRecordsGo) {
    FrameList list;
    list.add(ack_record(7));
    list.add(ack_record(9));
    list.add(ack_record(8));
    SentFrame none = ack_record(0);
    none.kind = SentFrameKind::kNone;
    list.add(none);
    ASSERT_EQ(list.frames().size(), 1u);
    EXPECT_EQ(list.frames()[0].value, 9u);
}

}  // namespace
}  // namespace stoq::recovery
