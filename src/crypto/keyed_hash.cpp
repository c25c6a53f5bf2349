#include "crypto/keyed_hash.h"

#include <algorithm>

#include "crypto/hkdf.h"

namespace stoq::crypto {

KeyedHash hmac_sha256(ByteView key, ByteView message) {
    // What HKDF calls extraction is HMAC with the salt as its key (RFC 5869 section 2.2); OpenSSL's
    // own HMAC() looks its parts up anew each time.
    const Secret code = hkdf_extract(HashAlgorithm::kSha256, key, message);
    KeyedHash hash{};
    std::ranges::copy(code.view(), hash.begin());
    return hash;
}

}  // namespace stoq::crypto
