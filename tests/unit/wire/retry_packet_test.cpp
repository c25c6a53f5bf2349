#include "wire/retry_packet.h"

#include <gtest/gtest.h>

#include "support/hex.h"
#include "wire/packet_header.h"

namespace stoq::wire {
namespace {

using test::from_hex;
using test::to_hex;

// RFC 9001 appendix A.4: token "token", no destination connection ID.
constexpr const char* kExample =
    "ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba";

TEST(Retry, DecodesTheExampleOfTheStandard) {
    auto bytes = from_hex(kExample);
    const auto decoded = decode_packet(bytes, 8);
    ASSERT_TRUE(decoded);
    const auto* retry = std::get_if<RetryPacket>(&*decoded);
    ASSERT_NE(retry, nullptr);
    EXPECT_EQ(retry->version, kVersion1);
    EXPECT_TRUE(retry->destination.empty());
    EXPECT_EQ(to_hex(retry->source.view()), "f067a5502a4262b5");
    EXPECT_EQ(to_hex(retry->token), to_hex(from_hex("746f6b656e")));
    EXPECT_EQ(to_hex(retry->integrity_tag), "04a265ba2eff4d829058fb3f0f2496ba");
    EXPECT_EQ(to_hex(retry->without_tag), std::string(kExample).substr(0, 40));
}

TEST(Retry, EncodesTheExampleOfTheStandard) {
    const auto source = from_hex("f067a5502a4262b5");
    const auto token = from_hex("746f6b656e");
    std::uint8_t buffer[64];
    ByteWriter writer(buffer);
    ASSERT_TRUE(encode_retry_without_tag(
        writer, {kVersion1, ConnectionId(), *ConnectionId::from(source), token, 0x0f}));
    EXPECT_EQ(to_hex(writer.written_bytes()), std::string(kExample).substr(0, 40));
}

//= test 9000-17.2.5-1
TEST(Retry, UnusedBitsAreIgnored) {
    for (unsigned bits = 0; bits < 16; ++bits) {
        auto bytes = from_hex(kExample);
        bytes[0] = static_cast<std::uint8_t>(0xf0 | bits);
        EXPECT_TRUE(decode_packet(bytes, 8)) << bits;
    }
}

//= test 9000-17.2.5.2-4
TEST(Retry, WithoutATokenIsDropped) {
    auto bytes = from_hex("ff000000010008f067a5502a4262b5 04a265ba2eff4d829058fb3f0f2496ba");
    const auto decoded = decode_packet(bytes, 8);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error(), DropReason::kBadToken);
}

TEST(Retry, ShorterThanItsTagIsDropped) {
    const auto bytes = from_hex(kExample);
    for (std::size_t length = 1; length < 15 + 16; ++length) {
        auto cut = std::vector<std::uint8_t>(bytes.begin(),
                                             bytes.begin() + static_cast<std::ptrdiff_t>(length));
        const auto decoded = decode_packet(cut, 8);
        ASSERT_FALSE(decoded) << length;
        EXPECT_EQ(decoded.error(), DropReason::kTruncated);
    }
}

TEST(Retry, NeedsRoomForTheTagAndAToken) {
    const auto token = from_hex("746f6b656e");
    std::uint8_t buffer[64];
    ByteWriter narrow(Bytes(buffer, 7 + 5 + 15));
    EXPECT_FALSE(encode_retry_without_tag(narrow, {kVersion1, {}, {}, token, 0}));
    EXPECT_EQ(narrow.written(), 0u);
    ByteWriter exact(Bytes(buffer, 7 + 5 + 16));
    EXPECT_TRUE(encode_retry_without_tag(exact, {kVersion1, {}, {}, token, 0}));
    ByteWriter writer(buffer);
    EXPECT_FALSE(encode_retry_without_tag(writer, {kVersion1, {}, {}, {}, 0}));
    EXPECT_FALSE(encode_retry_without_tag(writer, {2, {}, {}, token, 0}));
}

}  // namespace
}  // namespace stoq::wire
