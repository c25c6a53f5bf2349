#include "wire/varint.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace stoq::wire {
namespace {

using test::from_hex;
using test::to_hex;

struct Example {
    const char* hex;
    std::uint64_t value;
};

// RFC 9000 appendix A.1, then the ends of each length.
constexpr Example kMinimal[] = {
    {"c2197c5eff14e88c", 151'288'809'941'952'652},
    {"9d7f3e7d", 494'878'333},
    {"7bbd", 15'293},
    {"25", 37},
    {"00", 0},
    {"3f", 63},
    {"4040", 64},
    {"7fff", 16'383},
    {"80004000", 16'384},
    {"bfffffff", 1'073'741'823},
    {"c000000040000000", 1'073'741'824},
    {"ffffffffffffffff", kMaxVarint},
};

TEST(Varint, DecodesAndEncodesTheExamplesOfTheStandard) {
    for (const Example& example : kMinimal) {
        const auto bytes = from_hex(example.hex);
        ByteReader reader(bytes);
        EXPECT_EQ(decode_varint(reader), example.value) << example.hex;
        EXPECT_TRUE(reader.empty()) << example.hex;

        std::uint8_t buffer[8];
        ByteWriter writer(buffer);
        ASSERT_TRUE(encode_varint(writer, example.value));
        EXPECT_EQ(to_hex(writer.written_bytes()), example.hex);
        EXPECT_EQ(varint_length(example.value), bytes.size());
    }
}

TEST(Varint, DecodesTheSameValueWithAndWithoutBytesBehindIt) {
    for (const Example& example : kMinimal) {
        auto bytes = from_hex(example.hex);
        const std::size_t length = bytes.size();
        bytes.resize(length + 8, 0xff);
        ByteReader reader(bytes);
        EXPECT_EQ(decode_varint(reader), example.value) << example.hex;
        EXPECT_EQ(reader.consumed(), length);
    }
}

TEST(Varint, AcceptsALongerEncodingThanNeeded) {
    for (const char* hex : {"4025", "80000025", "c000000000000025"}) {
        const auto bytes = from_hex(hex);
        ByteReader reader(bytes);
        EXPECT_EQ(decode_varint(reader), 37u) << hex;
        EXPECT_TRUE(reader.empty());
    }
}

TEST(Varint, TruncatedIntegerDecodesToNothingAndMovesNothing) {
    for (const Example& example : kMinimal) {
        const auto bytes = from_hex(example.hex);
        for (std::size_t length = 0; length < bytes.size(); ++length) {
            ByteReader reader(ByteView(bytes).first(length));
            EXPECT_EQ(decode_varint(reader), std::nullopt) << example.hex << " cut to " << length;
            EXPECT_EQ(reader.consumed(), 0u);
        }
    }
}

TEST(Varint, EncodesWithAGivenLength) {
    std::uint8_t buffer[16];
    ByteWriter writer(buffer);
    EXPECT_TRUE(encode_varint(writer, 37, 1));
    EXPECT_TRUE(encode_varint(writer, 37, 2));
    EXPECT_TRUE(encode_varint(writer, 37, 4));
    EXPECT_TRUE(encode_varint(writer, 37, 8));
    EXPECT_EQ(to_hex(writer.written_bytes()), "25402580000025c000000000000025");
}

TEST(Varint, RefusesWhatCannotBeWritten) {
    std::uint8_t buffer[8];
    ByteWriter writer(buffer);
    EXPECT_FALSE(encode_varint(writer, kMaxVarint + 1));
    EXPECT_FALSE(encode_varint(writer, UINT64_MAX, 8));
    EXPECT_FALSE(encode_varint(writer, 64, 1));
    EXPECT_FALSE(encode_varint(writer, 16'384, 2));
    EXPECT_FALSE(encode_varint(writer, 1, 3));
    EXPECT_EQ(writer.written(), 0u);
    ByteWriter narrow(Bytes(buffer, 3));
    EXPECT_FALSE(encode_varint(narrow, 16'384));
    EXPECT_EQ(narrow.written(), 0u);
}

}  // namespace
}  // namespace stoq::wire
