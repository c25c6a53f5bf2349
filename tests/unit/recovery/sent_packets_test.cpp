#include "recovery/sent_packets.h"

#include <set>

#include "recovery_harness.h"

namespace stoq::recovery {
namespace {

using State = SentPacket::State;

struct Store {
    std::uint64_t send(std::span<const wire::SentFrame> frames = {}, bool in_flight = true) {
        OutgoingPacket packet;
        packet.number = packets.next_number(random);
        packet.bytes = 100;
        packet.ack_eliciting = packet.in_flight = in_flight;
        packet.frames = frames;
        packets.on_sent(packet, now);
        return packet.number.value();
    }
    void acknowledge(std::uint64_t begin, std::uint64_t end) {
        for (std::uint64_t i = begin; i < end; ++i) packets[i].state = State::kAcknowledged;
        packets.mark_acknowledged(begin, end);
    }

    SentPackets packets;
    SeededRandom random{7};
    Instant now = kStart;
};

TEST(SentPackets, AskingTwiceForANumberGivesTheSame) {
    Store store;
    EXPECT_EQ(store.packets.next_number(store.random), store.packets.next_number(store.random));
}

//= test 9000-12.3-1
//= test 9000-12.3-2
TEST(SentPackets, NumbersIncreaseAndSomeAreSkipped) {
    Store store;
    std::uint64_t previous = store.send();
    std::vector<std::uint64_t> skipped;
    for (int i = 0; i < 20'000; ++i) {
        const std::uint64_t number = store.send();
        ASSERT_TRUE(number == previous + 1 || number == previous + 2);
        if (number == previous + 2) {
            skipped.push_back(number - 1);
            EXPECT_EQ(store.packets[number - 1].state, State::kSkipped);
            EXPECT_EQ(store.packets.distance(number - 2, number), 1u);
        }
        previous = number;
    }
    EXPECT_GE(skipped.size(), 4u);
    EXPECT_LE(skipped.size(), 20u);
    for (std::size_t i = 1; i < skipped.size(); ++i) EXPECT_GE(skipped[i] - skipped[i - 1], 64u);
}

TEST(SentPackets, OtherSeedsSkipOtherNumbers) {
    std::set<std::uint64_t> first_skips;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        Store store;
        store.random = SeededRandom(seed);
        while (store.send() + 1 == store.packets.end() && store.packets.size() < 1000) {
            const auto& entries = store.packets;
            if (entries.size() > 1 && entries[entries.end() - 2].state == State::kSkipped) break;
        }
        first_skips.insert(store.packets.end() - 2);
    }
    EXPECT_GT(first_skips.size(), 10u);
}

TEST(SentPackets, FramesStayWithTheirPacketAcrossGrowthAndRetirement) {
    Store store;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        // Zero to four frames, so that packets end anywhere in the ring.
        std::vector<wire::SentFrame> frames;
        for (std::uint64_t j = 0; j < i % 5; ++j) frames.push_back(stream_range(i, 100 * j, 50));
        const std::uint64_t number = store.send(frames);
        FrameList list;
        store.packets.append_frames(store.packets[number], list);
        ASSERT_EQ(list.frames().size(), i % 5);
        for (const auto& frame : list.frames()) EXPECT_EQ(frame.id, i);
        if (i % 3 == 0 && number > 20) {
            store.acknowledge(store.packets.begin(), number - 10);
            store.packets.retire(kStart);
            EXPECT_GE(store.packets.begin(), number - 10);  // a skipped number may follow
        }
    }
}

TEST(SentPackets, OutstandingPacketAtTheFrontKeepsWhatFollows) {
    Store store;
    for (int i = 0; i < 10; ++i) store.send();
    store.acknowledge(1, 10);
    EXPECT_EQ(store.packets.retire(kNever), std::nullopt);
    EXPECT_EQ(store.packets.size(), 10u);
    store.acknowledge(0, 1);
    EXPECT_EQ(store.packets.retire(kNever), 9u);
    EXPECT_EQ(store.packets.size(), 0u);
    EXPECT_EQ(store.packets.end(), 10u);
}

TEST(SentPackets, LostPacketStaysUntilItIsOld) {
    Store store;
    store.send();
    store.packets[0].state = State::kLost;
    store.packets.retire(kStart);
    EXPECT_EQ(store.packets.size(), 1u);
    store.packets.retire(kStart + Duration(1));
    EXPECT_EQ(store.packets.size(), 0u);
}

TEST(SentPackets, PacketsThatNobodyAcknowledgesAreBounded) {
    Store store;
    for (int i = 0; i < 5000; ++i) {
        store.send({}, false);
        store.packets.retire(kStart);
        ASSERT_LE(store.packets.size(), SentPackets::kSilentBacklog);
    }
}

TEST(SentPackets, UnacknowledgedStretchesAreTheGapsOfTheAcknowledged) {
    Store store;
    for (int i = 0; i < 20; ++i) store.send();
    store.acknowledge(5, 8);
    store.acknowledge(10, 12);
    EXPECT_EQ(store.packets.unacknowledged(0, 20), (Interval{0, 5}));
    EXPECT_EQ(store.packets.unacknowledged(5, 20), (Interval{8, 10}));
    EXPECT_EQ(store.packets.unacknowledged(9, 20), (Interval{9, 10}));
    EXPECT_EQ(store.packets.unacknowledged(10, 20), (Interval{12, 20}));
    EXPECT_EQ(store.packets.unacknowledged(5, 8).length(), 0u);
}

TEST(SentPackets, NoPathInUseHasTheNumberOfTheOthers) {
    std::set<std::uint8_t> numbers;
    std::uint8_t path = 0;
    for (int i = 0; i < 1000; ++i, path = path_after(path)) {
        ASSERT_NE(path, kOtherPath);
        ASSERT_NE(path_after(path), path);
        numbers.insert(path);
    }
    EXPECT_EQ(numbers.size(), 255u);
}

}  // namespace
}  // namespace stoq::recovery
