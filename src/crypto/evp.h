// Owners of OpenSSL's symmetric ciphers, and the ciphers themselves, looked up once.
#pragma once

#include <memory>

#include <openssl/evp.h>

#include "crypto/cipher_suite.h"

namespace stoq::crypto {

struct FreeCipher {
    void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;  // wipes its key when freed

const EVP_CIPHER* evp_aead_cipher(CipherSuite suite);
const EVP_CIPHER* evp_header_cipher(CipherSuite suite);

// OpenSSL lengths are int. Whatever is sealed or opened is part of a datagram.
constexpr int to_int(std::size_t size) {
    return static_cast<int>(size);
}

}  // namespace stoq::crypto
