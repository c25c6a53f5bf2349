// HKDF (RFC 5869) as TLS 1.3 and QUIC use it (RFC 8446 section 7.1, RFC 9001 section 5.1).
#pragma once

#include <string_view>

#include "crypto/cipher_suite.h"
#include "crypto/secret.h"

namespace stoq::crypto {

// The pseudorandom key, digest_size(hash) bytes long.
Secret hkdf_extract(HashAlgorithm hash, ByteView salt, ByteView input_key_material);

// `length` bytes, at most Secret::kCapacity. `label` comes without the "tls13 " that TLS puts in
// front of it and is at most 32 characters long; the context is empty, as everywhere in QUIC.
Secret hkdf_expand_label(HashAlgorithm hash, const Secret& secret, std::string_view label,
                         std::size_t length);

}  // namespace stoq::crypto
