#include "wire/version_negotiation.h"

#include <gtest/gtest.h>

#include "support/hex.h"
#include "wire/packet_header.h"
#include "wire/version.h"

namespace stoq::wire {
namespace {

using test::from_hex;
using test::to_hex;

TEST(Version, OneAndTwoAreSpoken) {
    EXPECT_TRUE(is_supported_version(kVersion1));
    EXPECT_TRUE(is_supported_version(kVersion2));
    for (std::uint32_t version : {0u, 2u, 0x6b3343d0u, 0x0a0a0a0au, 0xff00001du}) {
        EXPECT_FALSE(is_supported_version(version)) << version;
    }
}

// RFC 9369 section 3.2.
TEST(Version, TwoHasOtherNumbersForThePacketTypes) {
    const VersionRule& rule = *find_version(kVersion2);
    EXPECT_EQ(long_packet_type(rule, 0xd0), PacketType::kInitial);
    EXPECT_EQ(long_packet_type(rule, 0xe0), PacketType::kZeroRtt);
    EXPECT_EQ(long_packet_type(rule, 0xf0), PacketType::kHandshake);
    EXPECT_EQ(long_packet_type(rule, 0xc0), PacketType::kRetry);
    EXPECT_EQ(long_type_bits(rule, PacketType::kInitial), 0x10);
    EXPECT_EQ(long_type_bits(rule, PacketType::kRetry), 0x00);
}

TEST(Version, ReservedVersionsHaveTheirPattern) {
    for (std::uint32_t version : {0x0a0a0a0au, 0x1a2a3a4au, 0xfafafafau}) {
        EXPECT_TRUE(is_reserved_version(version));
    }
    for (std::uint32_t version : {0u, 1u, 0x0a0a0a0bu, 0x1b1a1a1au}) {
        EXPECT_FALSE(is_reserved_version(version));
    }
    EXPECT_TRUE(is_reserved_version(reserved_version(0x12345678)));
    EXPECT_EQ(reserved_version(0xdeadbeef), 0xdaaabaeau);
}

//= test 8999-6-3
//= test 8999-6-4
//= test 9000-17.2.1-2
//= test 9000-17.2.1-3
//= test 9000-17.2.1-4
//= test 9000-17.2.1-5
TEST(VersionNegotiation, AnswersWithSwappedConnectionIdsAndAReservedVersion) {
    const auto destination = from_hex("0102030405060708");
    const auto source = from_hex("a1a2a3");
    const std::uint32_t versions[] = {kVersion1};
    std::uint8_t buffer[64];
    ByteWriter writer(buffer);
    ASSERT_TRUE(encode_version_negotiation(writer, {0x0000beef, destination, source}, versions,
                                           0x12345678));
    EXPECT_EQ(to_hex(writer.written_bytes()),
              "f800000000"
              "03a1a2a3"
              "080102030405060708"
              "1a3a5a7a"
              "00000001");
}

TEST(VersionNegotiation, NeverListsTheReservedVersionThatTheClientTried) {
    const std::uint32_t offered = reserved_version(0x12345678);
    const std::uint32_t versions[] = {kVersion1};
    std::uint8_t buffer[64];
    ByteWriter writer(buffer);
    ASSERT_TRUE(encode_version_negotiation(writer, {offered, {}, {}}, versions, 0x12345678));
    const auto packet = decode_version_negotiation({}, {}, writer.written_bytes().subspan(7));
    ASSERT_TRUE(packet);
    EXPECT_FALSE(packet->contains(offered));
    EXPECT_TRUE(is_reserved_version(packet->version(0)));
}

//= test 9000-17.2.1-6
TEST(VersionNegotiation, EchoesConnectionIdsOfAnyLength) {
    const std::vector<std::uint8_t> longest(255, 0x77);
    const std::uint32_t versions[] = {kVersion1};
    std::vector<std::uint8_t> buffer(600);
    ByteWriter writer(buffer);
    ASSERT_TRUE(encode_version_negotiation(writer, {9, longest, longest}, versions, 0));
    const auto decoded = decode_packet(Bytes(buffer).first(writer.written()), 8);
    ASSERT_TRUE(decoded);
    const auto* packet = std::get_if<VersionNegotiationPacket>(&*decoded);
    ASSERT_NE(packet, nullptr);
    EXPECT_EQ(packet->destination.size(), 255u);
    EXPECT_EQ(packet->source.size(), 255u);
    EXPECT_TRUE(packet->contains(kVersion1));
    EXPECT_FALSE(packet->contains(2));
}

TEST(VersionNegotiation, WritesNothingWhereItDoesNotFit) {
    const std::uint32_t versions[] = {kVersion1};
    std::uint8_t buffer[15];
    for (std::size_t room = 0; room < 15; ++room) {
        ByteWriter writer(Bytes(buffer, room));
        EXPECT_FALSE(encode_version_negotiation(writer, {9, {}, {}}, versions, 0)) << room;
        EXPECT_EQ(writer.written(), 0u);
    }
    ByteWriter writer(buffer);
    EXPECT_TRUE(encode_version_negotiation(writer, {9, {}, {}}, versions, 0));
}

//= test 8999-6-1
//= test 9000-17.2.1-1
TEST(VersionNegotiation, IsRecognizedWhateverTheUnusedBits) {
    for (unsigned first = 0x80; first <= 0xff; ++first) {
        auto bytes = from_hex("00 00000000 00 00 00000001");
        bytes[0] = static_cast<std::uint8_t>(first);
        const auto decoded = decode_packet(bytes, 8);
        ASSERT_TRUE(decoded) << first;
        EXPECT_TRUE(std::holds_alternative<VersionNegotiationPacket>(*decoded));
    }
}

//= test 8999-6-2
TEST(VersionNegotiation, WithoutAWholeListOfVersionsIsDropped) {
    for (const char* list : {"", "00", "000000", "0000000100", "00000001000000"}) {
        auto bytes = from_hex(std::string("c0 00000000 00 00") + list);
        const auto decoded = decode_packet(bytes, 8);
        ASSERT_FALSE(decoded) << list;
        EXPECT_EQ(decoded.error(), DropReason::kTruncated);
    }
}

}  // namespace
}  // namespace stoq::wire
