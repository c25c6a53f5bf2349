#include <algorithm>

#include <gtest/gtest.h>

#include "support/stream_link.h"

namespace stoq::streams {
namespace {

using test::pattern;
using test::poll_all;
using test::StreamPair;
using test::take_packet;

constexpr auto kBoth = Directionality::kBidirectional;
constexpr auto kOne = Directionality::kUnidirectional;

StreamSettings small_buffers() {
    StreamSettings settings;
    settings.initial_send_buffer_per_stream = settings.max_send_buffer_per_stream = 1000;
    settings.send_buffer_per_connection = 1500;
    settings.send_buffer_reserved_per_stream = 0;
    return settings;
}

// The records of streams are shared: what one connection left undone must not reach the next.
TEST(StreamSetApplication, RecordOfAConnectionThatEndedWithWorkToDoSendsInTheNextOne) {
    constexpr PeerLimits kWide{.max_data = 10'000,
                               .max_stream_data_bidi_local = 10'000,
                               .max_stream_data_bidi_remote = 10'000,
                               .max_stream_data_uni = 10'000,
                               .max_streams_bidi = 10,
                               .max_streams_uni = 10};
    StreamResources resources(1 << 20);
    {
        StreamSet ended(Role::kClient, small_buffers(), resources);
        ended.set_peer_limits(kWide);
        const StreamId id = *ended.open(kBoth);
        // More than the buffer takes, so that it waits in every queue there is.
        ASSERT_EQ(*ended.write(id, pattern(0, 2000)), 1000u);
        ASSERT_TRUE(ended.stop_sending(id, 1));
        ASSERT_TRUE(ended.has_pending());
    }
    StreamSet next(Role::kClient, small_buffers(), resources);
    next.set_peer_limits(kWide);
    const StreamId id = *next.open(kBoth);
    ASSERT_EQ(*next.write(id, pattern(0, 10)), 10u);
    EXPECT_TRUE(next.has_pending());
    ASSERT_TRUE(next.stop_sending(id, 1));
    std::vector<std::uint8_t> room(100);
    wire::PayloadWriter writer(room);
    EXPECT_TRUE(next.write_control_frames(writer));
    EXPECT_EQ(writer.records().size(), 1u);
    EXPECT_TRUE(next.write_stream_frames(writer));
    EXPECT_EQ(writer.records().size(), 2u);
}

TEST(StreamSetApplication, SendBufferGrowsWithTheCongestionWindowUpToItsLimit) {
    StreamSettings settings = small_buffers();
    settings.max_send_buffer_per_stream = 4000;
    StreamResources resources(1 << 20);
    StreamSet set(Role::kClient, settings, resources);
    set.set_peer_limits({.max_data = 0,
                         .max_stream_data_bidi_local = 0,
                         .max_stream_data_bidi_remote = 0,
                         .max_stream_data_uni = 0,
                         .max_streams_bidi = 1,
                         .max_streams_uni = 0});
    const StreamId id = *set.open(kBoth);
    EXPECT_EQ(*set.write(id, pattern(0, 5000)), 1000u);
    set.on_congestion_window(400);  // the buffer is larger than twice that
    EXPECT_EQ(*set.write(id, pattern(1000, 5000)), 0u);
    set.on_congestion_window(1200);
    EXPECT_EQ(*set.write(id, pattern(1000, 5000)), 1400u);
    set.on_congestion_window(10'000);
    EXPECT_EQ(*set.write(id, pattern(2400, 5000)), 1600u);
    set.on_congestion_window(400);  // it does not shrink: what is in it was taken
    EXPECT_EQ(*set.write(id, pattern(4000, 5000)), 0u);
}

TEST(StreamSetApplication, RequestAndResponse) {
    StreamPair pair;
    const StreamId id = *pair.client.open(kBoth);
    ASSERT_EQ(*pair.client.write(id, pattern(0, 5000)), 5000u);
    ASSERT_TRUE(pair.client.finish(id));
    pair.run();
    std::vector<std::uint8_t> request;
    for (auto view = pair.server.peek(id); view; view = pair.server.peek(id)) {
        request.insert(request.end(), view->bytes.begin(), view->bytes.end());
        ASSERT_TRUE(pair.server.consume(id, view->bytes.size()));
        if (view->finished) break;
    }
    EXPECT_EQ(request, pattern(0, 5000));
    ASSERT_TRUE(pair.server.write(id, pattern(0, 64)));
    ASSERT_TRUE(pair.server.finish(id));
    pair.run();
    const auto response = pair.client.peek(id);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->bytes.size(), 64u);
    EXPECT_TRUE(response->finished);
    ASSERT_TRUE(pair.client.consume(id, 64));
    poll_all(pair.client);
    poll_all(pair.server);
    EXPECT_EQ(pair.client.live_streams(), 0u);
    EXPECT_EQ(pair.server.live_streams(), 0u);
    EXPECT_EQ(pair.resources.blocks.in_use(), 0u);
}

TEST(StreamSetApplication, OpeningBeyondTheLimitWaitsForStreamsAvailable) {
    StreamSettings server;
    server.max_unidirectional_streams = 1;
    StreamPair pair({}, server);
    const StreamId id = *pair.client.open(kOne);
    EXPECT_EQ(pair.client.open(kOne).error(), ApiError::kStreamLimit);
    EXPECT_EQ(pair.client.open(kOne).error(), ApiError::kStreamLimit);
    //= test 9000-4.6-5
    //= test 9000-19.14-1
    const auto packet = take_packet(pair.client);
    ASSERT_EQ(packet.frames.size(), 1u);
    EXPECT_EQ(packet.frames[0].kind, wire::SentFrameKind::kStreamsBlocked);
    ASSERT_TRUE(pair.client.finish(id));
    pair.run();
    ASSERT_TRUE(pair.server.peek(id)->finished);
    poll_all(pair.server);
    pair.run();
    const auto events = poll_all(pair.client);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].kind, StreamEventKind::kStreamsAvailable);
    EXPECT_EQ(events[0].directionality, kOne);
    EXPECT_TRUE(pair.client.open(kOne));
}

