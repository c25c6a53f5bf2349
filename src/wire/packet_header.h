// Packet headers (RFC 9000 section 17), before protection is removed and before it is applied.
//
// Nothing here was authenticated: the only failure is a DropReason.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "base/bytes.h"
#include "base/check.h"
#include "base/drop_reason.h"
#include "base/packet_number.h"
#include "stoq/error.h"
#include "wire/connection_id.h"
#include "wire/packet_number_codec.h"
#include "wire/packet_type.h"
#include "wire/retry_packet.h"
#include "wire/version.h"
#include "wire/version_negotiation.h"

namespace stoq::wire {

inline constexpr std::uint8_t kHeaderFormBit = 0x80;
inline constexpr std::uint8_t kFixedBit = 0x40;
inline constexpr std::uint8_t kSpinBit = 0x20;
inline constexpr std::uint8_t kLongReservedBits = 0x0c;
inline constexpr std::uint8_t kShortReservedBits = 0x18;
inline constexpr std::uint8_t kKeyPhaseBit = 0x04;
inline constexpr std::uint8_t kPacketNumberLengthBits = 0x03;

constexpr bool has_long_header(std::uint8_t first_byte) {
    return (first_byte & kHeaderFormBit) != 0;
}

// Whether packets with a cleared fixed bit are dropped, or were invited by grease_quic_bit
// (RFC 9287).
enum class FixedBit : std::uint8_t { kRequired, kMayBeClear };

// A packet whose protection must be removed: Initial, 0-RTT, Handshake or 1-RTT.
struct ProtectedPacket {
    PacketType type = PacketType::kOneRtt;
    std::uint32_t version = 0;  // 0 in a 1-RTT packet, which does not tell
    ConnectionId destination;
    ConnectionId source;  // empty in a 1-RTT packet
    ByteView token;       // Initial only
    Bytes bytes;          // the whole packet, from its first byte to the end of its AEAD tag
    std::size_t packet_number_offset = 0;
};

using ReceivedPacket =
    std::variant<ProtectedPacket, VersionNegotiationPacket, RetryPacket, UnsupportedVersionPacket>;

namespace detail {

// One return, of a local: built where the caller wants it, because moving it there would cost more
// than all the rest. (And `type` is an argument so that the compiler does not take the packet for a
// constant, to be copied from a block of zeros.)
inline Result<ProtectedPacket, DropReason> short_header_packet(PacketType type, Bytes rest,
                                                               std::size_t connection_id_length) {
    Result<ProtectedPacket, DropReason> packet(std::in_place, type);
    packet->destination.assign(rest.subspan(1, connection_id_length));
    packet->bytes = rest;
    packet->packet_number_offset = 1 + connection_id_length;
    return packet;
}

}  // namespace detail

// Why a datagram, known not to begin with a long header, is no short header packet; kNone if it is.
inline DropReason check_short_header(ByteView datagram, std::size_t connection_id_length,
                                     FixedBit fixed_bit = FixedBit::kRequired) {
    if (datagram.size() <= connection_id_length) return DropReason::kTruncated;
    //= 9000-17.3.1-1
    //= 9287-3-2
    if ((datagram[0] & kFixedBit) == 0 && fixed_bit == FixedBit::kRequired) {
        return DropReason::kFixedBitClear;
    }
    if (connection_id_length > kMaxConnectionIdLength) return DropReason::kBadConnectionIdLength;
    return DropReason::kNone;
}

// A short header packet always takes the whole rest of its datagram.
inline Result<ProtectedPacket, DropReason> decode_short_header(
    Bytes rest, std::size_t connection_id_length, FixedBit fixed_bit = FixedBit::kRequired) {
    const DropReason reason = check_short_header(rest, connection_id_length, fixed_bit);
    if (reason != DropReason::kNone) return std::unexpected(reason);
    return detail::short_header_packet(PacketType::kOneRtt, rest, connection_id_length);
}

// The next packet of a datagram of which `rest` is left. A caller loops while bytes are left: a
// ProtectedPacket takes `bytes.size()` of them; the other kinds, and every error, take all, because
// nothing tells where the next packet would begin. `connection_id_length` is that of our own IDs.
Result<ReceivedPacket, DropReason> decode_packet(Bytes rest, std::size_t connection_id_length,
                                                 FixedBit fixed_bit = FixedBit::kRequired);

// The Destination Connection ID by the invariants of RFC 8999 alone, to find the connection that a
// datagram belongs to. Up to 255 bytes in a long header.
inline std::optional<ByteView> peek_destination_connection_id(ByteView datagram,
                                                              std::size_t connection_id_length) {
    if (datagram.empty()) return std::nullopt;
    std::size_t offset = 1;
    if (has_long_header(datagram[0])) {
        constexpr std::size_t kLengthOffset = 5;
        if (datagram.size() <= kLengthOffset) return std::nullopt;
        connection_id_length = datagram[kLengthOffset];
        offset = kLengthOffset + 1;
    }
    if (datagram.size() < offset + connection_id_length) return std::nullopt;
    return datagram.subspan(offset, connection_id_length);
}

// What a long header packet with a packet number begins with. The token only goes into Initials.
struct LongHeader {
    PacketType type = PacketType::kInitial;
    std::uint32_t version = kVersion1;
    ConnectionId destination;
    ConnectionId source;
    ByteView token;
    bool fixed_bit = true;
};

// Offsets from the first byte of the packet.
struct LongHeaderLayout {
    std::size_t length_field_offset = 0;
    std::size_t packet_number_offset = 0;
};

// Nothing, and nothing written, when it does not fit. The Length field takes two bytes, to be
// filled by patch_length when the packet is complete.
std::optional<LongHeaderLayout> encode_long_header(ByteWriter& writer, const LongHeader& header,
                                                   PacketNumber packet_number,
                                                   std::size_t packet_number_length);

// The largest value of the two-byte Length field.
inline constexpr std::size_t kMaxLongPacketLength = (1u << 14) - 1;

// `length` counts from the packet number to the end of the packet, AEAD tag included; at most
// kMaxLongPacketLength.
void patch_length(Bytes packet, const LongHeaderLayout& layout, std::size_t length);

struct ShortHeader {
    ConnectionId destination;
    bool spin = false;
    bool key_phase = false;
    bool fixed_bit = true;
};

// The offset of the packet number from the first byte of the packet. Nothing, and nothing written,
// when it does not fit.
inline std::optional<std::size_t> encode_short_header(ByteWriter& writer, const ShortHeader& header,
                                                      PacketNumber packet_number,
                                                      std::size_t packet_number_length) {
    STOQ_CHECK(packet_number_length >= 1 && packet_number_length <= kMaxPacketNumberLength);
    const ByteView id = header.destination.view();
    const auto room = writer.reserve(1 + id.size() + packet_number_length);
    if (!room) return std::nullopt;
    // The reserved bits stay zero until the packet is protected.
    //= 9000-17.3.1-2
    (*room)[0] = static_cast<std::uint8_t>(
        (header.fixed_bit ? kFixedBit : 0) | (header.spin ? kSpinBit : 0) |
        (header.key_phase ? kKeyPhaseBit : 0) | (packet_number_length - 1));
    detail::copy_connection_id(room->data() + 1, id.data(), id.size());
    store_packet_number(room->data() + 1 + id.size(), packet_number, packet_number_length);
    return 1 + id.size();
}

}  // namespace stoq::wire
