// Certificates and private keys as PEM text.
#pragma once

#include <string>
#include <string_view>

#include "tls/openssl_handles.h"

namespace stoq::tls {

// Empty when OpenSSL cannot write it.
std::string pem_of(const X509& certificate);

// PKCS#8; with a pass phrase encrypted by scrypt and AES-256-CBC. Whoever gets the text wipes it.
// Empty when OpenSSL cannot write it.
std::string pem_of(const EVP_PKEY& key, std::string_view pass_phrase);

}  // namespace stoq::tls
