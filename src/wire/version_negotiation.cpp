#include "wire/version_negotiation.h"

#include "wire/version.h"

namespace stoq::wire {

bool VersionNegotiationPacket::contains(std::uint32_t wanted) const {
    for (std::size_t i = 0; i < version_count(); ++i) {
        if (version(i) == wanted) return true;
    }
    return false;
}

Result<VersionNegotiationPacket, DropReason> decode_version_negotiation(ByteView destination,
                                                                        ByteView source,
                                                                        ByteView rest) {
    // The first byte's unused bits were not looked at on the way here.
    //= 8999-6-1
    //= 9000-17.2.1-1
    //= 8999-6-2
    if (rest.empty() || rest.size() % 4 != 0) return std::unexpected(DropReason::kTruncated);
    return VersionNegotiationPacket{destination, source, rest};
}

bool encode_version_negotiation(ByteWriter& writer, const UnsupportedVersionPacket& received,
                                std::span<const std::uint32_t> versions, std::uint32_t random) {
    const std::size_t length = 1 + 4 + 1 + received.source.size() + 1 +
                               received.destination.size() + 4 * (versions.size() + 1);
    if (writer.remaining() < length) return false;
    // A client that offered a reserved version must not find that very one in the answer: it would
    // take it for supported.
    std::uint32_t reserved = reserved_version(random);
    if (reserved == received.version) reserved ^= 0x1010'1010;
    //= 9000-17.2.1-2
    const auto first_byte = static_cast<std::uint8_t>(0xc0 | (random & 0x3f));
    //= 9000-17.2.1-3
    bool written = writer.write(first_byte) && writer.write(kVersionNegotiationVersion);
    //= 8999-6-3
    //= 8999-6-4
    //= 9000-17.2.1-4
    //= 9000-17.2.1-5
    for (const ByteView id : {received.source, received.destination}) {
        written =
            written && writer.write(static_cast<std::uint8_t>(id.size())) && writer.write_bytes(id);
    }
    //= 9000-15-1
    //= 9000-6.3-1
    written = written && writer.write(reserved);
    for (const std::uint32_t version : versions) written = written && writer.write(version);
    return written;
}

}  // namespace stoq::wire
