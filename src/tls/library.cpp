#include "tls/library.h"

#include <openssl/hmac.h>

#include "base/check.h"

#if STOQ_WITH_FALCON
#include "falcon/provider.h"
#endif

namespace stoq::tls {
namespace {

ProviderHandle load_falcon([[maybe_unused]] OSSL_LIB_CTX* context) {
#if STOQ_WITH_FALCON
    if (context && OSSL_PROVIDER_add_builtin(context, falcon::kProviderName,
                                             falcon::initialize_provider) == 1) {
        return ProviderHandle(OSSL_PROVIDER_load(context, falcon::kProviderName));
    }
#endif
    return nullptr;
}

}  // namespace

const bool kHasFalcon = STOQ_WITH_FALCON;

Library::Library()
    : context_(OSSL_LIB_CTX_new()),
      default_provider_(context_ ? OSSL_PROVIDER_load(context_.get(), "default") : nullptr),
      falcon_provider_(load_falcon(context_.get())) {}

Sha256Digest sha256(const Library& library, ByteView bytes) {
    Sha256Digest digest{};
    STOQ_CHECK(EVP_Q_digest(library.get(), "SHA256", nullptr, bytes.data(), bytes.size(),
                            digest.data(), nullptr) == 1);
    return digest;
}

Sha256Digest hmac_sha256(const Library& library, ByteView key, std::string_view message) {
    Sha256Digest mac{};
    STOQ_CHECK(EVP_Q_mac(library.get(), "HMAC", nullptr, "SHA256", nullptr, key.data(), key.size(),
                         reinterpret_cast<const unsigned char*>(message.data()), message.size(),
                         mac.data(), mac.size(), nullptr) != nullptr);
    return mac;
}

}  // namespace stoq::tls
