#include "tls/context.h"

#include <algorithm>
#include <array>

#include <openssl/err.h>
#include <openssl/rand.h>

#include "crypto/secret.h"
#include "tls/algorithms.h"
#include "tls/context_state.h"
#include "tls/openssl_error.h"
#include "tls/session.h"
#include "tls/verify.h"

namespace stoq::tls {
namespace {

using Code = CredentialError::Code;
using State = Context::State;

constexpr int kMaxChainDepth = 10;
constexpr long kTicketLifetime = 24 * 60 * 60;  // seconds
// The only value that QUIC allows (RFC 9001 section 4.6.1).
constexpr std::uint32_t kQuicMaxEarlyData = 0xffffffff;

std::unexpected<CredentialError> error(Code code, std::string detail = {}) {
    return std::unexpected(CredentialError{code, std::move(detail)});
}

std::string cipher_list(const CipherSuites& suites) {
    std::string list;
    const auto add = [&list](bool wanted, std::string_view name) {
        if (!wanted) return;
        if (!list.empty()) list += ':';
        list += name;
    };
    add(suites.aes_128_gcm, "TLS_AES_128_GCM_SHA256");
    add(suites.aes_256_gcm, "TLS_AES_256_GCM_SHA384");
    add(suites.chacha20_poly1305, "TLS_CHACHA20_POLY1305_SHA256");
    return list;
}

void set_protocol(SSL_CTX& context) {
    //= 9001-4.2-1
    //= 9001-4.2-2
    SSL_CTX_set_min_proto_version(&context, TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(&context, TLS1_3_VERSION);
    //= 9001-8.4-1
    SSL_CTX_clear_options(&context, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
    SSL_CTX_set_options(&context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                      SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                      SSL_OP_NO_TX_CERTIFICATE_COMPRESSION |
                                      SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);
    // The chain is sent as it was given; nothing is searched for and added.
    SSL_CTX_set_mode(&context, SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_max_cert_list(&context, static_cast<long>(MessageQueue::kMaxLength));
    SSL_CTX_set_verify_depth(&context, kMaxChainDepth);
}

CredentialResult<void> set_algorithms(State& state, const Credentials& credentials) {
    const std::string ciphers = cipher_list(credentials.cipher_suites);
    if (ciphers.empty()) return error(Code::kBadCipherSuites);
    if (SSL_CTX_set_ciphersuites(state.ssl.get(), ciphers.c_str()) != 1) {
        return error(Code::kBadCipherSuites, take_openssl_error().text);
    }
    if (SSL_CTX_set1_groups_list(state.ssl.get(), state.policy.groups.c_str()) != 1) {
        return error(Code::kBadGroups, state.policy.groups);
    }
    const std::string schemes = signature_list(state.policy.authentication);
    if (SSL_CTX_set1_sigalgs_list(state.ssl.get(), schemes.c_str()) != 1) {
        return error(Code::kInternal, take_openssl_error().text);
    }
    return {};
}

CredentialResult<LoadedIdentity> loaded(const State& state, const Identity& identity) {
    const Identity::Contents& contents = identity.contents();
    LoadedIdentity made;
    made.key = key_from(state.library, contents.key.view());
    if (!made.key) return error(Code::kInternal, contents.subject);
    for (const DerBytes& der : contents.chain) {
        made.chain.push_back(certificate_from(state.library, der));
        if (!made.chain.back()) return error(Code::kBadCertificate, contents.subject);
    }
    return made;
}

CredentialResult<void> add_identity(State& state, const LoadedIdentity& identity) {
    SSL_CTX* context = state.ssl.get();
    const bool used = identity.chain.empty()
                          ? SSL_CTX_use_PrivateKey(context, identity.key.get()) == 1
                          : SSL_CTX_use_cert_and_key(context, identity.chain.front().get(),
                                                     identity.key.get(), nullptr, 0) == 1;
    if (!used) return error(Code::kBadKey, take_openssl_error().text);
    for (std::size_t i = 1; i < identity.chain.size(); ++i) {
        if (SSL_CTX_add1_chain_cert(context, identity.chain[i].get()) != 1) {
            return error(Code::kBadCertificate, take_openssl_error().text);
        }
    }
    return {};
}

CredentialResult<void> set_identities(State& state, const Credentials& credentials) {
    if (state.role == Role::kServer && credentials.identities.empty()) {
        return error(Code::kNoIdentity);
    }
    for (const Identity& identity : credentials.identities) {
        auto made = loaded(state, identity);
        if (!made) return std::unexpected(made.error());
        const bool twice = std::ranges::any_of(state.identities, [&](const LoadedIdentity& other) {
            return kind_of(other.key.get()) == kind_of(made->key.get());
        });
        if (twice) return error(Code::kKeyKindTwice, identity.key_kind());
        if (auto added = add_identity(state, *made); !added) return added;
        state.identities.push_back(std::move(*made));
    }
    return {};
}

// RFC 7250. Without a list, only certificates are spoken of.
bool offer_types(SSL_CTX& context, RawPublicKeys wanted,
                 int (*set)(SSL_CTX*, const unsigned char*, std::size_t)) {
    constexpr std::array<unsigned char, 2> kTypes{TLSEXT_cert_type_rpk, TLSEXT_cert_type_x509};
    if (wanted == RawPublicKeys::kOff) return true;
    return set(&context, kTypes.data(), wanted == RawPublicKeys::kRequire ? 1 : 2) == 1;
}

CredentialResult<void> set_certificate_types(State& state) {
    const bool server = state.role == Role::kServer;
    const Policy& policy = state.policy;
    // A client without an identity says nothing of its type.
    const RawPublicKeys own = state.identities.empty() ? RawPublicKeys::kOff : policy.own_raw_keys;
    if (offer_types(*state.ssl, server ? own : policy.peer_raw_keys,
                    &SSL_CTX_set1_server_cert_type) &&
        offer_types(*state.ssl, server ? policy.peer_raw_keys : own,
                    &SSL_CTX_set1_client_cert_type)) {
        return {};
    }
    return error(Code::kInternal, take_openssl_error().text);
}

// RFC 8879. A compressed message that would expand too far is refused (session_callbacks.cpp).
void set_certificate_compression(SSL_CTX& context) {
    std::array<int, 2> algorithms{TLSEXT_comp_cert_zstd, TLSEXT_comp_cert_zlib};
    SSL_CTX_clear_options(
        &context, SSL_OP_NO_TX_CERTIFICATE_COMPRESSION | SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);
    // Neither works where OpenSSL was built without; certificates then travel as they are.
    (void)SSL_CTX_set1_cert_comp_preference(&context, algorithms.data(), algorithms.size());
    (void)SSL_CTX_compress_certs(&context, TLSEXT_comp_cert_none);
    ERR_clear_error();
}

int verify_mode(Role role, ClientAuthentication authentication) {
    //= 9001-4.4-1
    if (role == Role::kClient) return SSL_VERIFY_PEER;
    switch (authentication) {
        case ClientAuthentication::kNone: return SSL_VERIFY_NONE;
        case ClientAuthentication::kOptional: return SSL_VERIFY_PEER;
        case ClientAuthentication::kRequired:
            return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    std::unreachable();
}

CredentialResult<void> set_trust(State& state, const Credentials& credentials) {
    SSL_CTX_set_verify(state.ssl.get(), verify_mode(state.role, credentials.client_authentication),
                       nullptr);
    const bool judges = state.role == Role::kClient ||
                        credentials.client_authentication != ClientAuthentication::kNone;
    if (!judges) return {};
    const StoreHandle store = make_store(state.library, state.trust.contents());
    if (!store) return error(Code::kNoTrustAnchors);
    SSL_CTX_set1_verify_cert_store(state.ssl.get(), store.get());
    if (credentials.verification_time) {
        X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(state.ssl.get()),
                                   credentials.verification_time->time_since_epoch().count());
    }
    return {};
}

// Everything by which a peer is judged, so that no ticket outlives a change of it.
Sha256Digest binding_of(const State& state, const Credentials& credentials) {
    const Trust::Contents& trust = state.trust.contents();
    std::vector<std::uint8_t> bytes = {static_cast<std::uint8_t>(trust.kind),
                                       static_cast<std::uint8_t>(credentials.client_authentication),
                                       static_cast<std::uint8_t>(state.policy.key_exchange),
                                       static_cast<std::uint8_t>(state.policy.authentication),
                                       static_cast<std::uint8_t>(state.policy.peer_raw_keys)};
    bytes.insert(bytes.end(), trust.pin.begin(), trust.pin.end());
    for (const DerBytes& anchor : trust.anchors) {
        const Sha256Digest digest = sha256(state.library, anchor);
        bytes.insert(bytes.end(), digest.begin(), digest.end());
    }
    // Who a client is, is part of what a server's ticket stands for.
    if (state.role == Role::kClient) {
        for (const Identity& identity : credentials.identities) {
            bytes.insert(bytes.end(), identity.fingerprint().begin(), identity.fingerprint().end());
        }
    }
    return sha256(state.library, bytes);
}

void set_client_tickets(State& state) {
    SSL_CTX_set_session_cache_mode(
        state.ssl.get(),
        state.tickets ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
}

void set_server_tickets(State& state, std::span<const TicketSecret> secrets) {
    SSL_CTX* context = state.ssl.get();
    SSL_CTX_set_session_id_context(context, state.binding.data(),
                                   static_cast<unsigned>(state.binding.size()));
    SSL_CTX_set_timeout(context, kTicketLifetime);
    if (!state.tickets) {
        SSL_CTX_set_num_tickets(context, 0);
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    }
    // Replays of 0-RTT data are for the StrikeRegister to stop. OpenSSL's own way keeps sessions in
    // memory, so that no ticket survives a restart.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_ANTI_REPLAY);
    if (state.early_data) {
        //= 9001-4.6.1-1
        SSL_CTX_set_max_early_data(context, kQuicMaxEarlyData);
        SSL_CTX_set_recv_max_early_data(context, kQuicMaxEarlyData);
    }
    TicketSecret random{};
    if (secrets.empty() &&
        RAND_priv_bytes_ex(state.library.get(), random.data(), random.size(), 0) == 1) {
        secrets = {&random, 1};
    }
    state.ticket_keys.emplace(state.library,
                              secrets.first(std::min(secrets.size(), Context::kMaxTicketSecrets)));
    crypto::wipe(random);
}

CredentialResult<void> configure(State& state, const Credentials& credentials,
                                 std::span<const TicketSecret> secrets) {
    state.alpn = protocol_list(credentials.alpn);
    //= 9000-7-2
    if (state.alpn.empty()) return error(Code::kBadAlpn);
    auto policy = policy_of(state.role, credentials);
    if (!policy) return std::unexpected(policy.error());
    state.policy = std::move(*policy);
    set_protocol(*state.ssl);
    if (auto set = set_algorithms(state, credentials); !set) return set;
    if (auto set = set_identities(state, credentials); !set) return set;
    if (auto set = set_certificate_types(state); !set) return set;
    if (credentials.certificate_compression) set_certificate_compression(*state.ssl);
    if (auto set = set_trust(state, credentials); !set) return set;
    state.binding = binding_of(state, credentials);
    if (state.role == Role::kClient) set_client_tickets(state);
    if (state.role == Role::kServer) set_server_tickets(state, secrets);
    Session::install_callbacks(*state.ssl);
    return {};
}

}  // namespace

ProtocolList protocol_list(std::span<const std::string> names) {
    ProtocolList list;
    for (const std::string& name : names) {
        if (name.empty() || name.size() > 255) return {};
        list.push_back(static_cast<std::uint8_t>(name.size()));
        list.insert(list.end(), name.begin(), name.end());
    }
    // The extension counts its bytes in 16 bits.
    return list.size() <= 0xffff ? list : ProtocolList{};
}

Context::Context(std::unique_ptr<State> state) : state_(std::move(state)) {}
Context::~Context() = default;

Role Context::role() const {
    return state_->role;
}

const Policy& Context::policy() const {
    return state_->policy;
}

CredentialResult<std::shared_ptr<const Context>> Context::create(
    Role role, const Credentials& credentials, std::span<const TicketSecret> ticket_secrets) {
    ERR_clear_error();
    auto state = std::make_unique<State>();
    if (!state->library.is_usable()) return error(Code::kInternal, take_openssl_error().text);
    state->role = role;
    state->early_data = credentials.early_data && credentials.session_tickets;
    state->tickets = credentials.session_tickets;
    if (credentials.trust) state->trust = *credentials.trust;
    state->key_log = credentials.key_log;
    state->ssl.reset(SSL_CTX_new_ex(state->library.get(), nullptr, TLS_method()));
    if (!state->ssl) return error(Code::kInternal, take_openssl_error().text);
    SSL_CTX_set_app_data(state->ssl.get(), state.get());
    auto configured = configure(*state, credentials, ticket_secrets);
    ERR_clear_error();
    if (!configured) return std::unexpected(configured.error());
    return std::shared_ptr<const Context>(new Context(std::move(state)));
}

}  // namespace stoq::tls

namespace stoq {

CredentialResult<void> check_credentials(Role role, const Credentials& credentials) {
    const auto context = tls::Context::create(role, credentials);
    if (!context) return std::unexpected(context.error());
    return {};
}

}  // namespace stoq
