#include "crypto/evp.h"

#include <utility>

#include "base/check.h"

namespace stoq::crypto {
namespace {

class FetchedCipher {
public:
    explicit FetchedCipher(const char* name) : cipher_(EVP_CIPHER_fetch(nullptr, name, nullptr)) {
        STOQ_CHECK(cipher_ != nullptr);
    }
    const EVP_CIPHER* get() const { return cipher_.get(); }

private:
    std::unique_ptr<EVP_CIPHER, FreeCipher> cipher_;
};

}  // namespace

const EVP_CIPHER* evp_aead_cipher(CipherSuite suite) {
    static const FetchedCipher aes128("AES-128-GCM");
    static const FetchedCipher aes256("AES-256-GCM");
    static const FetchedCipher chacha20("ChaCha20-Poly1305");
    switch (suite) {
        case CipherSuite::kAes128GcmSha256: return aes128.get();
        case CipherSuite::kAes256GcmSha384: return aes256.get();
        case CipherSuite::kChaCha20Poly1305Sha256: return chacha20.get();
    }
    std::unreachable();
}

const EVP_CIPHER* evp_header_cipher(CipherSuite suite) {
    static const FetchedCipher aes128("AES-128-ECB");
    static const FetchedCipher aes256("AES-256-ECB");
    static const FetchedCipher chacha20("ChaCha20");
    switch (suite) {
        case CipherSuite::kAes128GcmSha256: return aes128.get();
        case CipherSuite::kAes256GcmSha384: return aes256.get();
        case CipherSuite::kChaCha20Poly1305Sha256: return chacha20.get();
    }
    std::unreachable();
}

}  // namespace stoq::crypto
