// The Retry Integrity Tag (RFC 9001 section 5.8). Its keys are public: it shows that the sender saw
// the client's Initial packet, no more.
#pragma once

#include "crypto/gmac.h"
#include "protection/version_constants.h"

namespace stoq::protection {

// `retry` is the packet without its tag.
crypto::Tag retry_integrity_tag(ByteView original_destination_connection_id, ByteView retry,
                                const VersionConstants& version = kQuicVersion1);

// `retry` is the whole packet with the tag in its last 16 bytes. False when it is shorter than
// that.
bool retry_integrity_is_valid(ByteView original_destination_connection_id, ByteView retry,
                              const VersionConstants& version = kQuicVersion1);

}  // namespace stoq::protection
