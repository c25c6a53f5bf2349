#include "protection/seal.h"

#include <gtest/gtest.h>

#include "support/protected_packets.h"

namespace stoq::protection {
namespace {

using test::make_short_packet;
using test::TestPacket;

PacketKeys sealing_keys() {
    return make_packet_keys({}, crypto::Direction::kSeal, crypto::Secret::of_size(32));
}

std::vector<TestPacket> make_train(std::size_t count) {
    SeededRandom random(7);
    std::vector<TestPacket> train;
    for (std::size_t i = 0; i < count; ++i) {
        train.push_back(make_short_packet(random, i, 40 + i, static_cast<std::uint8_t>(1 + i % 4)));
    }
    return train;
}

TEST(SealTest, ATrainHasTheSameBytesAsItsPacketsOneByOne) {
    PacketKeys keys = sealing_keys();
    for (const std::size_t count : {1, 2, 63, 64, 65, 129}) {
        auto together = make_train(count);
        auto alone = together;
        seal(keys, to_seal(together));
        for (TestPacket& packet : alone) {
            const auto one = packet.to_seal();
            seal(keys, {&one, 1});
        }
        for (std::size_t i = 0; i < count; ++i) {
            ASSERT_EQ(together[i].bytes, alone[i].bytes) << "packet " << i << " of " << count;
        }
    }
}

TEST(SealTest, FramesThatLieElsewhereGiveTheSameBytes) {
    PacketKeys keys = sealing_keys();
    SeededRandom random(3);
    for (const std::size_t outside : {1, 15, 16, 17, 1000, 1390}) {
        TestPacket whole = make_short_packet(random, 5, 1452);
        TestPacket parted = whole;
        const auto frames = whole.payload();
        const std::vector<std::uint8_t> elsewhere(
            frames.end() - static_cast<std::ptrdiff_t>(outside), frames.end());
        const auto one = whole.to_seal();
        auto other = parted.to_seal();
        other.elsewhere = elsewhere;
        std::fill_n(
            parted.bytes.begin() + static_cast<std::ptrdiff_t>(other.plaintext_end - outside),
            outside, std::uint8_t{0xee});
        seal(keys, {&one, 1});
        seal(keys, {&other, 1});
        EXPECT_EQ(whole.bytes, parted.bytes) << outside;
    }
}

TEST(SealTest, AnEmptyTrainIsNothing) {
    PacketKeys keys = sealing_keys();
    seal(keys, std::span<const PacketToSeal>{});
}

TEST(SealTest, HidesNumberLengthAndKeyPhaseButNotTheConnectionId) {
    PacketKeys keys = sealing_keys();
    bool hidden = false;
    for (std::uint64_t number = 0; number < 64; ++number) {
        SeededRandom random(number);
        TestPacket packet = make_short_packet(random, number, 60, 2);
        const auto clear = packet.bytes;
        const auto to_seal = packet.to_seal();
        seal(keys, {&to_seal, 1});
        EXPECT_EQ((packet.bytes[0] ^ clear[0]) & 0xe0, 0) << number;
        EXPECT_TRUE(std::equal(clear.begin() + 1, clear.begin() + test::kTestPacketNumberOffset,
                               packet.bytes.begin() + 1));
        hidden |= ((packet.bytes[0] ^ clear[0]) & 0x1f) != 0;
    }
    EXPECT_TRUE(hidden);
}

TEST(SealDeathTest, TooLittlePaddingForASampleIsRefused) {
    PacketKeys keys = sealing_keys();
    for (std::uint8_t length = 1; length <= 4; ++length) {
        SeededRandom random(1);
        const std::size_t least =
            test::kTestPacketNumberOffset + kLeastProtectedSize + crypto::kTagSize;
        TestPacket enough = make_short_packet(random, 1, least, length);
        const auto good = enough.to_seal();
        seal(keys, {&good, 1});
        TestPacket short_of_one = make_short_packet(random, 2, least - 1, length);
        const auto bad = short_of_one.to_seal();
        EXPECT_DEATH(seal(keys, {&bad, 1}), "internal error") << int{length};
    }
}

}  // namespace
}  // namespace stoq::protection
