// The kinds of packets, and which of them carry frames.
#pragma once

#include <cstdint>

#include "base/packet_number.h"

namespace stoq::wire {

enum class PacketType : std::uint8_t {
    kInitial,
    kZeroRtt,
    kHandshake,
    kRetry,
    kVersionNegotiation,
    kOneRtt,
};

// Only for the four types that carry frames.
constexpr EncryptionLevel level_of(PacketType type) {
    switch (type) {
        case PacketType::kInitial: return EncryptionLevel::kInitial;
        case PacketType::kZeroRtt: return EncryptionLevel::kZeroRtt;
        case PacketType::kHandshake: return EncryptionLevel::kHandshake;
        case PacketType::kRetry:
        case PacketType::kVersionNegotiation:
        case PacketType::kOneRtt: break;
    }
    return EncryptionLevel::kOneRtt;
}

constexpr PacketType packet_type_of(EncryptionLevel level) {
    switch (level) {
        case EncryptionLevel::kInitial: return PacketType::kInitial;
        case EncryptionLevel::kZeroRtt: return PacketType::kZeroRtt;
        case EncryptionLevel::kHandshake: return PacketType::kHandshake;
        case EncryptionLevel::kOneRtt: break;
    }
    return PacketType::kOneRtt;
}

}  // namespace stoq::wire
