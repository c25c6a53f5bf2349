// An authentication tag without a message to hide: AES-128-GCM over associated data alone.
#pragma once

#include <array>
#include <initializer_list>

#include "crypto/aead.h"

namespace stoq::crypto {

using Tag = std::array<std::uint8_t, kTagSize>;

// The tag over all `parts`, one after the other. `key` has 16 bytes.
Tag gmac_aes128(ByteView key, const Nonce& nonce, std::initializer_list<ByteView> parts);

}  // namespace stoq::crypto
