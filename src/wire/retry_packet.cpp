#include "wire/retry_packet.h"

#include <cstring>

#include "wire/packet_header.h"

namespace stoq::wire {

//= 9000-17.2.5-1
Result<RetryPacket, DropReason> decode_retry(ByteView packet, std::size_t token_offset,
                                             RetryPacket header) {
    if (packet.size() < token_offset + kRetryIntegrityTagLength) {
        return std::unexpected(DropReason::kTruncated);
    }
    header.without_tag = packet.first(packet.size() - kRetryIntegrityTagLength);
    header.token = header.without_tag.subspan(token_offset);
    //= 9000-17.2.5.2-4
    if (header.token.empty()) return std::unexpected(DropReason::kBadToken);
    const ByteView tag = packet.last(kRetryIntegrityTagLength);
    std::memcpy(header.integrity_tag.data(), tag.data(), tag.size());
    return header;
}

bool encode_retry_without_tag(ByteWriter& writer, const RetryHeader& header) {
    const VersionRule* rule = find_version(header.version);
    const std::size_t length =
        1 + 4 + 1 + header.destination.length() + 1 + header.source.length() + header.token.size();
    if (rule == nullptr || header.token.empty() ||
        writer.remaining() < length + kRetryIntegrityTagLength) {
        return false;
    }
    const auto first_byte = static_cast<std::uint8_t>(kHeaderFormBit | kFixedBit |
                                                      long_type_bits(*rule, PacketType::kRetry) |
                                                      (header.unused_bits & 0x0f));
    return writer.write(first_byte) && writer.write(header.version) &&
           writer.write(static_cast<std::uint8_t>(header.destination.length())) &&
           writer.write_bytes(header.destination.view()) &&
           writer.write(static_cast<std::uint8_t>(header.source.length())) &&
           writer.write_bytes(header.source.view()) && writer.write_bytes(header.token);
}

}  // namespace stoq::wire
