// WipedBytes: bytes of any length on the heap that are overwritten before they are freed.
#pragma once

#include <utility>
#include <vector>

#include "crypto/secret.h"
#include "stoq/types.h"

namespace stoq::tls {

class WipedBytes {
public:
    WipedBytes() = default;
    explicit WipedBytes(std::size_t size) : bytes_(size) {}
    WipedBytes(WipedBytes&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
    WipedBytes& operator=(WipedBytes&& other) noexcept {
        bytes_.swap(other.bytes_);
        return *this;
    }
    ~WipedBytes() { crypto::wipe(bytes_); }

    Bytes writable() { return bytes_; }
    ByteView view() const { return bytes_; }
    std::string_view text() const {
        return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
    }

private:
    std::vector<std::uint8_t> bytes_;  // never resized: growing would leave copies behind
};

}  // namespace stoq::tls
