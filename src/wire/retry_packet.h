// Retry packets (RFC 9000 section 17.2.5). The integrity tag is computed and checked in
// protection/; here it is sixteen bytes.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/drop_reason.h"
#include "stoq/error.h"
#include "wire/connection_id.h"

namespace stoq::wire {

inline constexpr std::size_t kRetryIntegrityTagLength = 16;

struct RetryPacket {
    std::uint32_t version = 0;
    ConnectionId destination;
    ConnectionId source;
    ByteView token;        // never empty
    ByteView without_tag;  // what the integrity tag covers, behind the original destination ID
    std::array<std::uint8_t, kRetryIntegrityTagLength> integrity_tag{};
};

// `packet` is the whole packet; `token_offset` is where the field after the Source Connection ID
// begins. The three fields of the header are copied from `header`.
Result<RetryPacket, DropReason> decode_retry(ByteView packet, std::size_t token_offset,
                                             RetryPacket header);

struct RetryHeader {
    std::uint32_t version = 0;
    ConnectionId destination;  // the Source Connection ID of the client's Initial
    ConnectionId source;       // chosen by the server, not what the client chose
    ByteView token;
    std::uint8_t unused_bits = 0;  // four arbitrary bits
};

// Everything but the tag. False, and nothing written, when the room (which must also hold the
// sixteen bytes of the tag) is too small or the version is not spoken here.
bool encode_retry_without_tag(ByteWriter& writer, const RetryHeader& header);

}  // namespace stoq::wire
