// What the fuzz targets share: a way to stop the fuzzer, and an input taken apart.
#pragma once

#include <cstdlib>

#include "stoq/types.h"

namespace stoq::fuzz {

// A property of our code does not hold for this input.
inline void require(bool holds) {
    if (!holds) std::abort();
}

// The first byte of the input chooses how the rest of it is looked at; 0 when there is none.
struct Input {
    std::uint8_t choice = 0;
    ByteView rest;

    Input(const std::uint8_t* data, std::size_t size) {
        if (size == 0) return;
        choice = data[0];
        rest = ByteView(data + 1, size - 1);
    }
};

}  // namespace stoq::fuzz
