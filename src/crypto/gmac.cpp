#include "crypto/gmac.h"

#include "base/check.h"
#include "crypto/evp.h"

namespace stoq::crypto {

Tag gmac_aes128(ByteView key, const Nonce& nonce, std::initializer_list<ByteView> parts) {
    constexpr auto kSuite = CipherSuite::kAes128GcmSha256;
    STOQ_CHECK(key.size() == properties_of(kSuite).key_size);
    const CipherContext context(EVP_CIPHER_CTX_new());
    STOQ_CHECK(context != nullptr);
    int good = EVP_EncryptInit_ex(context.get(), evp_aead_cipher(kSuite), nullptr, key.data(),
                                  nonce.data());
    int written = 0;
    for (const ByteView part : parts) {
        if (part.empty()) continue;
        good &=
            EVP_EncryptUpdate(context.get(), nullptr, &written, part.data(), to_int(part.size()));
    }
    Tag tag{};
    std::uint8_t nothing[16];
    good &= EVP_EncryptFinal_ex(context.get(), nothing, &written);
    good &= EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagSize, tag.data());
    STOQ_CHECK(good == 1);
    return tag;
}

}  // namespace stoq::crypto
