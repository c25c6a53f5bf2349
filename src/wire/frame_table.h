// RFC 9000 Table 3 as data: which frame may travel in which packet, and what it counts for.
//
// Everything that asks "may this frame be here", "must it be acknowledged" or "is this packet
// probing" looks here; there is no second place. Extensions add rows behind the RFC's.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "wire/packet_type.h"

namespace stoq::wire {

namespace frame_type {
inline constexpr std::uint64_t kPadding = 0x00;
inline constexpr std::uint64_t kPing = 0x01;
inline constexpr std::uint64_t kAck = 0x02;
inline constexpr std::uint64_t kAckEcn = 0x03;
inline constexpr std::uint64_t kResetStream = 0x04;
inline constexpr std::uint64_t kStopSending = 0x05;
inline constexpr std::uint64_t kCrypto = 0x06;
inline constexpr std::uint64_t kNewToken = 0x07;
inline constexpr std::uint64_t kStream = 0x08;
inline constexpr std::uint64_t kStreamLast = 0x0f;
inline constexpr std::uint64_t kMaxData = 0x10;
inline constexpr std::uint64_t kMaxStreamData = 0x11;
inline constexpr std::uint64_t kMaxStreamsBidirectional = 0x12;
inline constexpr std::uint64_t kMaxStreamsUnidirectional = 0x13;
inline constexpr std::uint64_t kDataBlocked = 0x14;
inline constexpr std::uint64_t kStreamDataBlocked = 0x15;
inline constexpr std::uint64_t kStreamsBlockedBidirectional = 0x16;
inline constexpr std::uint64_t kStreamsBlockedUnidirectional = 0x17;
inline constexpr std::uint64_t kNewConnectionId = 0x18;
inline constexpr std::uint64_t kRetireConnectionId = 0x19;
inline constexpr std::uint64_t kPathChallenge = 0x1a;
inline constexpr std::uint64_t kPathResponse = 0x1b;
inline constexpr std::uint64_t kConnectionClose = 0x1c;
inline constexpr std::uint64_t kConnectionCloseApplication = 0x1d;
inline constexpr std::uint64_t kHandshakeDone = 0x1e;
inline constexpr std::uint64_t kImmediateAck = 0x1f;
inline constexpr std::uint64_t kResetStreamAt = 0x24;
inline constexpr std::uint64_t kDatagram = 0x30;
inline constexpr std::uint64_t kDatagramWithLength = 0x31;
inline constexpr std::uint64_t kAckFrequency = 0xaf;
}  // namespace frame_type

// The low three bits of a STREAM frame's type.
inline constexpr std::uint64_t kStreamFinBit = 0x01;
inline constexpr std::uint64_t kStreamLengthBit = 0x02;
inline constexpr std::uint64_t kStreamOffsetBit = 0x04;

constexpr std::uint8_t packet_mask(PacketType type) {
    return static_cast<std::uint8_t>(1u << static_cast<unsigned>(type));
}

struct FrameRule {
    std::uint64_t first_type;
    std::uint64_t last_type;
    std::uint8_t allowed_packets;  // packet_mask of each
    bool ack_eliciting;            // false: column "N"
    bool congestion_controlled;    // false: column "C"
    bool probing;                  // column "P"
    bool server_only;              // a client never sends it
    std::string_view name;

