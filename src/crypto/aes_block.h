// One block of AES-128, alone: for formats that are defined by the bare block cipher, such as
// connection IDs of QUIC-LB. Never for messages.
#pragma once

#include <array>
#include <memory>

#include "crypto/aead.h"

namespace stoq::crypto {

inline constexpr std::size_t kAesBlockSize = 16;
using AesBlock = std::array<std::uint8_t, kAesBlockSize>;

class AesBlockCipher {
public:
    // `key` has 16 bytes (checked). kSeal encrypts, kOpen decrypts.
    AesBlockCipher(ByteView key, Direction direction);
    AesBlockCipher(AesBlockCipher&&) noexcept;
    AesBlockCipher& operator=(AesBlockCipher&&) noexcept;
    ~AesBlockCipher();

    AesBlock apply(const AesBlock& block);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace stoq::crypto
