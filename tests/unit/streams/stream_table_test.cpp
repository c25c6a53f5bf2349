#include "streams/stream_table.h"

#include <gtest/gtest.h>

namespace stoq::streams {
namespace {

constexpr std::uint32_t kAnyType = 0x08;

class StreamTableTest : public testing::Test {
protected:
    StreamTableTest() {
        table.own(Directionality::kBidirectional).raise(10);
        table.own(Directionality::kUnidirectional).raise(10);
    }

    TransportErrorCode code_of(std::uint64_t id, Part part) {
        const auto stream = table.find_for_peer(StreamId(id), part, kAnyType);
        if (stream) return TransportErrorCode::kNoError;
        EXPECT_EQ(stream.error().frame_type, kAnyType);
        return stream.error().code;
    }

    Stream* touch(std::uint64_t id) {
        return table.find_for_peer(StreamId(id), Part::kReceiving, kAnyType).value_or(nullptr);
    }

    StreamResources resources{1 << 20};
    StreamTable table{Role::kServer,
                      {.max_bidirectional_streams = 5, .max_unidirectional_streams = 2},
                      resources};
};

struct NameCase {
    const char* name;
    std::uint64_t id;
    Part part;
    TransportErrorCode expected;
};

TEST_F(StreamTableTest, FramesMayOnlyNameStreamsThatAllowThem) {
    using enum TransportErrorCode;
    table.open(Directionality::kBidirectional);   // 1
    table.open(Directionality::kUnidirectional);  // 3
    const NameCase cases[] = {
        {"peer's bidirectional, data", 0, Part::kReceiving, kNoError},
        {"peer's bidirectional, about our part", 4, Part::kSending, kNoError},
        //= test 9000-4.6-3
        //= test 9000-19.11-4
        {"peer's bidirectional, last allowed", 16, Part::kReceiving, kNoError},
        {"peer's bidirectional, beyond the limit", 20, Part::kReceiving, kStreamLimitError},
        {"peer's bidirectional, beyond the limit", 20, Part::kSending, kStreamLimitError},
        {"peer's unidirectional, data", 2, Part::kReceiving, kNoError},
        {"peer's unidirectional, beyond the limit", 10, Part::kReceiving, kStreamLimitError},
        //= test 9000-19.5-2
        //= test 9000-19.10-2
        {"peer's unidirectional, about our part", 2, Part::kSending, kStreamStateError},
        {"ours, bidirectional, open", 1, Part::kReceiving, kNoError},
        {"ours, bidirectional, open", 1, Part::kSending, kNoError},
        //= test 9000-19.5-1
        //= test 9000-19.8-1
        //= test 9000-19.10-1
        {"ours, bidirectional, not open", 5, Part::kReceiving, kStreamStateError},
        {"ours, bidirectional, not open", 5, Part::kSending, kStreamStateError},
        {"ours, unidirectional, open", 3, Part::kSending, kNoError},
        //= test 9000-19.4-1
        //= test 9000-19.13-2
        {"ours, unidirectional, data", 3, Part::kReceiving, kStreamStateError},
        {"ours, unidirectional, not open", 7, Part::kSending, kStreamStateError},
    };
    for (const NameCase& test : cases) {
        EXPECT_EQ(code_of(test.id, test.part), test.expected) << test.name << ' ' << test.id;
    }
}

TEST_F(StreamTableTest, HigherNumberOpensAllLowerOnesOfItsTypeWithoutRecords) {
    ASSERT_NE(touch(12), nullptr);
    EXPECT_EQ(table.size(), 1u);
    //= test 9000-3.2-1
    std::vector<std::uint64_t> announced;
    while (const auto id = table.next_unannounced()) announced.push_back(id->value());
    EXPECT_EQ(announced, (std::vector<std::uint64_t>{0, 4, 8, 12}));
    EXPECT_NE(touch(4), nullptr);
    EXPECT_NE(table.find_for_application(StreamId(8)), nullptr);
    EXPECT_EQ(table.find_for_application(StreamId(16)), nullptr);
    EXPECT_EQ(table.size(), 3u);
    EXPECT_FALSE(table.next_unannounced().has_value());
}

TEST_F(StreamTableTest, ForgottenStreamIsClosedForEver) {
    Stream* const stream = touch(0);
    ASSERT_NE(stream, nullptr);
    table.forget(*stream);
    EXPECT_EQ(code_of(0, Part::kReceiving), TransportErrorCode::kNoError);
    EXPECT_EQ(touch(0), nullptr);
    EXPECT_EQ(table.find_for_application(StreamId(0)), nullptr);
    EXPECT_EQ(table.peers(Directionality::kBidirectional).next_limit(), 6u);
}

TEST_F(StreamTableTest, OwnStreamsAreNumberedInOrderUpToTheLimit) {
    //= test 9000-2.1-1
    for (std::uint64_t index = 0; index < 10; ++index) {
        Stream* const stream = table.open(Directionality::kUnidirectional);
        ASSERT_NE(stream, nullptr);
        EXPECT_EQ(stream->id.value(), index * 4 + 3);
        EXPECT_TRUE(stream->sends);
        EXPECT_FALSE(stream->receives);
        table.forget(*stream);
    }
    EXPECT_EQ(table.open(Directionality::kUnidirectional), nullptr);
    EXPECT_EQ(code_of(3, Part::kSending), TransportErrorCode::kNoError);
}

TEST_F(StreamTableTest, PeersLimitsApplyByKindOfStreamAndOnlyRise) {
    table.set_peer_limits({.max_stream_data_bidi_local = 10,
                           .max_stream_data_bidi_remote = 20,
                           .max_stream_data_uni = 30});
    Stream* const peers = touch(0);
    Stream* const bidirectional = table.open(Directionality::kBidirectional);
    Stream* const unidirectional = table.open(Directionality::kUnidirectional);
    for (Stream* stream : {peers, bidirectional, unidirectional}) {
        stream->send.append(std::vector<std::uint8_t>(100));
    }
    EXPECT_EQ(peers->send.sendable(), 10u);
    EXPECT_EQ(bidirectional->send.sendable(), 20u);
    EXPECT_EQ(unidirectional->send.sendable(), 30u);
    table.set_peer_limits({.max_stream_data_bidi_local = 15, .max_stream_data_bidi_remote = 5});
    EXPECT_EQ(peers->send.sendable(), 15u);
    EXPECT_EQ(bidirectional->send.sendable(), 20u);
    EXPECT_EQ(unidirectional->send.sendable(), 30u);
}

TEST(StreamTable, RecordsAreSharedThroughThePool) {
    StreamResources resources(1 << 20);
    const Stream* record = nullptr;
    {
        StreamTable first(Role::kServer, {}, resources);
        record = *first.find_for_peer(StreamId(0), Part::kReceiving, kAnyType);
    }
    StreamTable second(Role::kServer, {}, resources);
    EXPECT_EQ(*second.find_for_peer(StreamId(0), Part::kReceiving, kAnyType), record);
}

}  // namespace
}  // namespace stoq::streams
