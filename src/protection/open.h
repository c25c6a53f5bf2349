// Opening: from protected bytes to a packet that is known to come from the peer, in place and many
// packets a call (RFC 9001 section 5.3 and 5.4).
//
// In steps, because the keys to use are chosen by bits that header protection hides: first
// remove_header_protection() and expand_packet_numbers(), then, with the keys known, open().
// Keyring does them all.
#pragma once

#include <optional>
#include <span>

#include "base/drop_reason.h"
#include "base/packet_number.h"
#include "protection/packet_keys.h"
#include "wire/packet_header.h"

namespace stoq::protection {

struct PacketToOpen;

// A packet whose authenticity was verified. Only open() makes one, so whoever is handed it may
// trust that the peer's keys made it; for Initial packets that means little, since anybody on the
// path has those keys. Borrows the datagram.
class OpenedPacket {
public:
    // Held by open() alone.
    class Permit {
        friend void open(PayloadKeys& keys, std::span<PacketToOpen> packets);
        Permit() = default;
    };
    OpenedPacket(Permit permit, const PacketToOpen& packet);

    wire::PacketType type() const { return type_; }
    PacketNumber number() const { return number_; }
    ByteView payload() const { return payload_; }
    // Without header protection.
    std::uint8_t first_byte() const { return first_byte_; }
    // Meaningful in 1-RTT packets.
    bool key_phase() const { return (first_byte_ & wire::kKeyPhaseBit) != 0; }
    // If not, the peer broke the protocol: PROTOCOL_VIOLATION (RFC 9000 section 17.2, 17.3.1).
    bool reserved_bits_are_zero() const {
        return (first_byte_ & (wire::has_long_header(first_byte_) ? wire::kLongReservedBits
                                                                  : wire::kShortReservedBits)) == 0;
    }

private:
    ByteView payload_;
    PacketNumber number_;
    wire::PacketType type_;
    std::uint8_t first_byte_;
};

// One packet on its way. `packet` reaches from its first byte to its last, the tag included: for
// long headers as far as the Length field says, for short headers to the end of the datagram. The
// last 16 bytes are never changed, so that they can still be compared with stateless reset tokens
// when the packet does not open.
struct PacketToOpen {
    // In.
    Bytes packet;
    std::uint32_t packet_number_offset = 0;
    wire::PacketType type{};

    // Out of remove_header_protection().
    std::uint8_t packet_number_length = 0;
    std::uint32_t truncated_packet_number = 0;
    // Between the steps, by expand_packet_numbers().
    PacketNumber packet_number;

    // Out of either step: why the packet is dropped, kNone while it is not.
    DropReason drop = DropReason::kNone;
    // Out of open(): the result, absent when the packet is dropped.
    std::optional<OpenedPacket> opened;
};

inline PacketToOpen packet_to_open(const wire::ProtectedPacket& packet) {
    PacketToOpen result;
    result.packet = packet.bytes;
    result.packet_number_offset = static_cast<std::uint32_t>(packet.packet_number_offset);
    result.type = packet.type;
    return result;
}

// Drops packets that are too short for a sample (kTruncated). Leaves alone what is dropped already.
//= 9001-5.4.2-1
void remove_header_protection(crypto::HeaderMasker& header, std::span<PacketToOpen> packets);

// Recovers the full packet numbers (RFC 9000 section 17.1). `next_expected` is one above the
// largest number that was opened in this packet number space, 0 if none.
void expand_packet_numbers(std::span<PacketToOpen> packets, PacketNumber next_expected);

// Fills `opened` or sets `drop` to kDecryptionFailed. Leaves alone what is dropped already. The
// content of a packet that fails is undefined afterwards, its last 16 bytes excepted.
void open(PayloadKeys& keys, std::span<PacketToOpen> packets);

}  // namespace stoq::protection