TEST(StreamSetApplication, WriteIsBoundedPerStreamAndPerConnection) {
    StreamPair pair(small_buffers());
    const StreamId first = *pair.client.open(kOne);
    const StreamId second = *pair.client.open(kOne);
    EXPECT_EQ(*pair.client.write(first, pattern(0, 1200)), 1000u);
    EXPECT_EQ(*pair.client.write(first, pattern(0, 1)), 0u);
    EXPECT_EQ(*pair.client.write(second, pattern(0, 700)), 500u);
    EXPECT_EQ(pair.client.buffered_to_send(), 1500u);
    EXPECT_TRUE(poll_all(pair.client).empty());
    pair.run();
    const auto events = poll_all(pair.client);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].kind, StreamEventKind::kWritable);
    EXPECT_EQ(events[1].kind, StreamEventKind::kWritable);
    EXPECT_NE(events[0].stream, events[1].stream);
    EXPECT_EQ(pair.client.buffered_to_send(), 0u);
}

// One stream may take all the room but what is reserved for each.
StreamSettings reserving_buffers() {
    StreamSettings settings = small_buffers();
    settings.max_send_buffer_per_stream = settings.send_buffer_per_connection;
    settings.initial_send_buffer_per_stream = settings.send_buffer_per_connection;
    settings.send_buffer_reserved_per_stream = 100;
    return settings;
}

