#include "wire/packet_number_codec.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace stoq::wire {
namespace {

constexpr std::uint64_t kLast = (std::uint64_t{1} << 62) - 1;

TEST(PacketNumberLength, FollowsTheExamplesOfTheStandard) {
    const PacketNumber acknowledged(0xabe8b3);
    EXPECT_EQ(packet_number_length(PacketNumber(0xac5c02), acknowledged), 2u);
    EXPECT_EQ(packet_number_length(PacketNumber(0xace8fe), acknowledged), 3u);
}

//= test 9000-17.1-1
TEST(PacketNumberLength, HoldsTheFullNumberBeforeAnythingIsAcknowledged) {
    EXPECT_EQ(packet_number_length(PacketNumber(0), std::nullopt), 1u);
    EXPECT_EQ(packet_number_length(PacketNumber(126), std::nullopt), 1u);
    EXPECT_EQ(packet_number_length(PacketNumber(127), std::nullopt), 2u);
    EXPECT_EQ(packet_number_length(PacketNumber(32'766), std::nullopt), 2u);
    EXPECT_EQ(packet_number_length(PacketNumber(32'767), std::nullopt), 3u);
    EXPECT_EQ(packet_number_length(PacketNumber(0x7f'fffe), std::nullopt), 3u);
    EXPECT_EQ(packet_number_length(PacketNumber(0x7f'ffff), std::nullopt), 4u);
}

//= test 9000-17.1-2
TEST(PacketNumberLength, CoversMoreThanTwiceTheUnacknowledgedRange) {
    const std::uint64_t base = 0x1234'5678'9abc;
    for (std::uint64_t distance :
         {1u, 2u, 127u, 128u, 129u, 32'767u, 32'768u, 8'388'607u, 8'388'608u, 0x7fff'ffffu}) {
        const std::size_t length =
            packet_number_length(PacketNumber(base + distance), PacketNumber(base));
        EXPECT_GT(std::uint64_t{1} << (8 * length), 2 * distance) << distance;
        EXPECT_TRUE(length == 1 || std::uint64_t{1} << (8 * (length - 1)) <= 2 * distance);
    }
}

struct Expansion {
    std::uint64_t truncated;
    std::size_t length;
    std::uint64_t expected;
    std::uint64_t full;
};

constexpr Expansion kExpansions[] = {
    {0x9b32, 2, 0xa82f30eb, 0xa82f9b32},  // appendix A.3
    {0x00, 1, 0, 0},                      // the first packet
    {0xff, 1, 0, 0xff},                   // nothing below zero to choose
    {0x00, 1, 0xff, 0x100},               // wraps upwards
    {0xff, 1, 0x100, 0xff},               // wraps downwards
    {0x80, 1, 0x100, 0x180},              // exactly half a window ahead stays ahead
    {0x81, 1, 0x100, 0x81},               // further than half belongs below
    {0x7f, 1, 0x1ff, 0x27f},              // exactly half a window behind goes ahead
    {0x80, 1, 0x1ff, 0x180},
    {0xffffffff, 4, 0x1'0000'0000, 0xffff'ffff},
    {0xff, 1, kLast, kLast},         // the end of the number space
    {0x00, 1, kLast, kLast - 0xff},  // never beyond it
};

TEST(ExpandPacketNumber, ChoosesTheNearestToTheExpectedNumber) {
    for (const Expansion& e : kExpansions) {
        EXPECT_EQ(expand_packet_number(e.truncated, e.length, e.expected), PacketNumber(e.full))
            << std::hex << e.truncated << " expecting " << e.expected;
    }
}

TEST(PacketNumberCodec, WritesAndReadsOneToFourBytes) {
    const PacketNumber number(0x1122334455667788);
    const char* const kTexts[] = {"88", "7788", "667788", "55667788"};
    for (std::size_t length = 1; length <= kMaxPacketNumberLength; ++length) {
        std::uint8_t buffer[4];
        ByteWriter writer(Bytes(buffer, length));
        ASSERT_TRUE(encode_packet_number(writer, number, length));
        EXPECT_EQ(test::to_hex(writer.written_bytes()), kTexts[length - 1]);

        ByteReader reader(Bytes(buffer, length));
        const std::uint64_t mask = (std::uint64_t{1} << (8 * length)) - 1;
        EXPECT_EQ(decode_packet_number(reader, length), number.value() & mask);
        ByteReader short_reader(Bytes(buffer, length - 1));
        EXPECT_FALSE(decode_packet_number(short_reader, length));
        ByteWriter short_writer(Bytes(buffer, length - 1));
        EXPECT_FALSE(encode_packet_number(short_writer, number, length));
    }
}

}  // namespace
}  // namespace stoq::wire
