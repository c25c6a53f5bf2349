// Where header protection hides what (RFC 9001 section 5.4.1). Applying it twice removes it.
#pragma once

#include "crypto/aead.h"
#include "wire/packet_header.h"

namespace stoq::protection {

// The sample begins this many bytes behind the packet number's first byte, however long the number
// is: a receiver does not know yet (RFC 9001 section 5.4.2).
inline constexpr std::size_t kSampleDistance = 4;

inline void apply_mask_to_first_byte(std::uint8_t& first_byte, const crypto::HeaderMask& mask) {
    constexpr unsigned kLongHeader = wire::kLongReservedBits | wire::kPacketNumberLengthBits;
    constexpr unsigned kShortHeader =
        wire::kShortReservedBits | wire::kKeyPhaseBit | wire::kPacketNumberLengthBits;
    const unsigned bits = wire::has_long_header(first_byte) ? kLongHeader : kShortHeader;
    first_byte = static_cast<std::uint8_t>(first_byte ^ (mask[0] & bits));
}

inline void apply_mask_to_number(std::uint8_t* number, std::size_t length,
                                 const crypto::HeaderMask& mask) {
    for (std::size_t i = 0; i < length; ++i) number[i] ^= mask[i + 1];
}

}  // namespace stoq::protection
