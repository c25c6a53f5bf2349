// What is sent again after a loss, and what is not (RFC 9000 section 13.3).
#include <gtest/gtest.h>

#include "support/stream_link.h"

namespace stoq::streams {
namespace {

using test::pattern;
using test::StreamPacket;
using test::StreamPair;
using test::take_packet;
using wire::SentFrameKind;

constexpr auto kOne = Directionality::kUnidirectional;

class StreamSetPacketsTest : public testing::Test {
protected:
    static StreamSettings server_settings() {
        StreamSettings settings;
        settings.initial_stream_window = settings.max_stream_window = 1000;
        settings.initial_connection_window = settings.max_connection_window = 1500;
        settings.max_unidirectional_streams = 2;
        return settings;
    }

    StreamId open_with(std::size_t length) {
        const StreamId id = *pair.client.open(kOne);
        EXPECT_TRUE(pair.client.write(id, pattern(0, length)));
        return id;
    }

    StreamPacket send(StreamSet& from, StreamSet& to) {
        StreamPacket packet = take_packet(from);
        EXPECT_TRUE(test::deliver(to, packet.bytes));
        to.settle();
        return packet;
    }

    static std::vector<SentFrameKind> kinds(const StreamPacket& packet) {
        std::vector<SentFrameKind> kinds;
        for (const wire::SentFrame& frame : packet.frames) kinds.push_back(frame.kind);
        return kinds;
    }
    using Kinds = std::vector<SentFrameKind>;

