#include "wire/frame_decode.h"

#include <gtest/gtest.h>

#include "support/frame_text.h"
#include "wire/frame_table.h"
#include "wire/varint.h"

namespace stoq::wire {
namespace {

using test::from_hex;
using test::to_text;

struct Good {
    const char* hex;
    const char* text;
};

constexpr Good kGood[] = {
    {"00", "PADDING 1"},
    {"0000000000000000000000", "PADDING 11"},
    {"01", "PING"},
    {"02 0a 05 00 03", "ACK 10 5 1 [7-10] no 0 0 0"},
    {"02 14 4064 02 02 00 03 05 00", "ACK 20 100 3 [18-20 13-16 6-6] no 0 0 0"},
    {"03 0a 00 00 0a 01 02 03", "ACK 10 0 1 [0-10] yes 1 2 3"},
    {"04 04 4100 3f", "RESET_STREAM 4 256 63"},
    {"05 08 07", "STOP_SENDING 8 7"},
    {"06 00 02 aabb", "CRYPTO 0 'aabb'"},
    {"06 44d2 00", "CRYPTO 1234 ''"},
    {"07 03 010203", "NEW_TOKEN '010203'"},
    {"08 04 aabbcc", "STREAM 4 0 'aabbcc' no"},
    {"09 04", "STREAM 4 0 '' yes"},
    {"0a 04 02 aabb", "STREAM 4 0 'aabb' no"},
    {"0b 04 00", "STREAM 4 0 '' yes"},
    {"0c 04 4100 aabb", "STREAM 4 256 'aabb' no"},
    {"0d 04 05 aa", "STREAM 4 5 'aa' yes"},
    {"0e 04 05 01 aa", "STREAM 4 5 'aa' no"},
    {"0f 04 05 01 aa", "STREAM 4 5 'aa' yes"},
    {"10 bfffffff", "MAX_DATA 1073741823"},
    {"11 07 4100", "MAX_STREAM_DATA 7 256"},
    {"12 05", "MAX_STREAMS no 5"},
    {"13 d000000000000000", "MAX_STREAMS yes 1152921504606846976"},
    {"14 09", "DATA_BLOCKED 9"},
    {"15 04 09", "STREAM_DATA_BLOCKED 4 9"},
    {"16 01", "STREAMS_BLOCKED no 1"},
    {"17 02", "STREAMS_BLOCKED yes 2"},
    {"18 05 03 04 01020304 000102030405060708090a0b0c0d0e0f",
     "NEW_CONNECTION_ID 5 3 '01020304' '000102030405060708090a0b0c0d0e0f'"},
    {"19 06", "RETIRE_CONNECTION_ID 6"},
    {"1a 0102030405060708", "PATH_CHALLENGE 72623859790382856"},
    {"1b 0102030405060708", "PATH_RESPONSE 72623859790382856"},
    {"1c 0a 06 03 626164", "CONNECTION_CLOSE no 10 6 '626164'"},
    {"1d 4100 00", "CONNECTION_CLOSE yes 256 0 ''"},
    {"1e", "HANDSHAKE_DONE"},
    {"30 aabbcc", "DATAGRAM 'aabbcc'"},
    {"30", "DATAGRAM ''"},
    {"31 02 aabb", "DATAGRAM 'aabb'"},
    {"31 00", "DATAGRAM ''"},
    {"40af 07 05 4e20 03", "ACK_FREQUENCY 7 5 3616 3"},
    {"1f", "IMMEDIATE_ACK"},
};

TEST(DecodeFrame, ReadsEveryFrameWhole) {
    for (const Good& good : kGood) {
        const auto bytes = from_hex(good.hex);
        ByteReader reader(bytes);
        const auto frame = decode_frame(reader, PacketType::kOneRtt);
        ASSERT_TRUE(frame) << good.hex;
        EXPECT_EQ(to_text(*frame), good.text);
        EXPECT_TRUE(reader.empty()) << good.hex;
    }
}

std::uint64_t type_of(ByteView bytes) {
    ByteReader reader(bytes);
    return decode_varint(reader).value_or(0);
}

// STREAM frames without a length, runs of padding and the like are whole at many lengths.
bool is_whole_when_cut(const std::vector<std::uint8_t>& bytes) {
    const std::uint8_t type = bytes[0];
    const bool stream_to_the_end = type >= 0x08 && type <= 0x0f && (type & kStreamLengthBit) == 0;
    return stream_to_the_end || type == 0x00 || type == frame_type::kDatagram;
}

TEST(DecodeFrame, CutAnywhereIsAnErrorThatNamesTheFrame) {
    for (const Good& good : kGood) {
        const auto bytes = from_hex(good.hex);
        if (is_whole_when_cut(bytes)) continue;
        for (std::size_t length = 1; length < bytes.size(); ++length) {
            ByteReader reader(ByteView(bytes).first(length));
            const auto frame = decode_frame(reader, PacketType::kOneRtt);
            ASSERT_FALSE(frame) << good.hex << " cut to " << length;
            EXPECT_EQ(frame.error().code, TransportErrorCode::kFrameEncodingError);
            EXPECT_EQ(frame.error().reason, Reason::kTruncated);
            EXPECT_EQ(frame.error().frame_type, type_of(ByteView(bytes).first(length)));
        }
    }
}

TEST(DecodeFrame, ReadsFramesOneAfterTheOther) {
    const auto bytes = from_hex("000000 01 0a0401aa 0000 0804bbcc");
    ByteReader reader(bytes);
    std::string text;
    while (!reader.empty()) {
        const auto frame = decode_frame(reader, PacketType::kOneRtt);
        ASSERT_TRUE(frame);
        text += to_text(*frame) + "; ";
    }
    EXPECT_EQ(text, "PADDING 3; PING; STREAM 4 0 'aa' no; PADDING 2; STREAM 4 0 'bbcc' no; ");
}

TEST(DecodeFrame, CountsALongRunOfPaddingOnce) {
    std::vector<std::uint8_t> bytes(1200);
    bytes.back() = 0x01;
    ByteReader reader(bytes);
    EXPECT_EQ(to_text(*decode_frame(reader, PacketType::kInitial)), "PADDING 1199");
    EXPECT_EQ(to_text(*decode_frame(reader, PacketType::kInitial)), "PING");
}

struct Bad {
    const char* hex;
    TransportError error;
};

constexpr TransportError encoding(Reason reason, std::uint32_t type) {
    return {.code = TransportErrorCode::kFrameEncodingError, .reason = reason, .frame_type = type};
}
constexpr TransportError violation(Reason reason, std::uint32_t type) {
    return {.code = TransportErrorCode::kProtocolViolation, .reason = reason, .frame_type = type};
}

//= test 9000-12.4-4
//= test 9000-12.4-5
//= test 9000-12.4-6
//= test 9000-19.3.1-1
//= test 9000-19.6-1
//= test 9000-19.7-2
//= test 9000-19.8-2
//= test 9000-19.11-1
//= test 9000-19.14-2
//= test 9000-19.15-1
//= test 9000-19.15-6
//= test 9000-19.15-7
//= test 9000-4.6-1
constexpr Bad kBad[] = {
    {"", encoding(Reason::kTruncated, 0)},
    {"40", encoding(Reason::kTruncated, 0)},
    {"20", encoding(Reason::kUnknownFrame, 0x20)},
    {"2f", encoding(Reason::kUnknownFrame, 0x2f)},
    {"4040", encoding(Reason::kUnknownFrame, 0x40)},
    {"80abcdef", encoding(Reason::kUnknownFrame, 0xabcdef)},
    {"c000000100000000", encoding(Reason::kUnknownFrame, 0)},  // wider than 32 bits
    {"4001", violation(Reason::kVarintNotMinimal, 0x01)},
    {"80000008 00", violation(Reason::kVarintNotMinimal, 0x08)},
    {"c000000000000006 00 00", violation(Reason::kVarintNotMinimal, 0x06)},
    {"02 05 00 00 06", encoding(Reason::kBadAckRange, 0x02)},
    {"03 05 00 01 00 05 00 00 00 00", encoding(Reason::kBadAckRange, 0x03)},
    {"06 ffffffffffffffff 01 aa", encoding(Reason::kOffsetTooLarge, 0x06)},
    {"07 00", encoding(Reason::kEmptyToken, 0x07)},
    {"0e 04 ffffffffffffffff 01 aa", encoding(Reason::kOffsetTooLarge, 0x0e)},
    {"0c 04 ffffffffffffffff aa", encoding(Reason::kOffsetTooLarge, 0x0c)},
    {"12 d000000000000001", encoding(Reason::kBadStreamLimit, 0x12)},
    {"13 ffffffffffffffff", encoding(Reason::kBadStreamLimit, 0x13)},
    {"16 d000000000000001", encoding(Reason::kBadStreamLimit, 0x16)},
    {"17 d000000000000001", encoding(Reason::kBadStreamLimit, 0x17)},
    {"18 05 03 00 000102030405060708090a0b0c0d0e0f",
     encoding(Reason::kBadConnectionIdLength, 0x18)},
    {"18 05 03 15 000102030405060708090a0b0c0d0e0f1011121314 000102030405060708090a0b0c0d0e0f",
     encoding(Reason::kBadConnectionIdLength, 0x18)},
    {"18 05 06 04 01020304 000102030405060708090a0b0c0d0e0f",
     encoding(Reason::kBadRetirePriorTo, 0x18)},
};

TEST(DecodeFrame, RefusesWhatTheStandardForbids) {
    for (const Bad& bad : kBad) {
        const auto bytes = from_hex(bad.hex);
        ByteReader reader(bytes);
        const auto frame = decode_frame(reader, PacketType::kOneRtt);
        ASSERT_FALSE(frame) << bad.hex;
        EXPECT_EQ(frame.error().code, bad.error.code) << bad.hex;
        EXPECT_EQ(frame.error().reason, bad.error.reason) << bad.hex;
        EXPECT_EQ(frame.error().frame_type, bad.error.frame_type) << bad.hex;
    }
}

TEST(DecodeFrame, AcceptsTheLargestOffset) {
    const auto stream = from_hex("0e 04 fffffffffffffffe 01 aa");
    ByteReader reader(stream);
    EXPECT_TRUE(decode_frame(reader, PacketType::kOneRtt));
    const auto crypto = from_hex("06 fffffffffffffffe 01 aa");
    ByteReader crypto_reader(crypto);
    EXPECT_TRUE(decode_frame(crypto_reader, PacketType::kInitial));
}

//= test 9000-12.4-3
//= test 9000-17.2.4-2
//= test 9000-17.2.3-4
TEST(DecodeFrame, InAPacketThatMayNotCarryItIsAViolation) {
    for (const Good& good : kGood) {
        const auto bytes = from_hex(good.hex);
        for (const PacketType packet : {PacketType::kInitial, PacketType::kHandshake,
                                        PacketType::kZeroRtt, PacketType::kOneRtt}) {
            ByteReader reader(bytes);
            const auto frame = decode_frame(reader, packet);
            const bool allowed = find_frame_rule(type_of(bytes))->allowed_in(packet);
            EXPECT_EQ(frame.has_value(), allowed) << good.text;
            if (!frame) {
                const auto type = static_cast<std::uint32_t>(type_of(bytes));
                EXPECT_EQ(frame.error(), violation(Reason::kFrameNotAllowedHere, type));
            }
        }
    }
}

TEST(DecodeFrame, OfEveryKindNamesTheRowOfTheTableThatItsTypeIsIn) {
    for (const Good& good : kGood) {
        const auto bytes = from_hex(good.hex);
        ByteReader reader(bytes);
        const auto frame = decode_frame(reader, PacketType::kOneRtt);
        ASSERT_TRUE(frame) << good.text;
        const auto* row =
            std::visit([](const auto& each) { return find_frame_rule(each.kType); }, *frame);
        const auto* other = find_frame_rule(type_of(bytes));
        EXPECT_EQ(row->name, other->name);
        EXPECT_EQ(row->ack_eliciting, other->ack_eliciting) << good.text;
        EXPECT_EQ(row->probing, other->probing) << good.text;
    }
}

TEST(DecodeFillingStream, AFillingStreamFrameIsWhatDecodeFrameSays) {
    for (const char* hex : {"0c 04 4100 aabb", "0d 04 05 aa", "0c 04 05", "0d 04 05"}) {
        const auto bytes = from_hex(hex);
        const auto stream = decode_filling_stream(bytes);
        ASSERT_TRUE(stream) << hex;
        ByteReader reader{ByteView(bytes)};
        const auto frame = decode_frame(reader, PacketType::kOneRtt);
        ASSERT_TRUE(frame) << hex;
        EXPECT_EQ(to_text(Frame(*stream)), to_text(*frame)) << hex;
    }
}

TEST(DecodeFillingStream, WhatDoesNotFillThePacketIsLeftToDecodeFrame) {
    for (const char* hex : {"", "00", "01", "08 04 aa", "0e 04 05 01 aa", "0c", "0c 04", "0c 04 41",
                            "0c 04 ffffffffffffffff aa", "4c 04 05 aa"}) {
        EXPECT_FALSE(decode_filling_stream(from_hex(hex))) << hex;
    }
}

}  // namespace
}  // namespace stoq::wire
