#include <gtest/gtest.h>

#include "support/stream_link.h"

namespace stoq::streams {
namespace {

using test::pattern;
using test::poll_all;
using test::take_packet;

StreamSettings small_settings() {
    StreamSettings settings;
    settings.initial_stream_window = settings.max_stream_window = 1000;
    settings.initial_connection_window = settings.max_connection_window = 1500;
    settings.max_bidirectional_streams = 10;
    settings.max_unidirectional_streams = 2;
    return settings;
}

class StreamSetFramesTest : public testing::Test {
protected:
    TransportResult<void> data(std::uint64_t id, std::uint64_t offset, std::size_t length,
                               bool fin = false) {
        return server.on_stream({.id = StreamId(id),
                                 .offset = offset,
                                 .data = ByteView(source).first(length),
                                 .fin = fin},
                                Instant());
    }

    template <typename Frame>
    std::optional<Frame> sent() {
        for (const wire::Frame& frame : test::decode_frames(take_packet(server).bytes)) {
            if (const auto* found = std::get_if<Frame>(&frame)) return *found;
        }
        return std::nullopt;
    }

    const std::vector<std::uint8_t> source = pattern(0, 2000);
    StreamResources resources{1 << 20};
    StreamSet server{Role::kServer, small_settings(), resources};
};

TEST_F(StreamSetFramesTest, DataOpensTheStreamAndIsReadWithoutACopy) {
    ASSERT_TRUE(data(0, 0, 100));
    const auto events = poll_all(server);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].kind, StreamEventKind::kOpened);
    EXPECT_EQ(events[1].kind, StreamEventKind::kReadable);
    const auto view = server.peek(StreamId(0));
    ASSERT_TRUE(view);
    EXPECT_EQ(view->bytes.data(), source.data());
    EXPECT_EQ(view->bytes.size(), 100u);
}

TEST_F(StreamSetFramesTest, SettledDataSurvivesItsDatagram) {
    std::vector<std::uint8_t> datagram = pattern(0, 100);
    ASSERT_TRUE(server.on_stream({.id = StreamId(0), .offset = 0, .data = datagram, .fin = false},
                                 Instant()));
    server.settle();
    std::fill(datagram.begin(), datagram.end(), std::uint8_t{0});
    const auto view = server.peek(StreamId(0));
    ASSERT_TRUE(view);
    EXPECT_EQ(std::vector(view->bytes.begin(), view->bytes.end()), pattern(0, 100));
}

TEST_F(StreamSetFramesTest, ReadableComesOnceUntilEverythingIsConsumed) {
    ASSERT_TRUE(data(0, 0, 100));
    EXPECT_EQ(poll_all(server).size(), 2u);
    ASSERT_TRUE(data(0, 100, 100));
    EXPECT_TRUE(poll_all(server).empty());
    ASSERT_TRUE(server.consume(StreamId(0), 150));
    ASSERT_TRUE(data(0, 200, 100));
    EXPECT_TRUE(poll_all(server).empty());
    ASSERT_TRUE(server.consume(StreamId(0), 150));
    ASSERT_TRUE(data(0, 300, 100));
    ASSERT_EQ(poll_all(server).size(), 1u);
}

// A loop of peek() and consume() need not treat an end without bytes as a case of its own.
TEST_F(StreamSetFramesTest, ConsumingNothingOfAnEndThatPeekTookIsNoError) {
    const StreamId unidirectional(2);
    ASSERT_TRUE(data(2, 0, 100));
    ASSERT_TRUE(server.consume(unidirectional, 100));
    ASSERT_TRUE(server.on_stream({.id = unidirectional, .offset = 100, .data = {}, .fin = true},
                                 Instant()));
    const auto view = server.peek(unidirectional);
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->bytes.empty());
    EXPECT_TRUE(view->finished);
    EXPECT_TRUE(server.consume(unidirectional, 0));
    EXPECT_EQ(server.peek(unidirectional).error(), ApiError::kUnknownStream);
    EXPECT_EQ(server.consume(unidirectional, 1).error(), ApiError::kUnknownStream);
}

TEST_F(StreamSetFramesTest, ReadableIsNotToldWhenItWasReadAlready) {
    ASSERT_TRUE(data(0, 0, 100));
    ASSERT_TRUE(server.consume(StreamId(0), 100));
    const auto events = poll_all(server);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].kind, StreamEventKind::kOpened);
}

TEST_F(StreamSetFramesTest, ConnectionLimitCountsAllStreamsTogether) {
    ASSERT_TRUE(data(0, 0, 1000));
    ASSERT_TRUE(data(4, 0, 500));
    ASSERT_TRUE(data(4, 0, 500));
    const auto result = data(8, 0, 1);
    //= test 9000-4.1-2
    //= test 9000-19.9-2
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, TransportErrorCode::kFlowControlError);
    EXPECT_EQ(result.error().reason, Reason::kConnectionDataLimit);
    EXPECT_EQ(result.error().frame_type, 0x08u);
}

