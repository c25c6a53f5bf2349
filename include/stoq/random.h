// Where unpredictable bytes come from. The core never makes its own: the runtime hands in the
// system's generator, the simulator a seeded one.
#pragma once

#include "stoq/types.h"

namespace stoq {

class RandomSource {
public:
    virtual ~RandomSource() = default;
    virtual void fill(Bytes out) = 0;

    std::uint64_t next_uint64() {
        std::array<std::uint8_t, 8> bytes{};
        fill(bytes);
        std::uint64_t value = 0;
        for (const std::uint8_t byte : bytes) value = (value << 8) | byte;
        return value;
    }
};

// xoshiro-quality is not needed here: a deterministic generator for tests and simulation
// (SplitMix64). Never use it for secrets.
class SeededRandom final : public RandomSource {
public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15u;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    void fill(Bytes out) override {
        for (std::size_t i = 0; i < out.size(); ++i) {
            if (i % 8 == 0) word_ = next();
            out[i] = static_cast<std::uint8_t>(word_ >> (8 * (i % 8)));
        }
    }

private:
    std::uint64_t state_;
    std::uint64_t word_ = 0;
};

}  // namespace stoq
