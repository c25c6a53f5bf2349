// Edits of a buffer, as a fuzz input names them.
#pragma once

#include <cstdint>
#include <vector>

#include "stoq/types.h"

namespace stoq::fuzz {

// Four bytes of an input: what to do, where (two bytes), and with which byte.
struct Edit {
    static constexpr std::size_t kSize = 4;

    explicit Edit(ByteView bytes)
        : what(bytes[0]),
          where(static_cast<std::size_t>(bytes[1]) << 8 | bytes[2]),
          with(bytes[3]) {}

    void apply(std::vector<std::uint8_t>& bytes) const {
        const std::size_t at = where % (bytes.size() + 1);
        const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
        switch (what % 4) {
            case 0:
                if (place != bytes.end()) *place ^= with;
                break;
            case 1: bytes.insert(place, with); break;
            case 2: bytes.resize(at); break;
            default:
                if (place != bytes.end()) bytes.erase(place);
        }
    }

    std::uint8_t what;
    std::size_t where;
    std::uint8_t with;
};

}  // namespace stoq::fuzz
