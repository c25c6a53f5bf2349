// TLS 1.3 by OpenSSL under the conditions of the race.
#pragma once

#include <openssl/ssl.h>

#include "contract.h"

namespace race {

class TlsContext {
public:
    explicit TlsContext(const Options& options);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    // For one connection; a client's offers the newest ticket when it should.
    SSL* make() const;

private:
    static int on_ticket(SSL* ssl, SSL_SESSION* session);

    bool is_server_;
    bool resumes_;
    SSL_CTX* context_;
    SSL_SESSION* session_ = nullptr;
};

}  // namespace race
