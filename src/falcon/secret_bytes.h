// Private keys in memory: wiped when they go, in OpenSSL's locked heap where the application has
// set one up.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <openssl/crypto.h>

#include "stoq/types.h"

namespace stoq::falcon {

class SecretBytes {
public:
    SecretBytes() = default;
    // Zeros. Empty when there is no memory.
    explicit SecretBytes(std::size_t size)
        : data_(size == 0 ? nullptr : static_cast<std::uint8_t*>(OPENSSL_secure_zalloc(size))),
          size_(data_ == nullptr ? 0 : size) {}

    SecretBytes(SecretBytes&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    SecretBytes& operator=(SecretBytes&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~SecretBytes() { OPENSSL_secure_clear_free(data_, size_); }

    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    ByteView view() const { return {data_, size_}; }
    Bytes writable() { return {data_, size_}; }

private:
    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace stoq::falcon
