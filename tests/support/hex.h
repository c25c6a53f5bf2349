// Bytes as hexadecimal text, for tests and their tables.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stoq/types.h"

namespace stoq::test {

// Spaces are ignored; anything else that is no digit counts as zero, so check the spelling.
inline std::vector<std::uint8_t> from_hex(std::string_view text) {
    std::vector<std::uint8_t> bytes;
    unsigned digits = 0;
    unsigned value = 0;
    for (const char c : text) {
        if (c == ' ' || c == '\n') continue;
        const char lower = static_cast<char>(c | 0x20);
        const int digit = c <= '9' ? c - '0' : lower - 'a' + 10;
        value = value * 16 + (digit >= 0 && digit < 16 ? static_cast<unsigned>(digit) : 0u);
        if (++digits % 2 == 0) {
            bytes.push_back(static_cast<std::uint8_t>(value));
            value = 0;
        }
    }
    return bytes;
}

inline std::string to_hex(ByteView bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

}  // namespace stoq::test
