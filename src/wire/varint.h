// Variable-length integers (RFC 9000 section 16): the two high bits of the first byte tell the
// length, 1, 2, 4 or 8 bytes; the value has 62 bits at most.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "stoq/types.h"

namespace stoq::wire {

inline constexpr std::uint64_t kMaxVarint = (std::uint64_t{1} << 62) - 1;

// The shortest length that holds `value`, which must not exceed kMaxVarint.
constexpr std::size_t varint_length(std::uint64_t value) {
    if (value < (1u << 6)) return 1;
    if (value < (1u << 14)) return 2;
    if (value < (1u << 30)) return 4;
    return 8;
}

namespace detail {

// Near the end of the buffer, where eight bytes cannot be loaded at once.
inline std::optional<std::uint64_t> decode_varint_near_end(ByteReader& reader) {
    if (reader.empty()) return std::nullopt;
    const std::size_t length = std::size_t{1} << (*reader.position() >> 6);
    const auto bytes = reader.read_bytes(length);
    if (!bytes) return std::nullopt;
    std::uint64_t value = (*bytes)[0] & 0x3f;
    for (std::size_t i = 1; i < length; ++i) value = (value << 8) | (*bytes)[i];
    return value;
}

}  // namespace detail

// Nothing, and no move, when the integer reaches past the end. Any of the four lengths is
// accepted for any value; only frame types must be minimal (see decode_frame).
inline std::optional<std::uint64_t> decode_varint(ByteReader& reader) {
    if (reader.remaining() < sizeof(std::uint64_t)) [[unlikely]] {
        return detail::decode_varint_near_end(reader);
    }
    const auto word = load_big_endian<std::uint64_t>(reader.position());
    const unsigned length = 1u << (word >> 62);
    static_cast<void>(reader.read_bytes(length));
    return (word & kMaxVarint) >> (64 - 8 * length);
}

// With a given length of 1, 2, 4 or 8 bytes. False, and nothing written, when the value needs more
// or the room is too small.
inline bool encode_varint(ByteWriter& writer, std::uint64_t value, std::size_t length) {
    if (value > kMaxVarint || varint_length(value) > length) return false;
    switch (length) {
        case 1: return writer.write(static_cast<std::uint8_t>(value));
        case 2: return writer.write(static_cast<std::uint16_t>(value | 0x4000));
        case 4: return writer.write(static_cast<std::uint32_t>(value | 0x8000'0000));
        case 8: return writer.write(value | 0xc000'0000'0000'0000);
        default: return false;
    }
}

inline bool encode_varint(ByteWriter& writer, std::uint64_t value) {
    return encode_varint(writer, value, varint_length(value));
}

}  // namespace stoq::wire