// One that pours takes all the room whenever there is some: beside it others still get through.
TEST(StreamSetApplication, AStreamHasSomeRoomWhateverTheOthersHold) {
    StreamPair pair(reserving_buffers());
    const StreamId pouring = *pair.client.open(kOne);
    const StreamId answer = *pair.client.open(kOne);
    EXPECT_EQ(*pair.client.write(pouring, pattern(0, 2000)), 1500u);
    EXPECT_EQ(*pair.client.write(answer, pattern(0, 250)), 100u);
    EXPECT_EQ(*pair.client.write(answer, pattern(100, 150)), 0u);
    pair.run();
    ASSERT_EQ(poll_all(pair.client).size(), 2u);
    EXPECT_EQ(*pair.client.write(pouring, pattern(1500, 2000)), 1500u);
    EXPECT_EQ(*pair.client.write(answer, pattern(100, 150)), 100u);
    EXPECT_EQ(*pair.client.write(pouring, pattern(3000, 1)), 0u);
}

TEST(StreamSetApplication, WritableComesOnlyAfterAShortWrite) {
    StreamPair pair(small_buffers());
    const StreamId id = *pair.client.open(kOne);
    EXPECT_EQ(*pair.client.write(id, pattern(0, 1000)), 1000u);
    pair.run();
    EXPECT_TRUE(poll_all(pair.client).empty());
}

TEST(StreamSetApplication, SharedBytesAreTakenWholeOrNotAtAll) {
    StreamPair pair(small_buffers());
    const StreamId id = *pair.client.open(kOne);
    const auto bytes = SharedBytes::take(pattern(0, 5000));
    EXPECT_EQ(*pair.client.write(id, bytes), 5000u);
    EXPECT_EQ(*pair.client.write(id, bytes), 0u);
    pair.run();
    const auto events = poll_all(pair.client);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].kind, StreamEventKind::kWritable);
    EXPECT_EQ(*pair.client.write(id, SharedBytes()), 0u);
}

// What the others hold may be held for ever; a stream without anything of its own would wait as
// long.
TEST(StreamSetApplication, SharedBytesAreTakenBesideStreamsThatHoldAllTheRoom) {
    StreamPair pair(reserving_buffers());
    const StreamId paused = *pair.client.open(kOne);
    const StreamId answer = *pair.client.open(kOne);
    EXPECT_EQ(*pair.client.write(paused, pattern(0, 2000)), 1500u);
    const auto bytes = SharedBytes::take(pattern(0, 5000));
    EXPECT_EQ(*pair.client.write(answer, bytes), 5000u);
    EXPECT_EQ(*pair.client.write(answer, bytes), 0u);
}

TEST(StreamSetApplication, AllAcknowledgedIsToldOnce) {
    StreamPair pair;
    const StreamId id = *pair.client.open(kOne);
    ASSERT_TRUE(pair.client.write(id, pattern(0, 100)));
    ASSERT_TRUE(pair.client.finish(id));
    const auto packet = take_packet(pair.client);
    EXPECT_TRUE(poll_all(pair.client).empty());
    acknowledge(pair.client, packet);
    acknowledge(pair.client, packet);
    const auto events = poll_all(pair.client);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].kind, StreamEventKind::kAllAcknowledged);
    EXPECT_EQ(pair.client.live_streams(), 0u);
    acknowledge(pair.client, packet);
}