    StreamPair pair{{}, server_settings()};
};

TEST_F(StreamSetPacketsTest, LostStreamDataIsSentAgainInPiecesThatFit) {
    open_with(900);
    const StreamPacket lost = take_packet(pair.client);
    EXPECT_FALSE(pair.client.has_pending());
    test::lose(pair.client, lost);
    EXPECT_TRUE(pair.client.has_pending());
    const StreamPacket first = take_packet(pair.client, 500);
    const StreamPacket second = take_packet(pair.client, 500);
    ASSERT_EQ(first.frames.size(), 1u);
    ASSERT_EQ(second.frames.size(), 1u);
    EXPECT_EQ(first.frames[0].offset, 0u);
    EXPECT_EQ(second.frames[0].offset, first.frames[0].length);
    EXPECT_EQ(first.frames[0].length + second.frames[0].length, 900u);
    EXPECT_FALSE(pair.client.has_pending());
}

TEST_F(StreamSetPacketsTest, LateAcknowledgementStopsTheRetransmission) {
    open_with(900);
    const StreamPacket packet = take_packet(pair.client);
    test::lose(pair.client, packet);
    test::acknowledge(pair.client, packet);
    //= test 9000-13.3-6
    EXPECT_FALSE(pair.client.has_pending());
    EXPECT_EQ(pair.client.buffered_to_send(), 0u);
}

TEST_F(StreamSetPacketsTest, LostResetIsSentAgainUntilAcknowledged) {
    const StreamId id = open_with(900);
    take_packet(pair.client);
    ASSERT_TRUE(pair.client.reset(id, 3));
    const StreamPacket first = take_packet(pair.client);
    EXPECT_EQ(kinds(first), Kinds{SentFrameKind::kResetStream});
    test::lose(pair.client, first);
    const StreamPacket second = take_packet(pair.client);
    //= test 9000-13.3-1
    EXPECT_EQ(second.bytes, first.bytes);
    test::acknowledge(pair.client, second);
    //= test 9000-3.3-1
    test::lose(pair.client, second);
    EXPECT_FALSE(pair.client.has_pending());
}

// The other direction keeps the stream alive, so that a frame which waits would be sent.
TEST_F(StreamSetPacketsTest, LateAcknowledgementOfAResetStopsItsRetransmission) {
    for (const std::uint64_t promised : {0, 300}) {
        const StreamId id = *pair.client.open(Directionality::kBidirectional);
        ASSERT_TRUE(pair.client.write(id, test::pattern(0, 400)));
        const StreamPacket data = take_packet(pair.client);
        ASSERT_TRUE(pair.client.reset_at(id, 3, promised));
        const StreamPacket reset = take_packet(pair.client);
        EXPECT_EQ(kinds(reset), Kinds{SentFrameKind::kResetStream});
        test::lose(pair.client, reset);
        EXPECT_TRUE(pair.client.has_pending());
        test::acknowledge(pair.client, reset);
        EXPECT_FALSE(pair.client.has_pending());
        test::acknowledge(pair.client, data);
        EXPECT_FALSE(pair.client.has_pending());
    }
    EXPECT_EQ(pair.client.live_streams(), 2u);
}

TEST_F(StreamSetPacketsTest, LostStopSendingIsSentAgainWhileItMatters) {
    const StreamId id = open_with(100);
    send(pair.client, pair.server);
    ASSERT_TRUE(pair.server.stop_sending(id, 3));
    const StreamPacket first = take_packet(pair.server);
    //= test 9000-3.3-3
    EXPECT_EQ(kinds(first), Kinds{SentFrameKind::kStopSending});
    test::lose(pair.server, first);
    const StreamPacket second = take_packet(pair.server);
    EXPECT_EQ(second.bytes, first.bytes);
    ASSERT_TRUE(pair.client.finish(id));
    send(pair.client, pair.server);
    test::lose(pair.server, second);
    EXPECT_EQ(kinds(take_packet(pair.server)), Kinds{SentFrameKind::kMaxStreams});
}

TEST_F(StreamSetPacketsTest, OnlyTheNewestLimitIsSentAgain) {
    const StreamId id = open_with(1900);
    send(pair.client, pair.server);
    ASSERT_TRUE(pair.server.consume(id, 1000));
    const StreamPacket old = send(pair.server, pair.client);
    EXPECT_EQ(kinds(old), (Kinds{SentFrameKind::kMaxData, SentFrameKind::kMaxStreamData}));
    send(pair.client, pair.server);
    ASSERT_TRUE(pair.server.consume(id, 900));
    const StreamPacket newest = take_packet(pair.server);
    EXPECT_EQ(kinds(newest), (Kinds{SentFrameKind::kMaxData, SentFrameKind::kMaxStreamData}));
    test::lose(pair.server, old);
    EXPECT_FALSE(pair.server.has_pending());
    test::lose(pair.server, newest);
    EXPECT_EQ(take_packet(pair.server).bytes, newest.bytes);
}

TEST_F(StreamSetPacketsTest, OutdatedLimitsAreAccepted) {
    pair.client.on_max_data({.maximum = 5000});
    //= test 9000-13.3-5
    pair.client.on_max_data({.maximum = 10});
    const StreamId id = open_with(0);
    ASSERT_TRUE(pair.client.on_max_stream_data({.id = id, .maximum = 3000}));
    ASSERT_TRUE(pair.client.on_max_stream_data({.id = id, .maximum = 20}));
    ASSERT_TRUE(pair.client.write(id, pattern(0, 3000)));
    std::uint64_t sent = 0;
    while (pair.client.has_pending()) sent += take_packet(pair.client).frames.at(0).length;
    EXPECT_EQ(sent, 3000u);
}

TEST_F(StreamSetPacketsTest, BlockedStreamSaysSoOnceAndAgainAfterLoss) {
    const StreamId id = open_with(1100);
    const StreamPacket data = take_packet(pair.client);
    EXPECT_EQ(kinds(data), Kinds{SentFrameKind::kStream});
    EXPECT_EQ(data.frames[0].length, 1000u);
    //= test 9000-4.1-4
    //= test 9000-19.13-1
    const StreamPacket blocked = take_packet(pair.client);
    EXPECT_EQ(kinds(blocked), Kinds{SentFrameKind::kStreamDataBlocked});
    EXPECT_EQ(blocked.frames[0].value, 1000u);
    EXPECT_FALSE(pair.client.has_pending());
    test::lose(pair.client, blocked);
    EXPECT_EQ(take_packet(pair.client).bytes, blocked.bytes);
    ASSERT_TRUE(pair.client.on_max_stream_data({.id = id, .maximum = 1050}));
    test::lose(pair.client, blocked);
    EXPECT_EQ(kinds(take_packet(pair.client)), Kinds{SentFrameKind::kStream});
}

TEST_F(StreamSetPacketsTest, BlockedConnectionSaysSo) {
    open_with(1000);
    open_with(1000);
    std::uint64_t sent = 0;
    StreamPacket packet;
    Kinds seen;
    while (pair.client.has_pending()) {
        packet = take_packet(pair.client);
        for (const wire::SentFrame& frame : packet.frames) {
            if (frame.kind == SentFrameKind::kStream) sent += frame.length;
        }
    }
    //= test 9000-19.9-1
    EXPECT_EQ(sent, 1500u);
    //= test 9000-19.12-1
    EXPECT_EQ(kinds(packet), Kinds{SentFrameKind::kDataBlocked});
    EXPECT_EQ(packet.frames[0].value, 1500u);
    //= test 9000-4.1-5
    EXPECT_TRUE(pair.client.repeat_blocked_signals());
    EXPECT_EQ(take_packet(pair.client).bytes, packet.bytes);
    pair.client.on_max_data({.maximum = 2000});
    EXPECT_FALSE(pair.client.repeat_blocked_signals());
    EXPECT_TRUE(pair.client.has_pending());
    test::lose(pair.client, packet);
    EXPECT_EQ(kinds(take_packet(pair.client)), Kinds{SentFrameKind::kStream});
}

TEST_F(StreamSetPacketsTest, FinGoesEvenWhenTheConnectionIsBlocked) {
    open_with(1000);
    const StreamId second = open_with(500);
    while (pair.client.has_pending()) take_packet(pair.client);
    ASSERT_TRUE(pair.client.finish(second));
    const StreamPacket packet = take_packet(pair.client);
    ASSERT_EQ(kinds(packet), Kinds{SentFrameKind::kStream});
    EXPECT_TRUE(packet.frames[0].fin);
    EXPECT_EQ(packet.frames[0].length, 0u);
}

TEST_F(StreamSetPacketsTest, LostMaxStreamsIsSentAgain) {
    const StreamId id = open_with(1);
    ASSERT_TRUE(pair.client.finish(id));
    send(pair.client, pair.server);
    ASSERT_TRUE(pair.server.peek(id)->finished);
    ASSERT_TRUE(pair.server.consume(id, 1));
    while (pair.server.poll_event()) {
    }
    const StreamPacket packet = take_packet(pair.server);
    ASSERT_EQ(kinds(packet), Kinds{SentFrameKind::kMaxStreams});
    EXPECT_EQ(packet.frames[0].value, 3u);
    test::lose(pair.server, packet);
    EXPECT_EQ(take_packet(pair.server).bytes, packet.bytes);
}

TEST_F(StreamSetPacketsTest, LostStreamsBlockedIsRepeatedWhileItHolds) {
    open_with(1);
    open_with(1);
    EXPECT_FALSE(pair.client.open(kOne));
    const StreamPacket packet = take_packet(pair.client);
    ASSERT_EQ(packet.frames[0].kind, SentFrameKind::kStreamsBlocked);
    EXPECT_EQ(packet.frames[0].id, 1u);
    EXPECT_EQ(packet.frames[0].value, 2u);
    test::lose(pair.client, packet);
    EXPECT_EQ(kinds(take_packet(pair.client)).front(), SentFrameKind::kStreamsBlocked);
    pair.client.on_max_streams({.directionality = kOne, .maximum = 3});
    const wire::SentFrame blocked = packet.frames[0];
    pair.client.on_lost(blocked);
    for (const SentFrameKind kind : kinds(take_packet(pair.client))) {
        EXPECT_NE(kind, SentFrameKind::kStreamsBlocked);
    }
}

TEST_F(StreamSetPacketsTest, ControlFramesThatDoNotFitWaitForTheNextPacket) {
    const StreamId id = open_with(900);
    send(pair.client, pair.server);
    ASSERT_TRUE(pair.server.consume(id, 900));
    std::array<std::uint8_t, 4> room{};
    wire::PayloadWriter writer(room);
    EXPECT_FALSE(pair.server.write_control_frames(writer));
    EXPECT_EQ(kinds({{}, {writer.records().begin(), writer.records().end()}}),
              Kinds{SentFrameKind::kMaxData});
    EXPECT_EQ(kinds(take_packet(pair.server)), Kinds{SentFrameKind::kMaxStreamData});
}

TEST_F(StreamSetPacketsTest, RecordsOfOtherPartsAreIgnored) {
    for (std::uint8_t kind = 0; kind <= static_cast<std::uint8_t>(SentFrameKind::kDatagram);
         ++kind) {
        wire::SentFrame frame{};
        frame.kind = static_cast<SentFrameKind>(kind);
        frame.id = 40;
        frame.value = 12345;
        pair.client.on_acked(frame);
        pair.client.on_lost(frame);
    }
    EXPECT_FALSE(pair.client.has_pending());
}

}  // namespace
}  // namespace stoq::streams
