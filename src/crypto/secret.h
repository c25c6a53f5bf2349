// Key material: bytes that wipe themselves and cannot be printed, and a comparison whose duration
// tells nothing about them.
#pragma once

#include <array>
#include <cstddef>

#include "stoq/types.h"

namespace stoq::crypto {

// Overwrites memory in a way that no optimiser removes.
void wipe(Bytes bytes);

// Takes the same time wherever the first difference is. False when the lengths differ.
bool equal_in_constant_time(ByteView a, ByteView b);

// Up to 64 bytes held in place. It moves, leaving an empty secret behind, and is wiped when it is
// destroyed or overwritten. Copies are made on purpose, by clone().
class Secret {
public:
    static constexpr std::size_t kCapacity = 64;

    Secret() = default;
    // Copies `bytes`, which are at most kCapacity (checked).
    explicit Secret(ByteView bytes);
    // Zeros, to be filled through writable().
    static Secret of_size(std::size_t size);

    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret&& other) noexcept;
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { clear(); }

    Secret clone() const { return Secret(view()); }
    void clear();

    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }
    ByteView view() const { return {bytes_.data(), size_}; }
    Bytes writable() { return {bytes_.data(), size_}; }

private:
    std::array<std::uint8_t, kCapacity> bytes_{};
    std::size_t size_ = 0;
};

}  // namespace stoq::crypto