TEST_F(StreamSetFramesTest, FinalSizeOfResetCountsForTheConnection) {
    ASSERT_TRUE(server.on_reset_stream({StreamId(0), 1, 1000}, Instant()));
    //= test 9000-4.5-1
    // The 1000 bytes were discarded, so the window moves on without anybody reading.
    const auto max_data = sent<wire::MaxDataFrame>();
    ASSERT_TRUE(max_data);
    EXPECT_EQ(max_data->maximum, 2500u);
    const auto result = server.on_reset_stream({StreamId(4), 1, 1600}, Instant());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().frame_type, 0x04u);
}

TEST_F(StreamSetFramesTest, ErrorsOfTheStreamNameTheFrame) {
    ASSERT_TRUE(data(0, 0, 100, true));
    const auto result = data(0, 100, 1);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, TransportErrorCode::kFinalSizeError);
    EXPECT_EQ(result.error().frame_type, 0x08u);
}

TEST_F(StreamSetFramesTest, ReadingHalfTheWindowSendsNewLimits) {
    ASSERT_TRUE(data(0, 0, 900));
    ASSERT_TRUE(server.consume(StreamId(0), 499));
    EXPECT_FALSE(server.has_pending());
    ASSERT_TRUE(server.consume(StreamId(0), 301));
    //= test 9000-4.2-2
    EXPECT_TRUE(server.has_pending());
    const auto packet = take_packet(server);
    const auto frames = test::decode_frames(packet.bytes);
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(std::get<wire::MaxDataFrame>(frames[0]).maximum, 2300u);
    EXPECT_EQ(std::get<wire::MaxStreamDataFrame>(frames[1]).maximum, 1800u);
    EXPECT_FALSE(server.has_pending());
    ASSERT_TRUE(data(0, 900, 900));
}

TEST_F(StreamSetFramesTest, NoStreamCreditOnceTheEndIsKnown) {
    ASSERT_TRUE(data(0, 0, 900, true));
    ASSERT_TRUE(server.consume(StreamId(0), 700));
    //= test 9000-13.3-2
    EXPECT_FALSE(sent<wire::MaxStreamDataFrame>());
}

TEST_F(StreamSetFramesTest, BlockedPeerGetsWhatCreditThereIs) {
    ASSERT_TRUE(data(0, 0, 1000));
    ASSERT_TRUE(server.consume(StreamId(0), 10));
    EXPECT_FALSE(server.has_pending());
    ASSERT_TRUE(server.on_stream_data_blocked({StreamId(0), 1000}));
    server.on_data_blocked({1500});
    const auto frames = test::decode_frames(take_packet(server).bytes);
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(std::get<wire::MaxDataFrame>(frames[0]).maximum, 1510u);
    EXPECT_EQ(std::get<wire::MaxStreamDataFrame>(frames[1]).maximum, 1010u);
    // An outdated signal, or one without credit to give, changes nothing.
    ASSERT_TRUE(server.on_stream_data_blocked({StreamId(0), 1000}));
    ASSERT_TRUE(server.on_stream_data_blocked({StreamId(0), 1010}));
    server.on_data_blocked({1500});
    EXPECT_FALSE(server.has_pending());
}

TEST_F(StreamSetFramesTest, StopSendingIsAnsweredByReset) {
    ASSERT_TRUE(server.on_stop_sending({StreamId(0), 33}));
    const auto events = poll_all(server);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[1].kind, StreamEventKind::kStopReceived);
    EXPECT_EQ(events[1].code, 33u);
    //= test 9000-3.5-2
    const auto reset = sent<wire::ResetStreamFrame>();
    ASSERT_TRUE(reset);
    EXPECT_EQ(reset->error_code, 33u);
    EXPECT_EQ(server.write(StreamId(0), ByteView(source)).error(), ApiError::kStreamReset);
}

TEST_F(StreamSetFramesTest, ResetIsToldWithItsCodeInsteadOfUnreadData) {
    ASSERT_TRUE(data(0, 0, 100));
    ASSERT_TRUE(server.on_reset_stream({StreamId(0), 8, 100}, Instant()));
    const auto events = poll_all(server);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[1].kind, StreamEventKind::kResetReceived);
    EXPECT_EQ(events[1].code, 8u);
}

