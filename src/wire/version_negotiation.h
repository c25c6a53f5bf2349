// Version Negotiation packets (RFC 8999 section 6, RFC 9000 section 17.2.1).
//
// They belong to no version, so connection IDs in them may have 255 bytes and stay views.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/drop_reason.h"
#include "stoq/error.h"

namespace stoq::wire {

// A long header of a version that is not spoken here: its invariant part.
struct UnsupportedVersionPacket {
    std::uint32_t version = 0;
    ByteView destination;
    ByteView source;
};

struct VersionNegotiationPacket {
    ByteView destination;
    ByteView source;
    ByteView encoded_versions;  // a multiple of four bytes, at least four

    std::size_t version_count() const { return encoded_versions.size() / 4; }
    std::uint32_t version(std::size_t index) const {
        return load_big_endian<std::uint32_t>(encoded_versions.data() + 4 * index);
    }
    bool contains(std::uint32_t wanted) const;
};

// `rest` is what follows the Source Connection ID field: all of it is the list of versions.
Result<VersionNegotiationPacket, DropReason> decode_version_negotiation(ByteView destination,
                                                                        ByteView source,
                                                                        ByteView rest);

// The answer to `received`: its connection IDs swapped, our versions, and one reserved version that
// is made from `random`, as are the unused bits. False when the room is too small.
bool encode_version_negotiation(ByteWriter& writer, const UnsupportedVersionPacket& received,
                                std::span<const std::uint32_t> versions, std::uint32_t random);

}  // namespace stoq::wire
