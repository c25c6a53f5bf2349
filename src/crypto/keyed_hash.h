// HMAC-SHA-256 (RFC 2104): 32 bytes that nobody without the key can compute.
#pragma once

#include <array>
#include <cstdint>

#include "stoq/types.h"

namespace stoq::crypto {

using KeyedHash = std::array<std::uint8_t, 32>;

KeyedHash hmac_sha256(ByteView key, ByteView message);

}  // namespace stoq::crypto
