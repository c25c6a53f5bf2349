// The operating system's random generator.
#pragma once

#include "base/random.h"

namespace stoq::io {

// Unpredictable bytes from getrandom(2), read in blocks so that a connection id does not cost a
// system call. Bytes are wiped as they are handed out, and the rest on destruction. A process
// that forks must not go on using an instance in both halves.
class SystemRandom final : public RandomSource {
public:
    SystemRandom() = default;
    ~SystemRandom() override;
    SystemRandom(const SystemRandom&) = delete;
    SystemRandom& operator=(const SystemRandom&) = delete;

    void fill(Bytes out) override;

private:
    static constexpr std::size_t kPoolBytes = 4096;

    std::array<std::uint8_t, kPoolBytes> pool_{};
    std::size_t used_ = kPoolBytes;
};

}  // namespace stoq::io
