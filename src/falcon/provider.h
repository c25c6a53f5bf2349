// The provider: Falcon for OpenSSL, so that libssl, X.509 and PKCS #8 work with its keys as with
// any other (provider(7)).
//
// Into a library context of its own it goes with
//
//     OSSL_PROVIDER_add_builtin(context, kProviderName, initialize_provider);
//     OSSL_PROVIDER_load(context, kProviderName);
//
// beside the default provider, which hybrids and encrypted keys need. The names and object
// identifiers of the algorithms become known in the whole process, since OpenSSL has one list of
// them.
#pragma once

#include <openssl/core.h>

namespace stoq::falcon {

inline constexpr const char* kProviderName = "stoq-falcon";

// An OSSL_provider_init_fn.
int initialize_provider(const OSSL_CORE_HANDLE* handle, const OSSL_DISPATCH* from_core,
                        const OSSL_DISPATCH** to_core, void** context);

}  // namespace stoq::falcon
