// The versions of QUIC that are spoken, and what in the packet header depends on them.
#pragma once

#include <array>
#include <cstdint>

#include "wire/packet_type.h"

namespace stoq::wire {

inline constexpr std::uint32_t kVersionNegotiationVersion = 0;
inline constexpr std::uint32_t kVersion1 = 1;
inline constexpr std::uint32_t kVersion2 = 0x6b3343cf;  // RFC 9369

// One row per version.
struct VersionRule {
    std::uint32_t version;
    // The two Long Packet Type bits to packet type.
    std::array<PacketType, 4> long_types;
};

inline constexpr std::array kVersionRules{
    VersionRule{
        kVersion1,
        {PacketType::kInitial, PacketType::kZeroRtt, PacketType::kHandshake, PacketType::kRetry}},
    VersionRule{
        kVersion2,
        {PacketType::kRetry, PacketType::kInitial, PacketType::kZeroRtt, PacketType::kHandshake}},
};

// Null when the version is not spoken here.
constexpr const VersionRule* find_version(std::uint32_t version) {
    for (const VersionRule& rule : kVersionRules) {
        if (rule.version == version) return &rule;
    }
    return nullptr;
}

constexpr bool is_supported_version(std::uint32_t version) {
    return find_version(version) != nullptr;
}

// Versions of the form 0x?a?a?a?a never name a protocol; they exercise version negotiation
// (RFC 9000 section 15).
constexpr bool is_reserved_version(std::uint32_t version) {
    return (version & 0x0f0f'0f0f) == 0x0a0a'0a0a;
}

constexpr std::uint32_t reserved_version(std::uint32_t random) {
    return (random & 0xf0f0'f0f0) | 0x0a0a'0a0a;
}

constexpr PacketType long_packet_type(const VersionRule& rule, std::uint8_t first_byte) {
    return rule.long_types[(first_byte >> 4) & 0x03];
}

// The type bits in their place in the first byte (mask 0x30).
constexpr std::uint8_t long_type_bits(const VersionRule& rule, PacketType type) {
    std::uint8_t bits = 0;
    while (bits < 3 && rule.long_types[bits] != type) ++bits;
    return static_cast<std::uint8_t>(bits << 4);
}

}  // namespace stoq::wire
