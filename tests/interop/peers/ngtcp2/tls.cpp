#include "tls.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>

namespace interop {
namespace {

constexpr unsigned char kAlpnWire[] = "\x0ahq-interop";
constexpr std::size_t kAlpnWireLength = sizeof kAlpnWire - 1;

int select_alpn(SSL*, const unsigned char** out, unsigned char* length,
                const unsigned char* offered, unsigned int offered_length, void*) {
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, length, kAlpnWire, kAlpnWireLength, offered,
                              offered_length) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

void log_key(const SSL*, const char* line) {
    if (const char* const path = std::getenv("SSLKEYLOGFILE"))
        std::ofstream(path, std::ios::app) << line << '\n';
}

void must(bool worked, const char* what) {
    if (!worked) fail(std::string("TLS: ") + what);
}

}  // namespace

TlsContext::TlsContext(const Options& options)
    : is_server_(options.is_server),
      context_(SSL_CTX_new(is_server_ ? TLS_server_method() : TLS_client_method())) {
    must(SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION) == 1, "version");
    SSL_CTX_set_keylog_callback(context_, log_key);
    if (is_server_) {
        must(SSL_CTX_use_certificate_chain_file(context_, options.certificate.c_str()) == 1,
             "certificate");
        must(SSL_CTX_use_PrivateKey_file(context_, options.key.c_str(), SSL_FILETYPE_PEM) == 1,
             "key");
        SSL_CTX_set_alpn_select_cb(context_, select_alpn, nullptr);
        if (options.is("zerortt"))
            must(SSL_CTX_set_max_early_data(context_, UINT32_MAX) == 1, "0-RTT");
        return;
    }
    if (options.is("chacha20")) {
        must(SSL_CTX_set_ciphersuites(context_, "TLS_CHACHA20_POLY1305_SHA256") == 1,
             "cipher suite");
    }
    must(SSL_CTX_load_verify_file(context_, options.ca.c_str()) == 1, "authority");
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    must(SSL_CTX_set_alpn_protos(context_, kAlpnWire, kAlpnWireLength) == 0, "ALPN");
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    must(SSL_CTX_set_ex_data(context_, 0, this) == 1, "context");
    SSL_CTX_sess_set_new_cb(context_, on_ticket);
}

TlsContext::~TlsContext() {
    SSL_SESSION_free(session_);
    SSL_CTX_free(context_);
}

int TlsContext::on_ticket(SSL* ssl, SSL_SESSION* session) {
    auto* const self = static_cast<TlsContext*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0));
    SSL_SESSION_free(self->session_);
    // A session that was in use is spoilt when its connection is freed without a goodbye of TLS's
    // own, which QUIC does not have.
    self->session_ = SSL_SESSION_dup(session);
    return 0;
}

SSL* TlsContext::make(const std::string& host) const {
    SSL* const ssl = SSL_new(context_);
    if (is_server_) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    SSL_set_connect_state(ssl);
    must(SSL_set_tlsext_host_name(ssl, host.c_str()) == 1, "server name");
    must(SSL_set1_host(ssl, host.c_str()) == 1, "host");
    if (session_ == nullptr) return ssl;
    SSL_SESSION* const copy = SSL_SESSION_dup(session_);
    must(SSL_set_session(ssl, copy) == 1, "session");
    SSL_SESSION_free(copy);
    return ssl;
}

}  // namespace interop
