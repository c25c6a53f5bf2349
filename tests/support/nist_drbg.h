// The generator with which submissions to NIST's competition made their known answers: CTR_DRBG
// with AES-256 and no derivation function (NIST SP 800-90A section 10.2.1), never reseeded.
#pragma once

#include <algorithm>
#include <array>
#include <memory>

#include <openssl/evp.h>

#include "stoq/types.h"

namespace stoq::test {

class NistDrbg {
public:
    using Seed = std::array<std::uint8_t, 48>;

    explicit NistDrbg(const Seed& entropy) { update(entropy); }

    void fill(Bytes bytes) {
        while (!bytes.empty()) {
            const Block block = next_block();
            const std::size_t count = std::min(bytes.size(), block.size());
            std::copy_n(block.begin(), count, bytes.begin());
            bytes = bytes.subspan(count);
        }
        update({});
    }

private:
    using Block = std::array<std::uint8_t, 16>;
    struct FreeContext {
        void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
    };

    Block next_block() {
        for (auto byte = counter_.rbegin(); byte != counter_.rend() && ++*byte == 0; ++byte) {
        }
        const std::unique_ptr<EVP_CIPHER_CTX, FreeContext> context(EVP_CIPHER_CTX_new());
        Block block{};
        int size = 0;
        EVP_EncryptInit_ex2(context.get(), EVP_aes_256_ecb(), key_.data(), nullptr, nullptr);
        EVP_CIPHER_CTX_set_padding(context.get(), 0);
        EVP_EncryptUpdate(context.get(), block.data(), &size, counter_.data(),
                          static_cast<int>(counter_.size()));
        return block;
    }

    void update(const Seed& provided) {
        Seed fresh{};
        for (std::size_t at = 0; at < fresh.size(); at += sizeof(Block)) {
            std::ranges::copy(next_block(), fresh.begin() + static_cast<std::ptrdiff_t>(at));
        }
        for (std::size_t i = 0; i < fresh.size(); ++i) fresh[i] ^= provided[i];
        std::copy_n(fresh.begin(), key_.size(), key_.begin());
        std::copy_n(fresh.begin() + key_.size(), counter_.size(), counter_.begin());
    }

    std::array<std::uint8_t, 32> key_{};
    Block counter_{};
};

}  // namespace stoq::test