TEST(StreamSetApplication, MisuseIsRefused) {
    StreamPair pair;
    const StreamId sending = *pair.client.open(kOne);
    ASSERT_TRUE(pair.client.write(sending, pattern(0, 1)));
    pair.run();
    EXPECT_EQ(pair.client.peek(sending).error(), ApiError::kWrongDirection);
    EXPECT_EQ(pair.client.consume(sending, 0).error(), ApiError::kWrongDirection);
    EXPECT_EQ(pair.client.stop_sending(sending, 0).error(), ApiError::kWrongDirection);
    EXPECT_EQ(pair.server.write(sending, pattern(0, 1)).error(), ApiError::kWrongDirection);
    EXPECT_EQ(pair.server.finish(sending).error(), ApiError::kWrongDirection);
    EXPECT_EQ(pair.server.reset(sending, 0).error(), ApiError::kWrongDirection);
    EXPECT_EQ(pair.server.consume(sending, 2).error(), ApiError::kInvalidArgument);
    EXPECT_EQ(pair.client.set_priority(sending, 8, false).error(), ApiError::kInvalidArgument);
    EXPECT_EQ(pair.client.reset(sending, UINT64_MAX).error(), ApiError::kInvalidArgument);
    EXPECT_EQ(pair.server.stop_sending(sending, UINT64_MAX).error(), ApiError::kInvalidArgument);
    EXPECT_EQ(pair.client.write(StreamId(400), pattern(0, 1)).error(), ApiError::kUnknownStream);
    EXPECT_EQ(pair.server.write(StreamId(0), pattern(0, 1)).error(), ApiError::kUnknownStream);
    ASSERT_TRUE(pair.client.finish(sending));
    //= test 9000-4.5-2
    EXPECT_EQ(pair.client.write(sending, pattern(0, 1)).error(), ApiError::kStreamFinished);
    EXPECT_EQ(pair.client.finish(sending).error(), ApiError::kStreamFinished);
}

