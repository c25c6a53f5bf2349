// HandshakeInfo: what a handshake has negotiated. A plain value that outlives its session.
#pragma once

#include <cstdint>
#include <string>

#include "stoq/event.h"

namespace stoq::tls {

// Strings are empty until the handshake has told them, and where they do not apply.
struct HandshakeInfo {
    std::string alpn;
    std::string server_name;       // SNI: sent by a client, received by a server
    std::string group;             // "X25519MLKEM768"
    std::string signature;         // of the server's CertificateVerify, on either side
    std::string client_signature;  // of the client's
    // Client, when it is resumed: the server's signature in the full handshake that it goes back
    // to.
    std::string original_signature;
    // The kinds of key in the chain that was relied on, leaf first: "falcon1024, EC".
    std::string peer_chain;
    std::string cipher_suite;      // "TLS_AES_128_GCM_SHA256"
    std::string peer_fingerprint;  // SHA-256 of the peer's SubjectPublicKeyInfo, hexadecimal
    std::string peer_subject;
    // How the peer was identified.
    CertificateType peer_certificate_type = CertificateType::kNone;
    bool post_quantum_key_exchange = false;
    // Of every signature and key that this side saw the handshake depend on.
    bool post_quantum_authentication = false;
    // By this side's policy, for either of them. Known from the start.
    bool post_quantum_required = false;
    bool resumed = false;
    bool early_data_accepted = false;
    // What was wrong with the peer's certificate when the handshake failed because of it.
    CertificateProblem certificate_problem = CertificateProblem::kNone;
    // After a failure: one line for people, from this side's point of view.
    std::string failure;
};

}  // namespace stoq::tls
