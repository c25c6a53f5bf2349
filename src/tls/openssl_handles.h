// Owning handles for the objects of OpenSSL that this folder uses.
#pragma once

#include <memory>

#include <openssl/bio.h>
#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace stoq::tls {

template <auto kFree>
struct Freeing {
    template <typename T>
    void operator()(T* object) const {
        kFree(object);
    }
};

using LibraryHandle = std::unique_ptr<OSSL_LIB_CTX, Freeing<OSSL_LIB_CTX_free>>;
using ProviderHandle = std::unique_ptr<OSSL_PROVIDER, Freeing<OSSL_PROVIDER_unload>>;
using BioHandle = std::unique_ptr<BIO, Freeing<BIO_free_all>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY_free>>;
using CertificateHandle = std::unique_ptr<X509, Freeing<X509_free>>;
using StoreHandle = std::unique_ptr<X509_STORE, Freeing<X509_STORE_free>>;
using SslContextHandle = std::unique_ptr<SSL_CTX, Freeing<SSL_CTX_free>>;
using SslHandle = std::unique_ptr<SSL, Freeing<SSL_free>>;
using SslSessionHandle = std::unique_ptr<SSL_SESSION, Freeing<SSL_SESSION_free>>;

}  // namespace stoq::tls