TEST(StreamSetApplication, ResetReachesThePeerAndEndsTheStream) {
    StreamPair pair;
    const StreamId id = *pair.client.open(kOne);
    ASSERT_TRUE(pair.client.write(id, pattern(0, 10'000)));
    StreamPair::transfer(pair.client, pair.server, Instant());
    ASSERT_TRUE(pair.client.reset(id, 12));
    EXPECT_EQ(pair.client.buffered_to_send(), 0u);
    pair.run();
    const auto events = poll_all(pair.server);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[1].kind, StreamEventKind::kResetReceived);
    EXPECT_EQ(events[1].code, 12u);
    EXPECT_EQ(pair.client.live_streams(), 0u);
    EXPECT_EQ(pair.server.live_streams(), 0u);
    EXPECT_EQ(pair.resources.blocks.in_use(), 0u);
}

// draft-ietf-quic-reliable-stream-reset.
TEST(StreamSetApplication, PromisedBytesReachThePeerBeforeTheReset) {
    StreamPair pair;
    const StreamId id = *pair.client.open(kOne);
    ASSERT_TRUE(pair.client.write(id, pattern(0, 10'000)));
    StreamPair::transfer(pair.client, pair.server, Instant());
    ASSERT_TRUE(pair.client.reset_at(id, 12, 3'000));
    EXPECT_EQ(pair.client.write(id, pattern(0, 1)).error(), ApiError::kStreamFinished);
    pair.run();
    EXPECT_EQ(pair.client.live_streams(), 0u);
    EXPECT_EQ(pair.client.buffered_to_send(), 0u);
    auto events = poll_all(pair.server);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[1].kind, StreamEventKind::kReadable);
    std::uint64_t read = 0;
    for (;;) {
        EXPECT_FALSE(pair.server.has_notices());
        const auto view = pair.server.peek(id);
        if (!view) break;
        ASSERT_FALSE(view->bytes.empty());
        EXPECT_TRUE(std::ranges::equal(view->bytes, pattern(read, view->bytes.size())));
        read += view->bytes.size();
        ASSERT_TRUE(pair.server.consume(id, view->bytes.size()));
        if (read == 3'000) break;
    }
    EXPECT_EQ(read, 3'000u);
    EXPECT_EQ(pair.server.peek(id).error(), ApiError::kStreamReset);
    EXPECT_TRUE(pair.server.has_notices());
    events = poll_all(pair.server);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].kind, StreamEventKind::kResetReceived);
    EXPECT_EQ(events[0].code, 12u);
    EXPECT_EQ(pair.server.live_streams(), 0u);
    EXPECT_EQ(pair.resources.blocks.in_use(), 0u);
}

TEST(StreamSetApplication, ResetAtIsRefusedWhereItCannotBe) {
    StreamPair pair;
    const StreamId id = *pair.client.open(kBoth);
    ASSERT_TRUE(pair.client.write(id, pattern(0, 10)));
    EXPECT_EQ(pair.client.reset_at(id, UINT64_MAX, 5).error(), ApiError::kInvalidArgument);
    EXPECT_EQ(pair.client.reset_at(id, 1, 11).error(), ApiError::kInvalidArgument);
    PeerLimits without = test::limits_of({});
    without.reset_stream_at = false;
    pair.client.set_peer_limits(without);
    EXPECT_EQ(pair.client.reset_at(id, 1, 5).error(), ApiError::kNotSupported);
    EXPECT_TRUE(pair.client.write(id, pattern(10, 1)));
}

TEST(StreamSetApplication, PromiseOfNothingIsAReset) {
    StreamPair pair;
    const StreamId id = *pair.client.open(kOne);
    ASSERT_TRUE(pair.client.write(id, pattern(0, 100)));
    pair.run();
    ASSERT_TRUE(pair.client.reset_at(id, 12, 0));
    pair.run();
    EXPECT_EQ(pair.server.peek(id).error(), ApiError::kStreamReset);
    EXPECT_EQ(pair.client.live_streams(), 0u);
}

TEST(StreamSetApplication, StopSendingMakesThePeerReset) {
    StreamPair pair;
    const StreamId id = *pair.client.open(kOne);
    ASSERT_TRUE(pair.client.write(id, pattern(0, 100)));
    pair.run();
    //= test 9000-3.5-1
    ASSERT_TRUE(pair.server.stop_sending(id, 21));
    EXPECT_EQ(pair.server.peek(id).error(), ApiError::kStreamReset);
    pair.run();
    const auto events = poll_all(pair.client);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].kind, StreamEventKind::kStopReceived);
    EXPECT_EQ(events[0].code, 21u);
    EXPECT_EQ(pair.client.write(id, pattern(0, 1)).error(), ApiError::kUnknownStream);
    poll_all(pair.server);
    EXPECT_EQ(pair.server.live_streams(), 0u);
}

TEST(StreamSetApplication, StopSendingAfterTheEndNeedsNoFrame) {
    StreamPair pair;
    const StreamId id = *pair.client.open(kOne);
    ASSERT_TRUE(pair.client.write(id, pattern(0, 100)));
    ASSERT_TRUE(pair.client.finish(id));
    pair.run();
    poll_all(pair.server);
    ASSERT_TRUE(pair.server.stop_sending(id, 21));
    EXPECT_EQ(pair.server.live_streams(), 0u);
    for (const auto& frame : take_packet(pair.server).frames) {
        EXPECT_NE(frame.kind, wire::SentFrameKind::kStopSending);
    }
}

TEST(StreamSetApplication, OneDirectionEndsWithoutTheOther) {
    StreamPair pair;
    const StreamId id = *pair.client.open(kBoth);
    ASSERT_TRUE(pair.client.reset(id, 1));
    pair.run();
    poll_all(pair.server);
    poll_all(pair.client);
    //= test 9000-4.4-1
    ASSERT_TRUE(pair.server.write(id, pattern(0, 3000)));
    ASSERT_TRUE(pair.server.finish(id));
    pair.run();
    EXPECT_TRUE(pair.client.peek(id)->finished);
}

TEST(StreamSetApplication, WritingBeforeLimitsAreKnownWaitsForThem) {
    StreamResources resources(1 << 20);
    StreamSet client(Role::kClient, {}, resources);
    EXPECT_EQ(client.open(kBoth).error(), ApiError::kStreamLimit);
    client.set_peer_limits({.max_streams_bidi = 1});
    EXPECT_EQ(poll_all(client).at(0).kind, StreamEventKind::kStreamsAvailable);
    const StreamId id = *client.open(kBoth);
    ASSERT_EQ(*client.write(id, pattern(0, 100)), 100u);
    client.set_peer_limits({.max_data = 1000, .max_stream_data_bidi_remote = 60});
    const auto packet = take_packet(client);
    ASSERT_EQ(packet.frames.size(), 1u);
    EXPECT_EQ(packet.frames[0].kind, wire::SentFrameKind::kStream);
    EXPECT_EQ(packet.frames[0].length, 60u);
}

TEST(StreamSetApplication, LimitsNeverShrink) {
    StreamResources resources(1 << 20);
    StreamSet client(Role::kClient, {}, resources);
    client.set_peer_limits({.max_data = 100, .max_stream_data_uni = 100, .max_streams_uni = 2});
    client.set_peer_limits({.max_data = 50, .max_stream_data_uni = 50, .max_streams_uni = 1});
    ASSERT_TRUE(client.open(kOne));
    const auto id = client.open(kOne);
    ASSERT_TRUE(id);
    ASSERT_TRUE(client.write(*id, pattern(0, 100)));
    EXPECT_EQ(take_packet(client).frames.at(0).length, 100u);
}

// What was sent behind a promise is not sent again, and takes no room any more.
TEST(StreamSetApplication, RejectedZeroRttForgetsWhatIsBehindAPromise) {
    for (const bool supported : {true, false}) {
        StreamResources resources(1 << 20);
        StreamSet client(Role::kClient, {}, resources);
        PeerLimits limits{.max_data = 1000,
                          .max_stream_data_uni = 1000,
                          .max_streams_uni = 2,
                          .reset_stream_at = true};
        client.set_peer_limits(limits);
        const StreamId id = *client.open(kOne);
        ASSERT_TRUE(client.write(id, pattern(0, 500)));
        take_packet(client);
        ASSERT_TRUE(client.reset_at(id, 1, 200));
        EXPECT_EQ(client.buffered_to_send(), 500u);
        take_packet(client);
        client.on_zero_rtt_rejected();
        EXPECT_EQ(client.buffered_to_send(), 200u);
        limits.reset_stream_at = supported;
        client.set_peer_limits(limits);
        EXPECT_EQ(client.buffered_to_send(), supported ? 200u : 0u);
        while (client.has_pending()) test::acknowledge(client, take_packet(client));
        EXPECT_EQ(client.buffered_to_send(), 0u);
        EXPECT_EQ(client.live_streams(), 0u);
    }
}

TEST(StreamSetApplication, RejectedZeroRttSendsEverythingAgain) {
    StreamResources resources(1 << 20);
    StreamSet client(Role::kClient, {}, resources);
    client.set_peer_limits({.max_data = 1000, .max_stream_data_uni = 1000, .max_streams_uni = 2});
    const StreamId first = *client.open(kOne);
    const StreamId second = *client.open(kOne);
    ASSERT_TRUE(client.write(first, pattern(0, 500)));
    ASSERT_TRUE(client.write(second, pattern(0, 500)));
    ASSERT_TRUE(client.finish(second));
    EXPECT_EQ(take_packet(client).frames.size(), 2u);
    EXPECT_FALSE(client.has_pending());

    client.on_zero_rtt_rejected();
    EXPECT_FALSE(client.has_pending());
    // The new server allows one stream only.
    client.set_peer_limits({.max_data = 2000, .max_stream_data_uni = 2000, .max_streams_uni = 1});
    const auto again = take_packet(client);
    ASSERT_EQ(again.frames.size(), 1u);
    EXPECT_EQ(again.frames[0].id, first.value());
    EXPECT_EQ(again.frames[0].offset, 0u);
    EXPECT_EQ(again.frames[0].length, 500u);
    EXPECT_FALSE(client.has_pending());
    client.on_max_streams({.directionality = kOne, .maximum = 2});
    const auto held = take_packet(client);
    ASSERT_EQ(held.frames.size(), 1u);
    EXPECT_EQ(held.frames[0].id, second.value());
    EXPECT_TRUE(held.frames[0].fin);
}

}  // namespace
}  // namespace stoq::streams
