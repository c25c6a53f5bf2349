// What ngtcp2 needs of OpenSSL.
#pragma once

#include <string>

#include <openssl/ssl.h>

#include "contract.h"

namespace interop {

class TlsContext {
public:
    explicit TlsContext(const Options& options);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    // `host` is what a client's server has to show a certificate for; an earlier session is
    // resumed.
    SSL* make(const std::string& host) const;
    bool has_ticket() const { return session_ != nullptr; }

private:
    static int on_ticket(SSL* ssl, SSL_SESSION* session);

    bool is_server_;
    SSL_CTX* context_;
    SSL_SESSION* session_ = nullptr;
};

}  // namespace interop
