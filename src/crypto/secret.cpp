#include "crypto/secret.h"

#include <cstring>

#include <openssl/crypto.h>

#include "base/check.h"

namespace stoq::crypto {

void wipe(Bytes bytes) {
    OPENSSL_cleanse(bytes.data(), bytes.size());
}

bool equal_in_constant_time(ByteView a, ByteView b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Secret::Secret(ByteView bytes) : size_(bytes.size()) {
    STOQ_CHECK(bytes.size() <= kCapacity);
    if (!bytes.empty()) std::memcpy(bytes_.data(), bytes.data(), bytes.size());
}

Secret Secret::of_size(std::size_t size) {
    STOQ_CHECK(size <= kCapacity);
    Secret secret;
    secret.size_ = size;
    return secret;
}

Secret::Secret(Secret&& other) noexcept : Secret(other.view()) {
    other.clear();
}

Secret& Secret::operator=(Secret&& other) noexcept {
    if (this == &other) return *this;
    wipe(bytes_);
    bytes_ = other.bytes_;
    size_ = other.size_;
    other.clear();
    return *this;
}

void Secret::clear() {
    wipe(bytes_);
    size_ = 0;
}

}  // namespace stoq::crypto
