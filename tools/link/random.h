// Numbers that are the same for the same seed, on every machine.
#pragma once

#include <cstdint>
#include <random>

namespace stoq::link {

class Random {
public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}
    // From 0 up to, not including, `limit`, which is small; the bias of the remainder is below
    // limit / 2^64. The standard's distributions differ between libraries.
    std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }

private:
    std::mt19937_64 engine_;
};

}  // namespace stoq::link
