// What OpenSSL calls while it drives a handshake. Each call finds its Session and changes it.
#pragma once

#include "tls/session.h"

namespace stoq::tls {

struct Session::Callbacks {
    // The record layer that QUIC replaces: SSL_set_quic_tls_cbs.
    static const OSSL_DISPATCH* record_layer();

    static int send(SSL* ssl, const unsigned char* bytes, std::size_t length, std::size_t* consumed,
                    void* session);
    static int receive(SSL* ssl, const unsigned char** bytes, std::size_t* length, void* session);
    static int release(SSL* ssl, std::size_t length, void* session);
    static int yield_secret(SSL* ssl, std::uint32_t level, int direction,
                            const unsigned char* secret, std::size_t length, void* session);
    static int got_parameters(SSL* ssl, const unsigned char* bytes, std::size_t length,
                              void* session);
    static int alert(SSL* ssl, unsigned char code, void* session);

    // Set once per SSL_CTX.
    static int client_hello(SSL* ssl, int* alert, void*);
    static int choose_identities(SSL* ssl, void*);
    static int server_name(SSL* ssl, int* alert, void*);
    static int select_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* length,
                               const unsigned char* offered, unsigned int offered_length, void*);
    static int verify(X509_STORE_CTX* store, void*);
    static int new_ticket(SSL* ssl, SSL_SESSION* session);
    static int write_ticket(SSL* ssl, void*);
    static SSL_TICKET_RETURN accept_ticket(SSL* ssl, SSL_SESSION* session,
                                           const unsigned char* name, std::size_t length,
                                           SSL_TICKET_STATUS status, void*);
    static int allow_early_data(SSL* ssl, void*);
    static int ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                          EVP_MAC_CTX* mac, int sealing);
    static void key_log(const SSL* ssl, const char* line);

private:
    static Session& session_of(const SSL* ssl);
    static bool allows(const Session& session, std::uint8_t message_type);
    static bool expands_too_far(ByteView message);
};

}  // namespace stoq::tls
