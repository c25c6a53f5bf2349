// Packet numbers as they travel: the low 1 to 4 bytes (RFC 9000 section 17.1 and appendix A).
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/packet_number.h"

namespace stoq::wire {

inline constexpr std::size_t kMaxPacketNumberLength = 4;

// How many bytes (1 to 4) let the peer recover `full`, given the largest number that it is known
// to have acknowledged, which must be smaller (appendix A.2).
constexpr std::size_t packet_number_length(PacketNumber full,
                                           std::optional<PacketNumber> largest_acknowledged) {
    //= 9000-17.1-1
    //= 9000-17.1-2
    const std::uint64_t unacknowledged =
        largest_acknowledged ? full.value() - largest_acknowledged->value() : full.value() + 1;
    if (unacknowledged < (1u << 7)) return 1;
    if (unacknowledged < (1u << 15)) return 2;
    if (unacknowledged < (1u << 23)) return 3;
    return 4;
}

// The number whose low `length` bytes are `truncated` and that lies closest to `expected`, which is
// one more than the largest number received so far, or 0 (appendix A.3).
constexpr PacketNumber expand_packet_number(std::uint64_t truncated, std::size_t length,
                                            std::uint64_t expected) {
    const std::uint64_t window = std::uint64_t{1} << (8 * length);
    const std::uint64_t half = window / 2;
    const std::uint64_t candidate = (expected & ~(window - 1)) | truncated;
    if (candidate + half <= expected && candidate < (std::uint64_t{1} << 62) - window) {
        return PacketNumber(candidate + window);
    }
    if (candidate > expected + half && candidate >= window) return PacketNumber(candidate - window);
    return PacketNumber(candidate);
}

// The low `length` bytes (1 to 4), most significant first, at memory known to be large enough.
constexpr std::uint32_t load_packet_number(const std::uint8_t* from, std::size_t length) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < length; ++i) value = (value << 8) | from[i];
    return value;
}

constexpr void store_packet_number(std::uint8_t* to, PacketNumber number, std::size_t length) {
    for (std::size_t i = 0; i < length; ++i) {
        to[i] = static_cast<std::uint8_t>(number.value() >> (8 * (length - 1 - i)));
    }
}

inline std::optional<std::uint32_t> decode_packet_number(ByteReader& reader, std::size_t length) {
    const auto bytes = reader.read_bytes(length);
    if (!bytes) return std::nullopt;
    return load_packet_number(bytes->data(), length);
}

inline bool encode_packet_number(ByteWriter& writer, PacketNumber number, std::size_t length) {
    const auto room = writer.reserve(length);
    if (!room) return false;
    store_packet_number(room->data(), number, length);
    return true;
}

}  // namespace stoq::wire
