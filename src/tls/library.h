// Library: a private world of OpenSSL, with its own providers, random generator and algorithm
// cache.
//
// Loading a provider into one of these changes nothing for other contexts, for the application or
// for another thread.
#pragma once

#include <string_view>

#include "stoq/types.h"
#include "tls/openssl_handles.h"

namespace stoq::tls {

// Whether this build can sign and verify with Falcon (STOQ_WITH_FALCON of CMake).
extern const bool kHasFalcon;

class Library {
public:
    // A library whose is_usable() is false could not load OpenSSL's default provider, or ours.
    Library();

    bool is_usable() const {
        return context_ && default_provider_ && (falcon_provider_ || !kHasFalcon);
    }
    OSSL_LIB_CTX* get() const { return context_.get(); }

private:
    LibraryHandle context_;
    ProviderHandle default_provider_;  // declared later: unloaded first
    ProviderHandle falcon_provider_;
};

using Sha256Digest = std::array<std::uint8_t, 32>;

// Nothing can make these fail but a library that is not usable, which is checked.
Sha256Digest sha256(const Library& library, ByteView bytes);
Sha256Digest hmac_sha256(const Library& library, ByteView key, std::string_view message);

}  // namespace stoq::tls
