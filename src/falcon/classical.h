// The classical half of a hybrid: ECDSA keys of OpenSSL, in the encodings that hybrids carry.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <openssl/evp.h>

#include "falcon/algorithms.h"
#include "falcon/secret_bytes.h"
#include "stoq/types.h"

namespace stoq::falcon {

struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using ClassicalKey = std::unique_ptr<EVP_PKEY, FreeKey>;

// Null on failure, each of them.
ClassicalKey generate_classical(OSSL_LIB_CTX* library, const Curve& curve);
// An uncompressed point of the curve.
ClassicalKey classical_from_public(OSSL_LIB_CTX* library, const Curve& curve, ByteView point);
// An ECPrivateKey (RFC 5915) of the curve, and nothing behind it.
ClassicalKey classical_from_private(OSSL_LIB_CTX* library, const Curve& curve, ByteView der);

// Empty on failure.
std::vector<std::uint8_t> public_point(const EVP_PKEY& key);
SecretBytes private_der(const EVP_PKEY& key);

// Signs into `signature`, which has room for curve.max_signature_size bytes, and returns how many
// were used.
std::optional<std::size_t> sign_classical(OSSL_LIB_CTX* library, const Curve& curve, EVP_PKEY& key,
                                          ByteView message, Bytes signature);
bool verify_classical(OSSL_LIB_CTX* library, const Curve& curve, EVP_PKEY& key, ByteView message,
                      ByteView signature);

}  // namespace stoq::falcon
