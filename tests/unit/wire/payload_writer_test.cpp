#include "wire/payload_writer.h"

#include <gtest/gtest.h>

namespace stoq::wire {
namespace {

SentFrame ping() {
    SentFrame frame{};
    frame.kind = SentFrameKind::kNone;
    return frame;
}

TEST(PayloadWriter, AnAckAloneElicitsNothingAndIsNotInFlight) {
    std::uint8_t room[16];
    PayloadWriter writer(room);
    writer.record_ack(7);
    EXPECT_FALSE(writer.ack_eliciting());
    EXPECT_FALSE(writer.in_flight());
    ASSERT_EQ(writer.records().size(), 1u);
    EXPECT_EQ(writer.records()[0].kind, SentFrameKind::kAck);
    EXPECT_EQ(writer.records()[0].value, 7u);
}

TEST(PayloadWriter, PaddingIsInFlightButElicitsNothing) {
    std::uint8_t room[16];
    PayloadWriter writer(room);
    writer.record_padding();
    EXPECT_FALSE(writer.ack_eliciting());
    EXPECT_TRUE(writer.in_flight());
    EXPECT_TRUE(writer.records().empty());
}

TEST(PayloadWriter, TakesSixtyFourRecordsAndSaysSo) {
    std::uint8_t room[16];
    PayloadWriter writer(room);
    for (std::size_t i = 0; i < PayloadWriter::kMaxRecords; ++i) {
        ASSERT_TRUE(writer.can_record());
        writer.record(ping());
    }
    EXPECT_FALSE(writer.can_record());
    EXPECT_TRUE(writer.ack_eliciting());
    EXPECT_TRUE(writer.in_flight());
    EXPECT_EQ(writer.records().size(), PayloadWriter::kMaxRecords);
}

TEST(PayloadWriter, CountsTheBytesThatWereWritten) {
    std::uint8_t room[16];
    PayloadWriter writer(room);
    EXPECT_TRUE(writer.empty());
    ASSERT_TRUE(writer.bytes().write(std::uint8_t{1}));
    EXPECT_FALSE(writer.empty());
    EXPECT_EQ(writer.written(), 1u);
    EXPECT_EQ(writer.remaining(), 15u);
}

}  // namespace
}  // namespace stoq::wire
