// One packet while it is being written: header, frames, and what sealing needs to know.
#pragma once

#include <optional>

#include "protection/seal.h"
#include "wire/packet_header.h"
#include "wire/payload_writer.h"

namespace stoq::connection {

inline constexpr std::size_t kTagLength = crypto::kTagSize;

struct PacketHeaderFields {
    EncryptionLevel level = EncryptionLevel::kOneRtt;
    std::uint32_t version = wire::kVersion1;
    wire::ConnectionId destination;
    wire::ConnectionId source;  // long headers only
    ByteView token;             // Initial only
    bool fixed_bit = true;
    PacketNumber number;
    std::optional<PacketNumber> largest_acknowledged;
};

class PacketBuilder {
public:
    // Writes the header at the start of `room`, which is as long as the packet may become. Nothing
    // when not even a packet with one byte of payload fits.
    static std::optional<PacketBuilder> begin(Bytes room, const PacketHeaderFields& fields);

    EncryptionLevel level() const { return level_; }
    PacketNumber number() const { return number_; }
    wire::PayloadWriter& payload() { return payload_; }
    const wire::PayloadWriter& payload() const { return payload_; }
    // The frames written so far.
    ByteView frames() const { return {packet_ + header_length_, payload_.written()}; }

    // What the packet has on the wire if it ends here, tag and least padding included.
    std::size_t length() const;
    // Adds PADDING until length() is `length`, which must not exceed the room.
    void pad_to(std::size_t length);
    // Adds the least padding and fills in the Length field. The payload must not be empty.
    protection::PacketToSeal finish();

private:
    PacketBuilder(Bytes room, std::size_t header_length, const PacketHeaderFields& fields);
    std::size_t least_payload() const;

    std::uint8_t* packet_;
    std::size_t header_length_;
    std::size_t packet_number_offset_ = 0;
    std::optional<wire::LongHeaderLayout> long_header_;
    PacketNumber number_;
    EncryptionLevel level_;
    wire::PayloadWriter payload_;
};

}  // namespace stoq::connection
