#include "wire/packet_header.h"

#include <gtest/gtest.h>

#include "support/hex.h"
#include "wire/varint.h"

namespace stoq::wire {
namespace {

using test::from_hex;
using test::to_hex;

constexpr std::size_t kLocalLength = 4;

DropReason drop_reason(std::string_view hex, FixedBit fixed_bit = FixedBit::kRequired) {
    auto bytes = from_hex(hex);
    const auto packet = decode_packet(bytes, kLocalLength, fixed_bit);
    return packet ? DropReason::kNone : packet.error();
}

// --- decoding ---

TEST(DecodePacket, ReadsAnInitialWithItsToken) {
    auto bytes = from_hex("c3 00000001 04 01020304 02 a1a2 03 746f6b 4005 0000000155 99");
    const auto decoded = decode_packet(bytes, kLocalLength);
    ASSERT_TRUE(decoded);
    const auto& packet = std::get<ProtectedPacket>(*decoded);
    EXPECT_EQ(packet.type, PacketType::kInitial);
    EXPECT_EQ(packet.version, kVersion1);
    EXPECT_EQ(to_hex(packet.destination.view()), "01020304");
    EXPECT_EQ(to_hex(packet.source.view()), "a1a2");
    EXPECT_EQ(to_hex(packet.token), "746f6b");
    EXPECT_EQ(packet.packet_number_offset, 19u);
    EXPECT_EQ(packet.bytes.size(), 24u);  // the byte behind the Length is the next packet's
    EXPECT_EQ(packet.bytes.data(), bytes.data());
}

TEST(DecodePacket, TellsTheLongTypesApart) {
    const std::pair<const char*, PacketType> kTypes[] = {{"d0", PacketType::kZeroRtt},
                                                         {"e0", PacketType::kHandshake}};
    for (const auto& [first_byte, type] : kTypes) {
        auto bytes = from_hex(std::string(first_byte) + "00000001 00 00 02 aabb");
        const auto decoded = decode_packet(bytes, kLocalLength);
        ASSERT_TRUE(decoded) << first_byte;
        const auto& packet = std::get<ProtectedPacket>(*decoded);
        EXPECT_EQ(packet.type, type);
        EXPECT_TRUE(packet.token.empty());
        EXPECT_EQ(packet.packet_number_offset, 8u);
    }
}

TEST(DecodePacket, ReadsAShortHeaderToTheEndOfTheDatagram) {
    auto bytes = from_hex("40 01020304 1122334455");
    const auto decoded = decode_packet(bytes, kLocalLength);
    ASSERT_TRUE(decoded);
    const auto& packet = std::get<ProtectedPacket>(*decoded);
    EXPECT_EQ(packet.type, PacketType::kOneRtt);
    EXPECT_EQ(to_hex(packet.destination.view()), "01020304");
    EXPECT_TRUE(packet.source.empty());
    EXPECT_EQ(packet.packet_number_offset, 5u);
    EXPECT_EQ(packet.bytes.size(), bytes.size());
}

//= test 9000-12.2-1
TEST(DecodePacket, WalksThroughCoalescedPackets) {
    auto bytes = from_hex(
        "c0 00000001 01 aa 00 00 02 0011"  // Initial
        "e0 00000001 01 aa 00 03 001122"   // Handshake
        "41 aaaaaaaa 778899");             // 1-RTT
    std::vector<PacketType> types;
    Bytes rest(bytes);
    while (!rest.empty()) {
        const auto decoded = decode_packet(rest, kLocalLength);
        ASSERT_TRUE(decoded);
        const auto& packet = std::get<ProtectedPacket>(*decoded);
        types.push_back(packet.type);
        rest = rest.subspan(packet.bytes.size());
    }
    EXPECT_EQ(types,
              (std::vector{PacketType::kInitial, PacketType::kHandshake, PacketType::kOneRtt}));
}

//= test 9000-17.2-1
//= test 9000-17.3.1-1
TEST(DecodePacket, WithoutTheFixedBitIsDroppedUnlessGreased) {
    for (const char* hex : {"80 00000001 00 00 00 02 aabb", "00 01020304 aabb"}) {
        EXPECT_EQ(drop_reason(hex), DropReason::kFixedBitClear);
        EXPECT_EQ(drop_reason(hex, FixedBit::kMayBeClear), DropReason::kNone);
    }
}

//= test 9000-17.2-3
//= test 9000-17.2-6
TEST(DecodePacket, WithAConnectionIdOfMoreThanTwentyBytesIsDropped) {
    const std::string id(42, 'a');
    EXPECT_EQ(drop_reason("c0 00000001 15" + id + "00 00 02 aabb"),
              DropReason::kBadConnectionIdLength);
    EXPECT_EQ(drop_reason("c0 00000001 00 15" + id + "00 02 aabb"),
              DropReason::kBadConnectionIdLength);
}

//= test 9000-17.2-4
//= test 9000-17.2-7
TEST(DecodePacket, OfAnotherVersionKeepsItsLongConnectionIds) {
    const std::string id(42, 'a');
    auto bytes = from_hex("80 1a2a3a4a 15" + id + "15" + id + "ff");  // fixed bit clear
    const auto decoded = decode_packet(bytes, kLocalLength);
    ASSERT_TRUE(decoded);
    const auto& packet = std::get<UnsupportedVersionPacket>(*decoded);
    EXPECT_EQ(packet.version, 0x1a2a3a4au);
    EXPECT_EQ(packet.destination.size(), 21u);
    EXPECT_EQ(packet.source.size(), 21u);
}

TEST(DecodePacket, CutOffAnywhereIsDropped) {
    const auto whole = from_hex("c3 00000001 04 01020304 02 a1a2 03 746f6b 4005 0000000155");
    for (std::size_t length = 0; length < whole.size(); ++length) {
        std::vector<std::uint8_t> cut(whole.begin(),
                                      whole.begin() + static_cast<std::ptrdiff_t>(length));
        const auto packet = decode_packet(cut, kLocalLength);
        ASSERT_FALSE(packet) << length;
        EXPECT_EQ(packet.error(), DropReason::kTruncated);
    }
    EXPECT_EQ(drop_reason("40 01020304"), DropReason::kNone);
    EXPECT_EQ(drop_reason("40 010203"), DropReason::kTruncated);
}

TEST(DecodePacket, WithALengthFieldBeyondTheDatagramIsDropped) {
    EXPECT_EQ(drop_reason("e0 00000001 00 00 03 aabb"), DropReason::kTruncated);
    EXPECT_EQ(drop_reason("e0 00000001 00 00 ffffffffffffffff aabb"), DropReason::kTruncated);
    EXPECT_EQ(drop_reason("c0 00000001 00 00 ffffffffffffffff aabb"), DropReason::kTruncated);
}

// --- finding the connection ---

TEST(PeekDestinationConnectionId, NeedsOnlyTheInvariants) {
    const auto long_header = from_hex("80 1a2a3a4a 02 a1a2");
    EXPECT_EQ(to_hex(*peek_destination_connection_id(long_header, kLocalLength)), "a1a2");
    const auto short_header = from_hex("00 01020304");
    EXPECT_EQ(to_hex(*peek_destination_connection_id(short_header, kLocalLength)), "01020304");
    EXPECT_TRUE(peek_destination_connection_id(from_hex("00"), 0)->empty());
}

TEST(PeekDestinationConnectionId, CutOffGivesNothing) {
    for (const char* hex : {"", "40", "40010203", "c0", "c000000001", "c00000000101"}) {
        EXPECT_FALSE(peek_destination_connection_id(from_hex(hex), kLocalLength)) << hex;
    }
}

// --- encoding ---

LongHeader example_header(PacketType type, ByteView token) {
    return {type,
            kVersion1,
            *ConnectionId::from(from_hex("01020304")),
            *ConnectionId::from(from_hex("a1a2")),
            token,
            true};
}

//= test 9000-17.2-8
TEST(EncodeLongHeader, WritesAnInitialAndPatchesItsLength) {
    const auto token = from_hex("746f6b");
    std::uint8_t buffer[64] = {};
    ByteWriter writer(buffer);
    const auto layout = encode_long_header(writer, example_header(PacketType::kInitial, token),
                                           PacketNumber(0x11223344), 4);
    ASSERT_TRUE(layout);
    EXPECT_EQ(layout->packet_number_offset, 19u);
    ASSERT_TRUE(writer.write_zeros(3));
    patch_length(Bytes(buffer), *layout, 4 + 3);
    EXPECT_EQ(to_hex(writer.written_bytes()),
              "c3000000010401020304"
              "02a1a2"
              "03746f6b"
              "4007"
              "11223344"
              "000000");
}

TEST(EncodeLongHeader, PutsATokenOnlyIntoInitials) {
    const auto token = from_hex("746f6b");
    std::uint8_t buffer[64];
    ByteWriter writer(buffer);
    ASSERT_TRUE(encode_long_header(writer, example_header(PacketType::kHandshake, token),
                                   PacketNumber(7), 1));
    EXPECT_EQ(to_hex(writer.written_bytes()), "e000000001040102030402a1a2400007");
}

TEST(EncodeLongHeader, OffsetsCountFromThePacketInACoalescedDatagram) {
    std::uint8_t buffer[64] = {};
    ByteWriter writer(buffer);
    ASSERT_TRUE(writer.write_zeros(10));
    const auto layout =
        encode_long_header(writer, example_header(PacketType::kZeroRtt, {}), PacketNumber(7), 2);
    ASSERT_TRUE(layout);
    ASSERT_TRUE(writer.write_zeros(20));
    const Bytes packet = Bytes(buffer).subspan(10, writer.written() - 10);
    patch_length(packet, *layout, packet.size() - layout->packet_number_offset);
    const auto decoded = decode_packet(packet, kLocalLength);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(std::get<ProtectedPacket>(*decoded).packet_number_offset,
              layout->packet_number_offset);
    EXPECT_EQ(std::get<ProtectedPacket>(*decoded).bytes.size(), packet.size());
}

TEST(EncodeLongHeader, WritesAllOrNothing) {
    const auto token = from_hex("746f6b");
    std::uint8_t buffer[64];
    const auto header = example_header(PacketType::kInitial, token);
    for (std::size_t room = 0; room < 23; ++room) {
        ByteWriter writer(Bytes(buffer, room));
        EXPECT_FALSE(encode_long_header(writer, header, PacketNumber(1), 4)) << room;
        EXPECT_EQ(writer.written(), 0u);
    }
    ByteWriter writer(Bytes(buffer, 23));
    EXPECT_TRUE(encode_long_header(writer, header, PacketNumber(1), 4));
}

//= test 9000-17.3.1-2
TEST(EncodeShortHeader, WritesItsBitsAndNumber) {
    const auto id = *ConnectionId::from(from_hex("01020304"));
    struct Case {
        ShortHeader header;
        std::size_t length;
        const char* hex;
    };
    const Case kCases[] = {
        {{id, false, false, true}, 1, "400102030488"},
        {{id, true, false, true}, 2, "61010203047788"},
        {{id, false, true, true}, 3, "4601020304667788"},
        {{id, true, true, true}, 4, "670102030455667788"},
        {{id, false, false, false}, 1, "000102030488"},
        {{ConnectionId(), false, false, true}, 1, "4088"},
    };
    for (const Case& c : kCases) {
        std::uint8_t buffer[16];
        ByteWriter writer(buffer);
        const auto offset =
            encode_short_header(writer, c.header, PacketNumber(0x1155667788), c.length);
        EXPECT_EQ(offset, 1 + c.header.destination.length());
        EXPECT_EQ(to_hex(writer.written_bytes()), c.hex);

        ByteWriter narrow(Bytes(buffer, writer.written() - 1));
        EXPECT_FALSE(encode_short_header(narrow, c.header, PacketNumber(0), c.length));
        EXPECT_EQ(narrow.written(), 0u);
    }
}

TEST(DecodeShortHeader, CannotHaveAConnectionIdOfMoreThanTwentyBytes) {
    std::vector<std::uint8_t> bytes(40, 0x40);
    EXPECT_EQ(decode_short_header(bytes, 21).error(), DropReason::kBadConnectionIdLength);
    EXPECT_EQ(decode_short_header(bytes, 20)->packet_number_offset, 21u);
    EXPECT_EQ(decode_short_header({}, 0).error(), DropReason::kTruncated);
}

}  // namespace
}  // namespace stoq::wire
