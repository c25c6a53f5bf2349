#include "protection/open.h"

#include <gtest/gtest.h>

#include "support/protected_packets.h"

namespace stoq::protection {
namespace {

using test::make_short_packet;
using test::TestPacket;

class OpenTest : public testing::Test {
protected:
    std::vector<TestPacket> sealed_train(std::size_t count) {
        std::vector<TestPacket> train;
        for (std::size_t i = 0; i < count; ++i) {
            const auto length = static_cast<std::uint8_t>(1 + i % 4);
            train.push_back(make_short_packet(random_, i, 50 + i % 7, length));
            payloads_.emplace_back(train.back().payload().begin(), train.back().payload().end());
        }
        seal(sealing_, to_seal(train));
        return train;
    }

    void open_all(std::span<PacketToOpen> packets) {
        remove_header_protection(*opening_.header, packets);
        expand_packet_numbers(packets, PacketNumber(0));
        open(opening_.payload, packets);
    }

    SeededRandom random_{11};
    std::vector<std::vector<std::uint8_t>> payloads_;
    PacketKeys sealing_ =
        make_packet_keys({}, crypto::Direction::kSeal, crypto::Secret::of_size(32));
    PacketKeys opening_ =
        make_packet_keys({}, crypto::Direction::kOpen, crypto::Secret::of_size(32));
};

TEST_F(OpenTest, EveryPacketOfABatchIsRestored) {
    auto train = sealed_train(150);
    auto packets = to_open(train);
    open_all(packets);
    for (std::size_t i = 0; i < packets.size(); ++i) {
        ASSERT_TRUE(packets[i].opened) << i;
        EXPECT_TRUE(std::ranges::equal(packets[i].opened->payload(), payloads_[i])) << i;
        EXPECT_EQ(packets[i].opened->number(), PacketNumber(i));
    }
}

//= test 9001-5.4.2-1
TEST_F(OpenTest, PacketsTooShortForASampleAreDroppedUntouched) {
    const std::size_t least = test::kTestPacketNumberOffset + 4 + crypto::kSampleSize;
    for (std::size_t size = test::kTestPacketNumberOffset; size < least; ++size) {
        TestPacket packet;
        packet.bytes.assign(size, 0x5a);
        auto to_open = packet.to_open();
        open_all({&to_open, 1});
        EXPECT_EQ(to_open.drop, DropReason::kTruncated) << size;
        EXPECT_FALSE(to_open.opened);
        EXPECT_EQ(packet.bytes, std::vector<std::uint8_t>(size, 0x5a));
    }
}

TEST_F(OpenTest, APacketWithNothingButItsTagIsOpenedEmpty) {
    // Four bytes of number and no frames: just long enough. The connection refuses it.
    TestPacket packet = make_short_packet(random_, 5, test::kTestPacketNumberOffset + 4 + 16, 4);
    const auto to_seal = packet.to_seal();
    seal(sealing_, {&to_seal, 1});
    auto to_open = packet.to_open();
    open_all({&to_open, 1});
    ASSERT_TRUE(to_open.opened);
    EXPECT_TRUE(to_open.opened->payload().empty());
}

TEST_F(OpenTest, ADamagedPacketIsDroppedAndItsNeighboursAreNot) {
    const auto clean = sealed_train(5);
    for (std::size_t bit = 0; bit < clean[2].bytes.size() * 8; ++bit) {
        auto train = clean;
        train[2].bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
        auto packets = to_open(train);
        open_all(packets);
        for (std::size_t i = 0; i < packets.size(); ++i) {
            ASSERT_EQ(packets[i].opened.has_value(), i != 2) << "packet " << i << " bit " << bit;
        }
        ASSERT_EQ(packets[2].drop, DropReason::kDecryptionFailed) << bit;
    }
}

TEST_F(OpenTest, TheLastSixteenBytesSurviveAFailure) {
    // They may be a stateless reset token.
    auto train = sealed_train(1);
    train[0].bytes[15] ^= 1;
    const auto before = train[0].bytes;
    auto packets = to_open(train);
    open_all(packets);
    ASSERT_FALSE(packets[0].opened);
    EXPECT_TRUE(std::equal(before.end() - 16, before.end(), train[0].bytes.end() - 16));
}

TEST_F(OpenTest, WhatIsDroppedAlreadyIsLeftAlone) {
    auto train = sealed_train(3);
    const auto before = train[1].bytes;
    auto packets = to_open(train);
    packets[1].drop = DropReason::kDuplicatePacket;
    open_all(packets);
    EXPECT_TRUE(packets[0].opened && packets[2].opened);
    EXPECT_FALSE(packets[1].opened);
    EXPECT_EQ(packets[1].drop, DropReason::kDuplicatePacket);
    EXPECT_EQ(train[1].bytes, before);
}

TEST_F(OpenTest, ATooShortPacketThatIsDroppedAlreadyKeepsItsReason) {
    TestPacket packet;
    packet.bytes.assign(test::kTestPacketNumberOffset + 1, 0x5a);
    auto to_open = packet.to_open();
    to_open.drop = DropReason::kDuplicatePacket;
    open_all({&to_open, 1});
    EXPECT_EQ(to_open.drop, DropReason::kDuplicatePacket);
}

TEST_F(OpenTest, ReservedBitsAreSeenInBothHeaderForms) {
    const struct {
        std::uint8_t first_byte;
        bool zero;
    } kCases[] = {{0x43, true}, {0x47, true}, {0x63, true},  {0x4b, false}, {0x53, false},
                  {0xc3, true}, {0xf3, true}, {0xc7, false}, {0xcb, false}};
    for (const auto& [first_byte, zero] : kCases) {
        TestPacket packet = make_short_packet(random_, 1, 60, 4);
        packet.bytes[0] = first_byte;
        const auto to_seal = packet.to_seal();
        seal(sealing_, {&to_seal, 1});
        auto to_open = packet.to_open();
        open_all({&to_open, 1});
        ASSERT_TRUE(to_open.opened);
        EXPECT_EQ(to_open.opened->first_byte(), first_byte);
        EXPECT_EQ(to_open.opened->reserved_bits_are_zero(), zero) << int{first_byte};
    }
}

TEST_F(OpenTest, AnOpenedPacketCannotBeMadeByAnyoneElse) {
    static_assert(!std::is_default_constructible_v<OpenedPacket>);
    static_assert(!std::is_constructible_v<OpenedPacket, PacketToOpen>);
}

}  // namespace
}  // namespace stoq::protection
