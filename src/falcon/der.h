// The two structures that keys come in: SubjectPublicKeyInfo (RFC 5280) and OneAsymmetricKey
// (RFC 5958), DER.
#pragma once

#include <optional>
#include <vector>

#include "falcon/algorithms.h"
#include "falcon/secret_bytes.h"
#include "stoq/types.h"

namespace stoq::falcon {

// No key of ours is longer, in either structure.
inline constexpr std::size_t kMaxKeyDer = 8192;

// `public_key` goes into the BIT STRING as it is.
std::vector<std::uint8_t> encode_public_key_info(const Algorithm& algorithm, ByteView public_key);
// `private_key` goes into an OCTET STRING inside the one of the structure, as Open Quantum Safe has
// it. Empty when there is no memory.
SecretBytes encode_private_key_info(const Algorithm& algorithm, ByteView private_key);

// The key's bytes, when `der` is that structure, in its only encoding and with nothing behind it,
// for this algorithm.
std::optional<ByteView> decode_public_key_info(const Algorithm& algorithm, ByteView der);
std::optional<ByteView> decode_private_key_info(const Algorithm& algorithm, ByteView der);

}  // namespace stoq::falcon
