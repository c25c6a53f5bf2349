#include "crypto/aes_block.h"

#include "base/check.h"
#include "crypto/evp.h"

namespace stoq::crypto {

struct AesBlockCipher::State {
    CipherContext context{EVP_CIPHER_CTX_new()};
};

AesBlockCipher::AesBlockCipher(ByteView key, Direction direction)
    : state_(std::make_unique<State>()) {
    STOQ_CHECK(key.size() == kAesBlockSize && state_->context != nullptr);
    const int encrypt = direction == Direction::kSeal ? 1 : 0;
    STOQ_CHECK(EVP_CipherInit_ex(state_->context.get(),
                                 evp_header_cipher(CipherSuite::kAes128GcmSha256), nullptr,
                                 key.data(), nullptr, encrypt) == 1);
    EVP_CIPHER_CTX_set_padding(state_->context.get(), 0);
}

AesBlockCipher::AesBlockCipher(AesBlockCipher&&) noexcept = default;
AesBlockCipher& AesBlockCipher::operator=(AesBlockCipher&&) noexcept = default;
AesBlockCipher::~AesBlockCipher() = default;

AesBlock AesBlockCipher::apply(const AesBlock& block) {
    AesBlock result{};
    int written = 0;
    STOQ_CHECK(EVP_CipherUpdate(state_->context.get(), result.data(), &written, block.data(),
                                to_int(block.size())) == 1 &&
               written == to_int(kAesBlockSize));
    return result;
}

}  // namespace stoq::crypto
