#include "crypto/keyed_hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.h"

namespace stoq::crypto {

KeyedHash hmac_sha256(ByteView key, ByteView message) {
    KeyedHash hash{};
    unsigned int length = 0;
    const auto* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(),
                            message.size(), hash.data(), &length);
    STOQ_CHECK(done != nullptr && length == hash.size());
    return hash;
}

}  // namespace stoq::crypto
