#include "wire/frame_encode.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "support/frame_text.h"
#include "wire/frame_decode.h"

namespace stoq::wire {
namespace {

using test::from_hex;
using test::to_hex;
using test::to_text;

// Minimal encodings: decoding and encoding again gives the same bytes.
constexpr const char* kCanonical[] = {
    "000000",
    "01",
    "020a050003",
    "02144064020200030500",
    "030a00000a010203",
    "040441003f",
    "050807",
    "060002aabb",
    "0703010203",
    "0a0402aabb",
    "0b0400",
    "0e040501aa",
    "0f040501aa",
    "10bfffffff",
    "11074100",
    "1205",
    "13d000000000000000",
    "1409",
    "150409",
    "1601",
    "1702",
    "1805030401020304000102030405060708090a0b0c0d0e0f",
    "1906",
    "1a0102030405060708",
    "1b0102030405060708",
    "1c0a0603626164",
    "1d410000",
    "1e",
    "3102aabb",
    "3100",
    "40af07054e2003",
    "1f",
};

Frame decode_one(ByteView bytes) {
    ByteReader reader(bytes);
    auto frame = decode_frame(reader, PacketType::kOneRtt);
    EXPECT_TRUE(frame && reader.empty()) << to_hex(bytes);
    return frame ? *frame : Frame();
}

TEST(EncodeFrame, WritesWhatWasDecoded) {
    for (const char* hex : kCanonical) {
        const auto bytes = from_hex(hex);
        std::uint8_t buffer[64];
        ByteWriter writer(buffer);
        ASSERT_TRUE(encode(writer, decode_one(bytes))) << hex;
        EXPECT_EQ(to_hex(writer.written_bytes()), hex);
    }
}

TEST(EncodeFrame, WritesAllOrNothing) {
    for (const char* hex : kCanonical) {
        const auto bytes = from_hex(hex);
        const Frame frame = decode_one(bytes);
        if (std::holds_alternative<ConnectionCloseFrame>(frame)) continue;  // it may be cut
        std::uint8_t buffer[64];
        for (std::size_t room = 0; room < bytes.size(); ++room) {
            ByteWriter writer(Bytes(buffer, room));
            EXPECT_FALSE(encode(writer, frame)) << hex << " in " << room;
            EXPECT_EQ(writer.written(), 0u);
        }
        ByteWriter exact(Bytes(buffer, bytes.size()));
        EXPECT_TRUE(encode(exact, frame)) << hex;
    }
}

TEST(EncodeFrame, RefusesValuesThatNoVarintHolds) {
    std::uint8_t buffer[64];
    ByteWriter writer(buffer);
    EXPECT_FALSE(encode(writer, MaxDataFrame{kMaxVarint + 1}));
    EXPECT_FALSE(encode(writer, ResetStreamFrame{StreamId(0), 0, UINT64_MAX}));
    //= test 9000-19.7-1
    EXPECT_FALSE(encode(writer, NewTokenFrame{}));
    EXPECT_EQ(writer.written(), 0u);
}

TEST(EncodeFrame, CutsTheReasonOfACloseToTheRoom) {
    const std::string reason(100, 'r');
    ConnectionCloseFrame frame;
    frame.error_code = 10;
    frame.reason = ByteView(reinterpret_cast<const std::uint8_t*>(reason.data()), reason.size());
    std::uint8_t buffer[128];
    for (std::size_t room = 4; room < 128; ++room) {
        ByteWriter writer(Bytes(buffer, room));
        ASSERT_TRUE(encode(writer, frame)) << room;
        const auto decoded = std::get<ConnectionCloseFrame>(decode_one(writer.written_bytes()));
        EXPECT_EQ(decoded.error_code, 10u);
        EXPECT_GE(decoded.reason.size() + 2, std::min<std::size_t>(room - 3, 102) - 1);
        EXPECT_LE(decoded.reason.size(), 100u);
    }
    ByteWriter narrow(Bytes(buffer, 3));
    EXPECT_FALSE(encode(narrow, frame));
    EXPECT_EQ(narrow.written(), 0u);
}

// --- ACK ---

TEST(EncodeAck, WritesAllRangesWhenTheyFit) {
    const Interval ranges[] = {{6, 7}, {13, 17}, {18, 21}};
    std::uint8_t buffer[64];
    ByteWriter writer(buffer);
    EXPECT_EQ(encode_ack(writer, ranges, 100, nullptr), 3u);
    EXPECT_EQ(to_text(decode_one(writer.written_bytes())),
              "ACK 20 100 3 [18-20 13-16 6-6] no 0 0 0");
}

//= test 9000-19.3-1
TEST(EncodeAck, KeepsTheHighestRangesAndTheEcnCountsInLittleRoom) {
    std::vector<Interval> ranges;
    for (std::uint64_t i = 0; i < 100; ++i) ranges.push_back({10 * i, 10 * i + 3});
    const EcnCounts ecn{1, 70, 3};
    std::uint8_t buffer[256];
    std::size_t last = 0;
    for (std::size_t room = 0; room <= sizeof buffer; ++room) {
        ByteWriter writer(Bytes(buffer, room));
        const std::size_t count = encode_ack(writer, ranges, 0, &ecn);
        EXPECT_GE(count, last);
        // Eleven bytes without any pair, then two for each.
        EXPECT_EQ(count, room < 11 ? 0 : std::min<std::size_t>(100, 1 + (room - 11) / 2)) << room;
        last = count;
        if (count == 0) {
            EXPECT_EQ(writer.written(), 0u);
            continue;
        }
        const auto frame = std::get<AckFrame>(decode_one(writer.written_bytes()));
        EXPECT_EQ(frame.largest, PacketNumber(992));
        EXPECT_EQ(frame.ecn, ecn);
        ASSERT_EQ(frame.ranges.count(), count);
        std::size_t i = ranges.size();
        for (const AckRange& range : frame.ranges) {
            --i;
            EXPECT_EQ(range.smallest, PacketNumber(ranges[i].begin));
            EXPECT_EQ(range.largest, PacketNumber(ranges[i].end - 1));
        }
    }
    EXPECT_EQ(last, 100u);
}

TEST(EncodeAck, NeedsARange) {
    std::uint8_t buffer[64];
    ByteWriter writer(buffer);
    EXPECT_EQ(encode_ack(writer, {}, 0, nullptr), 0u);
    EXPECT_EQ(writer.written(), 0u);
}

// --- STREAM and CRYPTO from a buffer ---

// Completes the frame with data and decodes it.
StreamFrame complete(ByteWriter& writer, const StreamFrameLayout& layout) {
    const std::vector<std::uint8_t> data(layout.data_length, 0xdd);
    EXPECT_TRUE(writer.write_bytes(data));
    return std::get<StreamFrame>(decode_one(writer.written_bytes()));
}

TEST(EncodeStreamHeader, WithALengthUsesTheRoomAsFarAsItGoes) {
    std::uint8_t buffer[2048];
    for (const std::uint64_t available : {0u, 1u, 62u, 63u, 64u, 65u, 500u, 1999u}) {
        for (std::size_t room = 0; room < 600; ++room) {
            ByteWriter writer(Bytes(buffer, room));
            const auto layout =
                encode_stream_header(writer, {StreamId(4), 100, available, true, false});
            if (!layout) {
                EXPECT_EQ(writer.written(), 0u);
                EXPECT_LT(room, available == 0 ? 5u : 6u);
                continue;
            }
            const StreamFrame frame = complete(writer, *layout);
            EXPECT_EQ(frame.offset, 100u);
            EXPECT_EQ(frame.data.size(), layout->data_length);
            EXPECT_EQ(frame.fin, layout->data_length == available);
            EXPECT_EQ(frame.fin, layout->fin);
            const bool all = layout->data_length == available;
            EXPECT_TRUE(all || writer.remaining() == 0) << room << " for " << available;
        }
    }
}

TEST(EncodeStreamHeader, WithoutALengthFillsTheRoomExactly) {
    std::uint8_t buffer[1200];
    for (const std::size_t room : {4u, 20u, 66u, 67u, 1200u}) {
        ByteWriter writer(Bytes(buffer, room));
        const auto layout = encode_stream_header(writer, {StreamId(0), 0, 5000, true, true});
        ASSERT_TRUE(layout);
        EXPECT_EQ(layout->data_length, room - 2);
        EXPECT_FALSE(layout->fin);
        EXPECT_EQ(complete(writer, *layout).data.size(), room - 2);
        EXPECT_EQ(writer.remaining(), 0u);
    }
}

TEST(EncodeStreamHeader, KeepsTheLengthWhenTheDataEndsBeforeTheRoom) {
    std::uint8_t buffer[100];
    ByteWriter writer(buffer);
    const auto layout = encode_stream_header(writer, {StreamId(0), 0, 50, false, true});
    ASSERT_TRUE(layout);
    EXPECT_EQ(layout->data_length, 50u);
    EXPECT_EQ(to_hex(writer.written_bytes()), "0a0032");
}

TEST(EncodeStreamHeader, SendsTheFinAlone) {
    std::uint8_t buffer[8];
    ByteWriter writer(buffer);
    const auto layout = encode_stream_header(writer, {StreamId(0), 9, 0, true, true});
    ASSERT_TRUE(layout);
    EXPECT_TRUE(layout->fin);
    EXPECT_EQ(to_hex(writer.written_bytes()), "0f000900");
    ByteWriter exact(Bytes(buffer, 3));
    ASSERT_TRUE(encode_stream_header(exact, {StreamId(0), 9, 0, true, true}));
    EXPECT_EQ(to_hex(exact.written_bytes()), "0d0009");
}

TEST(EncodeStreamHeader, HasNothingToSayWithoutDataAndFin) {
    std::uint8_t buffer[8];
    ByteWriter writer(buffer);
    EXPECT_FALSE(encode_stream_header(writer, {StreamId(0), 9, 0, false, false}));
    EXPECT_FALSE(encode_stream_header(writer, {StreamId(0), 9, 0, false, true}));
    EXPECT_EQ(writer.written(), 0u);
}

TEST(EncodeCryptoHeader, UsesTheRoomAsFarAsItGoes) {
    std::uint8_t buffer[600];
    for (std::size_t room = 0; room < 600; ++room) {
        ByteWriter writer(Bytes(buffer, room));
        const auto length = encode_crypto_header(writer, 1000, 400);
        if (!length) {
            EXPECT_EQ(writer.written(), 0u);
            EXPECT_LT(room, 5u);
            continue;
        }
        ASSERT_TRUE(writer.write_zeros(*length));
        const auto frame = std::get<CryptoFrame>(decode_one(writer.written_bytes()));
        EXPECT_EQ(frame.offset, 1000u);
        EXPECT_EQ(frame.data.size(), *length);
        EXPECT_TRUE(*length == 400 || writer.remaining() == 0);
    }
    ByteWriter writer(buffer);
    EXPECT_FALSE(encode_crypto_header(writer, 1000, 0));
}

}  // namespace
}  // namespace stoq::wire
