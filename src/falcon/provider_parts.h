// What the parts of the provider share. OpenSSL calls them through tables of functions and hands
// objects around as void*: a Provider, a KeyData, or a context of the part itself.
#pragma once

#include <memory>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>

#include "falcon/algorithms.h"
#include "falcon/key.h"

namespace stoq::falcon {

inline constexpr const char* kProviderProperty = "provider=stoq-falcon";

struct Provider {
    // A child of the context that the provider was loaded into: whatever that one can do, elliptic
    // curves and ciphers, is at hand.
    OSSL_LIB_CTX* library = nullptr;
};

// What OpenSSL holds for a key. Empty until something is generated, imported or loaded into it.
struct KeyData {
    const Provider* provider;
    const Algorithm* algorithm;
    std::shared_ptr<const Key> key;
};

// One row of a function table, checked against the type that OpenSSL documents for it.
template <typename Function>
OSSL_DISPATCH row(int id, Function* function) {
    return {id, reinterpret_cast<void (*)()>(function)};
}

inline constexpr OSSL_DISPATCH kLastRow{0, nullptr};
inline constexpr OSSL_ALGORITHM kLastAlgorithm{nullptr, nullptr, nullptr, nullptr};

// One table per kind of operation; the last element has no name.
const OSSL_ALGORITHM* key_managements();
const OSSL_ALGORITHM* signatures();
const OSSL_ALGORITHM* encoders();
const OSSL_ALGORITHM* decoders();

// Tells libssl of each signature scheme (provider-base(7), "TLS-SIGALG").
int tell_tls_schemes(OSSL_CALLBACK* callback, void* argument);

}  // namespace stoq::falcon
