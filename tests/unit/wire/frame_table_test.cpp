#include "wire/frame_table.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace stoq::wire {
namespace {

// RFC 9000 Table 3 once more, as text: permitted packets, and the letters N, C, P of column "Spec".
struct Row {
    std::uint64_t type;
    const char* name;
    const char* packets;
    const char* spec;
};

constexpr Row kTable[] = {
    {0x00, "PADDING", "IH01", "NP"},
    {0x01, "PING", "IH01", ""},
    {0x02, "ACK", "IH_1", "NC"},
    {0x03, "ACK", "IH_1", "NC"},
    {0x04, "RESET_STREAM", "__01", ""},
    {0x05, "STOP_SENDING", "__01", ""},
    {0x06, "CRYPTO", "IH_1", ""},
    {0x07, "NEW_TOKEN", "___1", ""},
    {0x08, "STREAM", "__01", ""},
    {0x09, "STREAM", "__01", ""},
    {0x0a, "STREAM", "__01", ""},
    {0x0b, "STREAM", "__01", ""},
    {0x0c, "STREAM", "__01", ""},
    {0x0d, "STREAM", "__01", ""},
    {0x0e, "STREAM", "__01", ""},
    {0x0f, "STREAM", "__01", ""},
    {0x10, "MAX_DATA", "__01", ""},
    {0x11, "MAX_STREAM_DATA", "__01", ""},
    {0x12, "MAX_STREAMS", "__01", ""},
    {0x13, "MAX_STREAMS", "__01", ""},
    {0x14, "DATA_BLOCKED", "__01", ""},
    {0x15, "STREAM_DATA_BLOCKED", "__01", ""},
    {0x16, "STREAMS_BLOCKED", "__01", ""},
    {0x17, "STREAMS_BLOCKED", "__01", ""},
    {0x18, "NEW_CONNECTION_ID", "__01", "P"},
    {0x19, "RETIRE_CONNECTION_ID", "___1", ""},  // section 12.5 takes 0-RTT away again
    {0x1a, "PATH_CHALLENGE", "__01", "P"},
    {0x1b, "PATH_RESPONSE", "___1", "P"},
    {0x1c, "CONNECTION_CLOSE", "IH01", "N"},
    {0x1d, "CONNECTION_CLOSE", "__01", "N"},
    {0x1e, "HANDSHAKE_DONE", "___1", ""},
    // Extensions: RFC 9221, draft-ietf-quic-ack-frequency and
    // draft-ietf-quic-reliable-stream-reset.
    {0x1f, "IMMEDIATE_ACK", "___1", ""},
    {0xaf, "ACK_FREQUENCY", "___1", ""},
    {0x24, "RESET_STREAM_AT", "__01", ""},
    {0x30, "DATAGRAM", "__01", ""},
    {0x31, "DATAGRAM", "__01", ""},
};

std::string packets_of(const FrameRule& rule) {
    std::string text;
    text += rule.allowed_in(PacketType::kInitial) ? 'I' : '_';
    text += rule.allowed_in(PacketType::kHandshake) ? 'H' : '_';
    text += rule.allowed_in(PacketType::kZeroRtt) ? '0' : '_';
    text += rule.allowed_in(PacketType::kOneRtt) ? '1' : '_';
    return text;
}

std::string spec_of(const FrameRule& rule) {
    std::string text;
    if (!rule.ack_eliciting) text += 'N';
    if (!rule.congestion_controlled) text += 'C';
    if (rule.probing) text += 'P';
    return text;
}

//= test 9000-12.5-1
//= test 9000-12.5-2
//= test 9000-12.5-3
//= test 9000-12.5-4
//= test 9000-12.5-5
//= test 9000-12.5-6
//= test 9000-19.21-3
//= test 9221-5-3
//= test 9221-6-1
TEST(FrameTable, SaysWhatTheStandardSays) {
    for (const Row& row : kTable) {
        const FrameRule* rule = find_frame_rule(row.type);
        ASSERT_NE(rule, nullptr) << row.type;
        EXPECT_EQ(rule->name, row.name);
        EXPECT_EQ(packets_of(*rule), row.packets) << row.name;
        EXPECT_EQ(spec_of(*rule), row.spec) << row.name;
        EXPECT_FALSE(rule->allowed_in(PacketType::kRetry));
        EXPECT_FALSE(rule->allowed_in(PacketType::kVersionNegotiation));
        EXPECT_EQ(rule->server_only, row.type == 0x07 || row.type == 0x1e) << row.name;
    }
}

TEST(FrameTable, HasNothingElse) {
    for (std::uint64_t type = 0; type < 0x1'0000; ++type) {
        const bool listed =
            std::ranges::any_of(kTable, [type](const Row& row) { return row.type == type; });
        EXPECT_EQ(find_frame_rule(type) != nullptr, listed) << type;
    }
    for (std::uint64_t type : {0x4000'0000ull, 0x3fff'ffff'ffff'ffffull}) {
        EXPECT_EQ(find_frame_rule(type), nullptr) << type;
    }
}

TEST(FrameTable, IsSortedAndWithoutOverlap) {
    for (std::size_t i = 0; i < kFrameRules.size(); ++i) {
        EXPECT_LE(kFrameRules[i].first_type, kFrameRules[i].last_type);
        if (i > 0) {
            EXPECT_LT(kFrameRules[i - 1].last_type, kFrameRules[i].first_type);
        }
    }
}

}  // namespace
}  // namespace stoq::wire
