// The provider as a module that programs of OpenSSL load: `openssl ... -provider stoq-falcon`.
#include "falcon/provider.h"

extern "C" {

extern OSSL_provider_init_fn OSSL_provider_init;

[[gnu::visibility("default")]] int OSSL_provider_init(const OSSL_CORE_HANDLE* handle,
                                                      const OSSL_DISPATCH* from_core,
                                                      const OSSL_DISPATCH** to_core,
                                                      void** context) {
    return stoq::falcon::initialize_provider(handle, from_core, to_core, context);
}
}
