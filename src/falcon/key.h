// Key: one key of one algorithm, with its encodings, and signing and verifying with it.
//
// A public key is encoded as Falcon's own, in a hybrid behind the classical one. A private key is
// followed by Falcon's public key, which cannot be had from it cheaply; a hybrid's classical public
// key is part of the classical private key.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "falcon/algorithms.h"
#include "falcon/classical.h"
#include "falcon/secret_bytes.h"
#include "stoq/types.h"

namespace stoq::falcon {

// Immutable once it is filled, so that threads may share it.
class Key {
public:
    Key(const Algorithm& algorithm, OSSL_LIB_CTX* library)
        : algorithm_(&algorithm), library_(library) {}

    // Null when the bytes are not a key of that algorithm, or when there is no randomness.
    static std::shared_ptr<Key> generate(const Algorithm& algorithm, OSSL_LIB_CTX* library);
    static std::shared_ptr<Key> from_public(const Algorithm& algorithm, OSSL_LIB_CTX* library,
                                            ByteView bytes);
    static std::shared_ptr<Key> from_private(const Algorithm& algorithm, OSSL_LIB_CTX* library,
                                             ByteView bytes);

    const Algorithm& algorithm() const { return *algorithm_; }
    bool has_public() const { return !public_.empty(); }
    bool has_private() const { return !secret_.empty(); }

    // As in SubjectPublicKeyInfo (RFC 5280 section 4.1).
    ByteView public_bytes() const { return public_; }
    // As in the private key of a OneAsymmetricKey (RFC 5958), Falcon's public key behind it.
    SecretBytes private_bytes() const;

    // Signs into `signature`, which has room for max_signature_size() bytes.
    std::optional<std::size_t> sign(ByteView message, Bytes signature) const;
    bool verify(ByteView message, ByteView signature) const;
    // Whether what the private half signs holds for the public half.
    bool is_consistent() const;

private:
    ByteView falcon_public() const;
    bool set_public(ByteView falcon_public);

    const Algorithm* algorithm_;
    OSSL_LIB_CTX* library_;
    std::vector<std::uint8_t> public_;
    SecretBytes secret_;      // Falcon's
    ClassicalKey classical_;  // hybrids
};

}  // namespace stoq::falcon
