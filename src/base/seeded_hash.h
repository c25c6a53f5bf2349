// SeededHash: a fast hash for tables whose keys a stranger may choose.
//
// Multiply-and-fold over eight bytes at a time, started from a secret random seed, so that nobody
// outside can aim at one bucket. Not a cryptographic hash: its values must not leave the process.
#pragma once

#include <algorithm>
#include <cstring>

#include "stoq/random.h"

namespace stoq {

class SeededHash {
public:
    explicit SeededHash(RandomSource& random)
        : first_(random.next_uint64() | 1), second_(random.next_uint64()) {}

    std::uint64_t operator()(ByteView bytes) const {
        std::uint64_t state = second_ ^ bytes.size();
        while (bytes.size() >= 8) {
            state = mix(state ^ load(bytes.first<8>()));
            bytes = bytes.subspan(8);
        }
        std::array<std::uint8_t, 8> last{};
        std::copy(bytes.begin(), bytes.end(), last.begin());
        return mix(mix(state ^ load(last)));
    }

private:
    static std::uint64_t load(std::span<const std::uint8_t, 8> bytes) {
        std::uint64_t value;
        std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }

    std::uint64_t mix(std::uint64_t value) const {
        __extension__ using Wide = unsigned __int128;
        const Wide product = static_cast<Wide>(value ^ second_) * first_;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    }

    std::uint64_t first_;
    std::uint64_t second_;
};

}  // namespace stoq
