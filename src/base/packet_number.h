// PacketNumber: 0 to 2^62-1 within one packet number space (RFC 9000 section 12.3).
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace stoq {

class PacketNumber {
public:
    constexpr PacketNumber() = default;
    explicit constexpr PacketNumber(std::uint64_t value) : value_(value) {}

    constexpr std::uint64_t value() const { return value_; }
    constexpr PacketNumber next() const { return PacketNumber(value_ + 1); }

    friend constexpr auto operator<=>(PacketNumber, PacketNumber) = default;

private:
    std::uint64_t value_ = 0;
};

// The three packet number spaces. 0-RTT and 1-RTT packets share the last one.
enum class PacketNumberSpace : std::uint8_t { kInitial, kHandshake, kApplication };
inline constexpr std::size_t kPacketNumberSpaceCount = 3;

constexpr std::size_t index_of(PacketNumberSpace space) {
    return static_cast<std::size_t>(space);
}

// The four encryption levels of RFC 9001 section 2.1, in the order in which they come to be.
enum class EncryptionLevel : std::uint8_t { kInitial, kZeroRtt, kHandshake, kOneRtt };
inline constexpr std::size_t kEncryptionLevelCount = 4;

constexpr std::size_t index_of(EncryptionLevel level) {
    return static_cast<std::size_t>(level);
}

constexpr PacketNumberSpace space_of(EncryptionLevel level) {
    switch (level) {
        case EncryptionLevel::kInitial: return PacketNumberSpace::kInitial;
        case EncryptionLevel::kHandshake: return PacketNumberSpace::kHandshake;
        case EncryptionLevel::kZeroRtt:
        case EncryptionLevel::kOneRtt: break;
    }
    return PacketNumberSpace::kApplication;
}

}  // namespace stoq
