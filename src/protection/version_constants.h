// What a QUIC version fixes for packet protection: salt, labels and the keys of its Retry packets.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace stoq::protection {

struct KeyLabels {
    std::string_view key;
    std::string_view iv;
    std::string_view header_protection;
    std::string_view key_update;
};

struct VersionConstants {
    std::uint32_t version;
    std::array<std::uint8_t, 20> initial_salt;
    KeyLabels labels;
    std::array<std::uint8_t, 16> retry_key;
    std::array<std::uint8_t, 12> retry_nonce;
};

// RFC 9001 section 5.1, 5.2, 5.8.
inline constexpr VersionConstants kQuicVersion1 = {
    .version = 0x00000001,
    .initial_salt = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                     0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
    .labels = {"quic key", "quic iv", "quic hp", "quic ku"},
    .retry_key = {0xbe, 0x0c, 0x69, 0x0b, 0x9f, 0x66, 0x57, 0x5a, 0x1d, 0x76, 0x6b, 0x54, 0xe3,
                  0x68, 0xc8, 0x4e},
    .retry_nonce = {0x46, 0x15, 0x99, 0xd3, 0x5d, 0x63, 0x2b, 0xf2, 0x23, 0x98, 0x25, 0xbb},
};

// The constants of a version that this library speaks; asking for another is a bug (checked).
const VersionConstants& constants_of(std::uint32_t version);

}  // namespace stoq::protection
