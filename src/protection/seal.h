// Sealing: from an encoded header and frames to the bytes that go on the wire (RFC 9001 section 5.3
// and 5.4), in place and many packets a call.
#pragma once

#include <span>

#include "base/packet_number.h"
#include "protection/packet_keys.h"

namespace stoq::protection {

// The packet's bytes begin with its complete header, in the clear; frames follow up to
// `plaintext_end`, and 16 bytes of room for the tag behind them. The last `elsewhere.size()` bytes
// of the frames may lie elsewhere: sealing brings them into the packet.
struct PacketToSeal {
    std::uint8_t* packet;
    std::uint32_t packet_number_offset;  // from the packet's first byte
    std::uint32_t plaintext_end;         // from the packet's first byte
    std::uint8_t packet_number_length;   // 1 to 4, as the header's first byte says
    PacketNumber packet_number;
    ByteView elsewhere{};
};

// Frames must be padded so that packet number and frames have together at least this many bytes:
// otherwise the sample for header protection would reach past the tag (RFC 9001 section 5.4.2).
inline constexpr std::uint32_t kLeastProtectedSize = 4;

// Seals a whole train. Too little padding is a bug (checked).
void seal(PayloadKeys& payload, crypto::HeaderMasker& header,
          std::span<const PacketToSeal> packets);

inline void seal(PacketKeys& keys, std::span<const PacketToSeal> packets) {
    seal(keys.payload, *keys.header, packets);
}

}  // namespace stoq::protection
