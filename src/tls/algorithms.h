// Which signature schemes and key exchange groups there are, which of them withstand a quantum
// computer, and which of them a policy allows.
//
// A name that is not in these tables counts as classical, so that what is unknown here never
// satisfies a policy that requires more.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "stoq/identity.h"

namespace stoq::tls {

struct SignatureAlgorithm {
    std::string_view scheme;  // as TLS names it, in SSL_CTX_set1_sigalgs_list
    std::string_view key;     // as EVP_PKEY_get0_type_name names the key
    bool post_quantum = false;
};

// Most preferred first: hybrids, of which both parts would have to be broken; then by size.
std::span<const SignatureAlgorithm> signature_algorithms();

// "X25519MLKEM768", as SSL_get0_group_name tells it. Case does not matter.
bool is_post_quantum_group(std::string_view name);
// "falcon1024", as SSL_get0_peer_signature_name tells it.
bool is_post_quantum_scheme(std::string_view name);
// "ML-DSA-65", as EVP_PKEY_get0_type_name tells it.
bool is_post_quantum_key(std::string_view type_name);

// Whether every group of a list in OpenSSL's notation is post-quantum by name. Keywords (DEFAULT)
// and removals are not understood here: false.
bool has_only_post_quantum_groups(std::string_view list);

// In the notation of SSL_CTX_set1_groups_list and SSL_CTX_set1_sigalgs_list.
std::string_view default_groups(PostQuantum key_exchange);
std::string signature_list(PostQuantum authentication);

// What EVP_PKEY_Q_keygen wants to hear.
const char* key_algorithm(KeyType type);

}  // namespace stoq::tls
