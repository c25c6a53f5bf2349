// The steady state allocates nothing, on either side.

#include <gtest/gtest.h>

#include "support/counting_allocator.h"
#include "support/stream_link.h"

namespace stoq::streams {
namespace {

using test::allocation_count;

constexpr std::size_t kPacketSize = 1400;
constexpr std::size_t kBatch = 16;

// Moves packets without allocating itself.
class Transfer {
public:
    explicit Transfer(bool lossy) : lossy_(lossy) {}

    // Sends `total` bytes on stream `id`, reading them at the other end.
    void run(test::StreamPair& pair, StreamId id, std::uint64_t total) {
        std::uint64_t written = 0;
        while (received_ < total) {
            if (written < total) {
                const std::size_t piece = std::min<std::uint64_t>(data_.size(), total - written);
                written += *pair.client.write(id, ByteView(data_).first(piece));
            }
            move(pair.client, pair.server);
            read(pair.server, id);
            pair.server.settle();
            move(pair.server, pair.client);
            while (pair.client.poll_event()) {
            }
            while (pair.server.poll_event()) {
            }
        }
        received_ = 0;
    }

private:
    void move(StreamSet& from, StreamSet& to) {
        for (std::size_t i = 0; i < kBatch && from.has_pending(); ++i) {
            wire::PayloadWriter writer(packets_[i]);
            if (from.write_control_frames(writer)) from.write_stream_frames(writer);
            const bool lost = lossy_ && ++counter_ % 7 == 0;
            ByteReader reader(writer.bytes().written_bytes());
            while (!lost && !reader.empty()) {
                const auto frame = wire::decode_frame(reader, wire::PacketType::kOneRtt);
                ASSERT_TRUE(frame);
                ASSERT_TRUE(std::visit(test::FrameDispatch{to, Instant()}, *frame));
            }
            for (const wire::SentFrame& record : writer.records()) {
                lost ? from.on_lost(record) : from.on_acked(record);
            }
        }
    }

    void read(StreamSet& set, StreamId id) {
        for (auto view = set.peek(id); view && !view->bytes.empty(); view = set.peek(id)) {
            received_ += view->bytes.size();
            ASSERT_TRUE(set.consume(id, view->bytes.size()));
        }
    }

    bool lossy_;
    std::uint64_t received_ = 0;
    std::uint64_t counter_ = 0;
    std::array<std::array<std::uint8_t, kPacketSize>, kBatch> packets_{};
    std::array<std::uint8_t, 32 * 1024> data_{};
};

TEST(Allocation, SteadyTransferAllocatesNothing) {
    for (const bool lossy : {false, true}) {
        test::StreamPair pair;
        Transfer transfer(lossy);
        const StreamId id = *pair.client.open(Directionality::kUnidirectional);
        transfer.run(pair, id, 8 << 20);
        const std::uint64_t before = allocation_count.load();
        transfer.run(pair, id, 1 << 20);
        EXPECT_EQ(allocation_count.load() - before, 0u) << (lossy ? "with loss" : "without loss");
    }
}

TEST(Allocation, FreshStreamsAllocateNothingAfterTheFirstOnes) {
    test::StreamPair pair;
    const auto request = [&] {
        const StreamId id = *pair.client.open(Directionality::kBidirectional);
        const std::array<std::uint8_t, 64> bytes{};
        ASSERT_TRUE(pair.client.write(id, ByteView(bytes)));
        ASSERT_TRUE(pair.client.finish(id));
        for (int round = 0; round < 2; ++round) {
            StreamSet& from = round == 0 ? pair.client : pair.server;
            StreamSet& to = round == 0 ? pair.server : pair.client;
            std::array<std::uint8_t, 200> packet;
            wire::PayloadWriter writer(packet);
            if (from.write_control_frames(writer)) from.write_stream_frames(writer);
            ByteReader reader(writer.bytes().written_bytes());
            while (!reader.empty()) {
                const auto frame = wire::decode_frame(reader, wire::PacketType::kOneRtt);
                ASSERT_TRUE(frame);
                ASSERT_TRUE(std::visit(test::FrameDispatch{to, Instant()}, *frame));
            }
            ASSERT_TRUE(to.peek(id)->finished);
            ASSERT_TRUE(to.consume(id, 64));
            if (round == 0) {
                ASSERT_TRUE(to.write(id, ByteView(bytes)));
                ASSERT_TRUE(to.finish(id));
            }
            for (const wire::SentFrame& record : writer.records()) from.on_acked(record);
            while (from.poll_event()) {
            }
            while (to.poll_event()) {
            }
        }
    };
    for (int i = 0; i < 50; ++i) request();
    EXPECT_EQ(pair.client.live_streams(), 0u);
    const std::uint64_t before = allocation_count.load();
    for (int i = 0; i < 1000; ++i) request();
    EXPECT_EQ(allocation_count.load() - before, 0u);
    EXPECT_EQ(pair.server.live_streams(), 0u);
}

TEST(Allocation, IdleSetOwnsNothing) {
    StreamResources resources(1 << 20);
    const std::uint64_t before = allocation_count.load();
    const StreamSet idle(Role::kServer, {}, resources);
    EXPECT_EQ(allocation_count.load() - before, 0u);
}

}  // namespace
}  // namespace stoq::streams
