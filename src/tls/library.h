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

class Library {
public:
    // A library whose is_usable() is false could not load OpenSSL's default provider.
    Library();

    bool is_usable() const { return context_ && default_provider_; }
    OSSL_LIB_CTX* get() const { return context_.get(); }

private:
    LibraryHandle context_;
    ProviderHandle default_provider_;  // declared later: unloaded first
};

using Sha256Digest = std::array<std::uint8_t, 32>;

// Nothing can make these fail but a library that is not usable, which is checked.
Sha256Digest sha256(const Library& library, ByteView bytes);
Sha256Digest hmac_sha256(const Library& library, ByteView key, std::string_view message);

}  // namespace stoq::tls