    constexpr bool allowed_in(PacketType type) const {
        return (allowed_packets & packet_mask(type)) != 0;
    }
};

namespace detail {
inline constexpr std::uint8_t kI = packet_mask(PacketType::kInitial);
inline constexpr std::uint8_t kH = packet_mask(PacketType::kHandshake);
inline constexpr std::uint8_t k0 = packet_mask(PacketType::kZeroRtt);
inline constexpr std::uint8_t k1 = packet_mask(PacketType::kOneRtt);
}  // namespace detail

// Sorted by type. Types below 0x40 are found by index, the others by search.
// clang-format off
//= 9000-12.5-1
//= 9000-12.5-2
//= 9000-12.5-3
//= 9000-12.5-4
//= 9000-12.5-5
//= 9000-12.5-6
inline constexpr std::array kFrameRules{
    //        first last  permitted packets                                      ack    cc     probe  server name
    FrameRule{0x00, 0x00, detail::kI | detail::kH | detail::k0 | detail::k1,     false, true,  true,  false, "PADDING"},
    FrameRule{0x01, 0x01, detail::kI | detail::kH | detail::k0 | detail::k1,     true,  true,  false, false, "PING"},
    FrameRule{0x02, 0x03, detail::kI | detail::kH | detail::k1,                  false, false, false, false, "ACK"},
    FrameRule{0x04, 0x04, detail::k0 | detail::k1,                               true,  true,  false, false, "RESET_STREAM"},
    FrameRule{0x05, 0x05, detail::k0 | detail::k1,                               true,  true,  false, false, "STOP_SENDING"},
    FrameRule{0x06, 0x06, detail::kI | detail::kH | detail::k1,                  true,  true,  false, false, "CRYPTO"},
    FrameRule{0x07, 0x07, detail::k1,                                            true,  true,  false, true,  "NEW_TOKEN"},
    FrameRule{0x08, 0x0f, detail::k0 | detail::k1,                               true,  true,  false, false, "STREAM"},
    FrameRule{0x10, 0x10, detail::k0 | detail::k1,                               true,  true,  false, false, "MAX_DATA"},
    FrameRule{0x11, 0x11, detail::k0 | detail::k1,                               true,  true,  false, false, "MAX_STREAM_DATA"},
    FrameRule{0x12, 0x13, detail::k0 | detail::k1,                               true,  true,  false, false, "MAX_STREAMS"},
    FrameRule{0x14, 0x14, detail::k0 | detail::k1,                               true,  true,  false, false, "DATA_BLOCKED"},
    FrameRule{0x15, 0x15, detail::k0 | detail::k1,                               true,  true,  false, false, "STREAM_DATA_BLOCKED"},
    FrameRule{0x16, 0x17, detail::k0 | detail::k1,                               true,  true,  false, false, "STREAMS_BLOCKED"},
    FrameRule{0x18, 0x18, detail::k0 | detail::k1,                               true,  true,  true,  false, "NEW_CONNECTION_ID"},
    // Table 3 lists 0-RTT as well, but no client can know an ID to retire that early (12.5).
    FrameRule{0x19, 0x19, detail::k1,                                            true,  true,  false, false, "RETIRE_CONNECTION_ID"},
    FrameRule{0x1a, 0x1a, detail::k0 | detail::k1,                               true,  true,  true,  false, "PATH_CHALLENGE"},
    FrameRule{0x1b, 0x1b, detail::k1,                                            true,  true,  true,  false, "PATH_RESPONSE"},
    FrameRule{0x1c, 0x1c, detail::kI | detail::kH | detail::k0 | detail::k1,     false, true,  false, false, "CONNECTION_CLOSE"},
    FrameRule{0x1d, 0x1d, detail::k0 | detail::k1,                               false, true,  false, false, "CONNECTION_CLOSE"},
    FrameRule{0x1e, 0x1e, detail::k1,                                            true,  true,  false, true,  "HANDSHAKE_DONE"},
    // min_ack_delay is not remembered, so neither it nor ACK_FREQUENCY goes into 0-RTT packets.
    FrameRule{0x1f, 0x1f, detail::k1,                                            true,  true,  false, false, "IMMEDIATE_ACK"},
    FrameRule{0x24, 0x24, detail::k0 | detail::k1,                               true,  true,  false, false, "RESET_STREAM_AT"},
    //= 9000-19.21-3
    //= 9221-5-3
    //= 9221-6-1
    FrameRule{0x30, 0x31, detail::k0 | detail::k1,                               true,  true,  false, false, "DATAGRAM"},
    FrameRule{0xaf, 0xaf, detail::k1,                                            true,  true,  false, false, "ACK_FREQUENCY"},
};
// clang-format on

namespace detail {

inline constexpr std::size_t kDirectTypes = 0x40;  // one-byte types
inline constexpr std::uint8_t kNoRule = 0xff;

constexpr std::array<std::uint8_t, kDirectTypes> index_frame_rules() {
    std::array<std::uint8_t, kDirectTypes> index{};
    index.fill(kNoRule);
    for (std::size_t i = 0; i < kFrameRules.size(); ++i) {
        const FrameRule& rule = kFrameRules[i];
        for (auto type = rule.first_type; type <= rule.last_type && type < kDirectTypes; ++type) {
            index[type] = static_cast<std::uint8_t>(i);
        }
    }
    return index;
}

inline constexpr auto kFrameRuleIndex = index_frame_rules();

}  // namespace detail

// Null when the type is unknown.
constexpr const FrameRule* find_frame_rule(std::uint64_t type) {
    if (type < detail::kDirectTypes) [[likely]] {
        const std::uint8_t at = detail::kFrameRuleIndex[type];
        return at == detail::kNoRule ? nullptr : &kFrameRules[at];
    }
    std::size_t low = 0;
    std::size_t high = kFrameRules.size();
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (kFrameRules[middle].last_type < type) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const bool found = low < kFrameRules.size() && kFrameRules[low].first_type <= type;
    return found ? &kFrameRules[low] : nullptr;
}

}  // namespace stoq::wire