TEST_F(StreamSetFramesTest, LateFramesForAForgottenStreamAreIgnored) {
    ASSERT_TRUE(data(2, 0, 100, true));
    poll_all(server);
    ASSERT_TRUE(server.peek(StreamId(2))->finished);
    ASSERT_TRUE(server.consume(StreamId(2), 100));
    EXPECT_EQ(server.live_streams(), 0u);
    EXPECT_EQ(server.peek(StreamId(2)).error(), ApiError::kUnknownStream);
    EXPECT_TRUE(data(2, 0, 100, true));
    EXPECT_TRUE(server.on_reset_stream({StreamId(2), 1, 100}, Instant()));
    EXPECT_TRUE(server.on_stream_data_blocked({StreamId(2), 100}));
    EXPECT_EQ(server.live_streams(), 0u);
    EXPECT_TRUE(poll_all(server).empty());
}

TEST_F(StreamSetFramesTest, ClosedStreamsMakeRoomForNewOnes) {
    for (std::uint64_t id = 2; id <= 10; id += 4) {
        ASSERT_TRUE(data(id, 0, 1, true)) << id;
        ASSERT_TRUE(server.peek(StreamId(id))->finished);
        ASSERT_TRUE(server.consume(StreamId(id), 1));
        poll_all(server);
        const auto max_streams = sent<wire::MaxStreamsFrame>();
        //= test 9000-4.6-6
        ASSERT_TRUE(max_streams);
        EXPECT_EQ(max_streams->directionality, Directionality::kUnidirectional);
        EXPECT_EQ(max_streams->maximum, id / 4 + 3);
    }
    EXPECT_FALSE(data(22, 0, 1));
}

// What ended while the peer had streams left was too little to tell; now it has none.
//= test 9000-4.6-6
TEST_F(StreamSetFramesTest, RoomThatWasNotWorthAFrameIsToldWhenThePeerHasUsedItUp) {
    StreamSettings settings = small_settings();
    settings.max_unidirectional_streams = 16;  // two are worth a frame
    StreamSet many(Role::kServer, settings, resources);
    const auto finish = [&](std::uint64_t index) {
        return many.on_stream({.id = StreamId(4 * index + 2), .offset = 0, .data = {}, .fin = true},
                              Instant());
    };
    ASSERT_TRUE(finish(0));
    poll_all(many);
    ASSERT_TRUE(many.peek(StreamId(2))->finished);
    poll_all(many);
    ASSERT_EQ(many.live_streams(), 0u);
    EXPECT_TRUE(take_packet(many).bytes.empty());
    ASSERT_TRUE(finish(15));
    poll_all(many);
    const auto frames = test::decode_frames(take_packet(many).bytes);
    ASSERT_EQ(frames.size(), 1u);
    const auto* const told = std::get_if<wire::MaxStreamsFrame>(&frames.front());
    ASSERT_TRUE(told);
    EXPECT_EQ(told->maximum, 17u);
    EXPECT_TRUE(finish(16));
}

TEST_F(StreamSetFramesTest, JumpToTheHighestStreamAnnouncesAllInOrder) {
    ASSERT_TRUE(data(36, 0, 1));
    EXPECT_EQ(server.live_streams(), 1u);
    const auto events = poll_all(server);
    ASSERT_EQ(events.size(), 11u);
    for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(events[i].stream, StreamId(4 * i));
    EXPECT_EQ(events[10].kind, StreamEventKind::kReadable);
    // The untouched ones are open to the application.
    EXPECT_TRUE(server.peek(StreamId(8))->bytes.empty());
    EXPECT_TRUE(data(4, 0, 1));
}

TEST_F(StreamSetFramesTest, WindowGrowsWithTheBandwidthDelayProduct) {
    StreamSettings settings = small_settings();
    settings.max_stream_window = 100'000;
    settings.max_connection_window = 100'000;
    StreamResources shared(1 << 20);
    {
        StreamSet set(Role::kServer, settings, shared);
        EXPECT_EQ(shared.budget.used(), 1500u);
        set.on_rtt(std::chrono::milliseconds(100));
        std::uint64_t offset = 0;
        // 100 bytes a millisecond, ten times what a window of 1000 per round trip allows.
        for (int ms = 0; ms < 2000; ++ms, offset += 100) {
            const Instant now{std::chrono::milliseconds(ms)};
            ASSERT_TRUE(
                set.on_stream({StreamId(0), offset, ByteView(source).first(100), false}, now));
            ASSERT_TRUE(set.consume(StreamId(0), 100));
            take_packet(set);
        }
        EXPECT_GE(set.receive_window().size(), 40'000u);
        EXPECT_LE(set.receive_window().size(), 80'000u);
        EXPECT_EQ(shared.budget.used(), set.receive_window().size());
    }
    EXPECT_EQ(shared.budget.used(), 0u);
}

TEST_F(StreamSetFramesTest, IdleSetIsSmall) {
    EXPECT_LT(sizeof(StreamSet), 1024u);
}

}  // namespace
}  // namespace stoq::streams
