#include "tls/session_callbacks.h"

#include <algorithm>

#include "base/bytes.h"
#include "tls/context_state.h"
#include "tls/ticket.h"
#include "tls/verify.h"

namespace stoq::tls {
namespace {

constexpr int kOk = 1;
constexpr int kFailed = 0;
// A server that sends more than this gets them ignored.
constexpr std::uint8_t kMaxTickets = 8;

// Message types (RFC 8446 section 4).
constexpr std::uint8_t kEndOfEarlyData = 5;
constexpr std::uint8_t kCertificateRequest = 13;
constexpr std::uint8_t kKeyUpdate = 24;
constexpr std::uint8_t kCompressedCertificate = 25;  // RFC 8879

// What a ticket remembers for 0-RTT: the strike register's number and the limits.
constexpr std::size_t kEarlyDataMemory = sizeof(std::uint64_t) + sizeof(EarlyDataLimits);

constexpr unsigned kAlpnExtension = 16;
constexpr unsigned kTransportParametersExtension = 57;

EncryptionLevel level_of(std::uint32_t protection_level) {
    switch (protection_level) {
        case OSSL_RECORD_PROTECTION_LEVEL_NONE: return EncryptionLevel::kInitial;
        case OSSL_RECORD_PROTECTION_LEVEL_EARLY: return EncryptionLevel::kZeroRtt;
        case OSSL_RECORD_PROTECTION_LEVEL_HANDSHAKE: return EncryptionLevel::kHandshake;
        default: return EncryptionLevel::kOneRtt;
    }
}

std::optional<crypto::CipherSuite> cipher_suite_of(SSL* ssl, EncryptionLevel level) {
    const SSL_CIPHER* cipher = level == EncryptionLevel::kZeroRtt
                                   ? SSL_SESSION_get0_cipher(SSL_get0_session(ssl))
                                   : SSL_get_pending_cipher(ssl);
    if (cipher == nullptr) return std::nullopt;
    return crypto::cipher_suite_from(SSL_CIPHER_get_protocol_id(cipher));
}

bool has_extension(SSL* ssl, unsigned type) {
    const unsigned char* bytes = nullptr;
    std::size_t length = 0;
    return SSL_client_hello_get0_ext(ssl, type, &bytes, &length) == 1;
}

Session& cast(void* session) {
    return *static_cast<Session*>(session);
}

}  // namespace

Session& Session::Callbacks::session_of(const SSL* ssl) {
    return cast(SSL_get_app_data(ssl));
}

const OSSL_DISPATCH* Session::Callbacks::record_layer() {
    using Function = void (*)();
    static constexpr auto kCast = [](auto function) {
        return reinterpret_cast<Function>(function);
    };
    static const OSSL_DISPATCH table[] = {
        {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_SEND, kCast(&send)},
        {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_RECV_RCD, kCast(&receive)},
        {OSSL_FUNC_SSL_QUIC_TLS_CRYPTO_RELEASE_RCD, kCast(&release)},
        {OSSL_FUNC_SSL_QUIC_TLS_YIELD_SECRET, kCast(&yield_secret)},
        {OSSL_FUNC_SSL_QUIC_TLS_GOT_TRANSPORT_PARAMS, kCast(&got_parameters)},
        {OSSL_FUNC_SSL_QUIC_TLS_ALERT, kCast(&alert)},
        {0, nullptr},
    };
    return table;
}

int Session::Callbacks::send(SSL*, const unsigned char* bytes, std::size_t length,
                             std::size_t* consumed, void* session) {
    auto& outgoing = cast(session).outgoing_[index_of(cast(session).send_level_)];
    outgoing.insert(outgoing.end(), bytes, bytes + length);
    *consumed = length;
    return kOk;
}

// Messages that TLS over TCP knows and QUIC forbids.
bool Session::Callbacks::allows(const Session& session, std::uint8_t message_type) {
    if (message_type == kEndOfEarlyData || message_type == kKeyUpdate) return false;
    return message_type != kCertificateRequest || !session.complete_;
}

// OpenSSL before 3.5.5 believes what a peer claims, and allocates it.
bool Session::Callbacks::expands_too_far(ByteView message) {
    ByteReader reader(message);
    const auto type = reader.read<std::uint8_t>();
    constexpr std::size_t kLengthAndAlgorithm = 3 + sizeof(std::uint16_t);
    if (type != kCompressedCertificate || !reader.read_bytes(kLengthAndAlgorithm)) return false;
    const auto high = reader.read<std::uint8_t>();
    const auto low = reader.read<std::uint16_t>();
    if (!high || !low) return false;  // OpenSSL will say what is wrong
    return (std::size_t{*high} << 16 | *low) > MessageQueue::kMaxLength;
}

int Session::Callbacks::receive(SSL*, const unsigned char** bytes, std::size_t* length,
                                void* argument) {
    Session& session = cast(argument);
    const ByteView message = session.incoming_.lend();
    if (!message.empty() && !allows(session, message.front())) {
        //= 9001-4.4-5
        const bool request = message.front() == kCertificateRequest;
        session.refuse(request ? TransportErrorCode::kProtocolViolation
                               : crypto_error(SSL_AD_UNEXPECTED_MESSAGE),
                       Reason::kTlsFailed, "the peer sent a TLS message that QUIC forbids");
        return kFailed;
    }
    if (expands_too_far(message)) {
        session.refuse(crypto_error(SSL_AD_BAD_CERTIFICATE), Reason::kTlsFailed,
                       "the peer's certificate message is too long when it is expanded");
        return kFailed;
    }
    *bytes = message.data();
    *length = message.size();
    return kOk;
}

int Session::Callbacks::release(SSL*, std::size_t, void* session) {
    cast(session).incoming_.release();
    return kOk;
}

int Session::Callbacks::yield_secret(SSL* ssl, std::uint32_t protection_level, int direction,
                                     const unsigned char* secret, std::size_t length,
                                     void* argument) {
    Session& session = cast(argument);
    const EncryptionLevel level = level_of(protection_level);
    const auto cipher_suite = cipher_suite_of(ssl, level);
    if (!cipher_suite || length > crypto::Secret::kCapacity) return kFailed;
    const Direction which = direction == 0 ? Direction::kReceive : Direction::kSend;
    // No handshake message is ever protected with 0-RTT keys.
    if (level != EncryptionLevel::kZeroRtt && which == Direction::kReceive) {
        //= 9001-4.1.3-3
        if (session.incoming_.has_waiting()) {
            session.refuse(TransportErrorCode::kProtocolViolation, Reason::kCryptoDataAtWrongLevel,
                           "handshake bytes were left over when the keys changed");
            return kFailed;
        }
        session.receive_level_ = level;
    } else if (level != EncryptionLevel::kZeroRtt) {
        session.send_level_ = level;
    }
    session.events_.push_back(
        SecretInstalled{level, which, *cipher_suite, crypto::Secret(ByteView(secret, length))});
    return kOk;
}

int Session::Callbacks::got_parameters(SSL*, const unsigned char* bytes, std::size_t length,
                                       void* argument) {
    Session& session = cast(argument);
    // A ClientHello that answers a HelloRetryRequest repeats them.
    if (session.peer_parameters_) {
        if (std::ranges::equal(*session.peer_parameters_, ByteView(bytes, length))) return kOk;
        session.refuse(TransportErrorCode::kTransportParameterError, Reason::kBadParameterValue,
                       "the peer changed its transport parameters during the handshake");
        return kFailed;
    }
    session.peer_parameters_.emplace(bytes, bytes + length);
    session.events_.push_back(PeerTransportParameters{*session.peer_parameters_});
    if (!session.answer_) return kOk;
    return session.set_local_parameters(session.answer_(*session.peer_parameters_)) ? kOk : kFailed;
}

int Session::Callbacks::alert(SSL*, unsigned char code, void* session) {
    //= 9001-4.8-1
    if (!cast(session).alert_) cast(session).alert_ = code;
    return kOk;
}

// What RFC 9001 asks of a ClientHello beyond RFC 8446, before anything is computed for it.
int Session::Callbacks::client_hello(SSL* ssl, int*, void*) {
    Session& session = session_of(ssl);
    const unsigned char* legacy_session_id = nullptr;
    if (SSL_client_hello_get0_session_id(ssl, &legacy_session_id) != 0) {
        //= 9001-8.4-2
        session.refuse(TransportErrorCode::kProtocolViolation, Reason::kTlsFailed,
                       "the client asked for TLS's compatibility mode");
    } else if (!has_extension(ssl, kTransportParametersExtension)) {
        //= 9001-8.2-1
        session.refuse(crypto_error(SSL_AD_MISSING_EXTENSION), Reason::kMissingParameter,
                       "the client sent no QUIC transport parameters");
    } else if (!has_extension(ssl, kAlpnExtension)) {
        //= 9001-8.1-2
        session.refuse(crypto_error(SSL_AD_NO_APPLICATION_PROTOCOL), Reason::kNoApplicationProtocol,
                       "the client offered no application protocol");
    }
    return session.error_ ? SSL_CLIENT_HELLO_ERROR : SSL_CLIENT_HELLO_SUCCESS;
}

// OpenSSL counts a key without a certificate as usable for certificates too once raw keys are
// allowed, and would send an empty chain.
int Session::Callbacks::choose_identities(SSL* ssl, void*) {
    Session& session = session_of(ssl);
    const Context::State& state = session.context_->state();
    const int type = state.role == Role::kServer ? SSL_get_negotiated_server_cert_type(ssl)
                                                 : SSL_get_negotiated_client_cert_type(ssl);
    if (type == TLSEXT_cert_type_rpk) return kOk;
    if (state.role == Role::kServer && state.policy.own_raw_keys == RawPublicKeys::kRequire) {
        return session.refuse_certificates();
    }
    SSL_certs_clear(ssl);
    bool any = false;
    for (const LoadedIdentity& identity : state.identities) {
        if (identity.chain.empty()) continue;
        any = true;
        if (SSL_use_cert_and_key(ssl, identity.chain.front().get(), identity.key.get(), nullptr,
                                 0) != 1) {
            return kFailed;
        }
        for (std::size_t i = 1; i < identity.chain.size(); ++i) {
            if (SSL_add1_chain_cert(ssl, identity.chain[i].get()) != 1) return kFailed;
        }
    }
    // A client just shows nothing.
    return any || state.role == Role::kClient ? kOk : session.refuse_certificates();
}

int Session::Callbacks::server_name(SSL* ssl, int*, void*) {
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
    session_of(ssl).info_.server_name = name;
    return SSL_TLSEXT_ERR_OK;
}

int Session::Callbacks::select_protocol(SSL* ssl, const unsigned char** chosen,
                                        unsigned char* length, const unsigned char* offered,
                                        unsigned int offered_length, void*) {
    const ProtocolList& accepted = session_of(ssl).context_->state().alpn;
    unsigned char* selected = nullptr;
    //= 9001-8.1-1
    //= 9001-8.1-6
    if (SSL_select_next_proto(&selected, length, accepted.data(),
                              static_cast<unsigned>(accepted.size()), offered,
                              offered_length) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *chosen = selected;
    return SSL_TLSEXT_ERR_OK;
}

int Session::Callbacks::verify(X509_STORE_CTX* store, void*) {
    const auto* ssl = static_cast<const SSL*>(
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    Session& session = session_of(ssl);
    const Context::State& state = session.context_->state();
    const Verdict verdict = judge(state.library, state.trust.contents(), state.policy, *store);
    if (verdict.accepted()) {
        session.info_.peer_chain = verdict.chain;
        session.chain_is_post_quantum_ = verdict.post_quantum;
        return kOk;
    }
    session.info_.certificate_problem = verdict.problem;
    session.info_.failure = verdict.text;
    return kFailed;
}

int Session::Callbacks::new_ticket(SSL* ssl, SSL_SESSION* ssl_session) {
    constexpr int kReferenceNotTaken = 0;
    Session& session = session_of(ssl);
    const std::string original = session.original_to_keep();
    SSL_SESSION_set1_ticket_appdata(ssl_session, original.data(), original.size());
    const int length = i2d_SSL_SESSION(ssl_session, nullptr);
    if (length <= 0 || session.tickets_received_ == kMaxTickets || !session.peer_parameters_) {
        return kReferenceNotTaken;
    }
    ++session.tickets_received_;
    WipedBytes der(static_cast<std::size_t>(length));
    unsigned char* at = der.writable().data();
    i2d_SSL_SESSION(ssl_session, &at);
    session.events_.push_back(
        TicketReceived{pack({session.ticket_binding(), der.view(), *session.peer_parameters_})});
    return kReferenceNotTaken;
}

// A server's ticket says what its holder may count on, and who knows whether it was used.
int Session::Callbacks::write_ticket(SSL* ssl, void*) {
    const Session& session = session_of(ssl);
    if (session.early_.strikes == nullptr) return kOk;
    std::array<std::uint8_t, kEarlyDataMemory> bytes;
    ByteWriter writer(bytes);
    writer.write(session.early_.strikes->number());
    for (const std::uint64_t limit : session.early_.limits) writer.write(limit);
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), bytes.data(), bytes.size());
}

// What OpenSSL would do, unless the client's certificate has run out since it was shown.
SSL_TICKET_RETURN Session::Callbacks::accept_ticket(SSL* ssl, SSL_SESSION* ssl_session,
                                                    const unsigned char*, std::size_t,
                                                    SSL_TICKET_STATUS status, void*) {
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    const Trust::Contents& trust = session_of(ssl).context_->state().trust.contents();
    if (!is_still_valid(trust, *SSL_get0_param(ssl), *ssl_session)) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

// TLS would accept the client's 0-RTT data: may it?
int Session::Callbacks::allow_early_data(SSL* ssl, void*) {
    const Session& session = session_of(ssl);
    void* remembered = nullptr;
    std::size_t length = 0;
    if (session.early_.strikes == nullptr ||
        SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &remembered, &length) != 1 ||
        length != kEarlyDataMemory) {
        return kFailed;
    }
    ByteReader reader({static_cast<const std::uint8_t*>(remembered), length});
    if (reader.read<std::uint64_t>() != session.early_.strikes->number()) return kFailed;
    //= 9000-7.4.1-5
    //= 9000-7.4.1-6
    //= 9000-7.4.1-9
    //= 9221-3-8
    for (const std::uint64_t limit : session.early_.limits) {
        const auto promised = reader.read<std::uint64_t>();
        if (!promised || *promised > limit) return kFailed;
    }
    std::array<unsigned char, SSL3_RANDOM_SIZE> random;
    if (SSL_get_client_random(ssl, random.data(), random.size()) != random.size()) return kFailed;
    return session.early_.strikes->accept(random) ? kOk : kFailed;
}

int Session::Callbacks::ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv,
                                   EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int sealing) {
    const auto& keys = session_of(ssl).context_->state().ticket_keys;
    if (!keys) return 0;
    return sealing != 0 ? keys->begin_seal(name, iv, cipher, mac)
                        : keys->begin_open(name, iv, cipher, mac);
}

void Session::Callbacks::key_log(const SSL* ssl, const char* line) {
    session_of(ssl).context_->state().key_log(line);
}

void Session::install_callbacks(SSL_CTX& context) {
    const auto& state = *static_cast<const Context::State*>(SSL_CTX_get_app_data(&context));
    SSL_CTX_set_cert_verify_callback(&context, &Callbacks::verify, nullptr);
    const bool any_raw = std::ranges::any_of(
        state.identities, [](const LoadedIdentity& identity) { return identity.chain.empty(); });
    if (any_raw || state.policy.own_raw_keys == RawPublicKeys::kRequire) {
        SSL_CTX_set_cert_cb(&context, &Callbacks::choose_identities, nullptr);
    }
    if (state.key_log) SSL_CTX_set_keylog_callback(&context, &Callbacks::key_log);
    if (state.role == Role::kClient) {
        if (state.tickets) SSL_CTX_sess_set_new_cb(&context, &Callbacks::new_ticket);
        return;
    }
    SSL_CTX_set_client_hello_cb(&context, &Callbacks::client_hello, nullptr);
    SSL_CTX_set_tlsext_servername_callback(&context, &Callbacks::server_name);
    SSL_CTX_set_alpn_select_cb(&context, &Callbacks::select_protocol, nullptr);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(&context, &Callbacks::ticket_key);
    SSL_CTX_set_session_ticket_cb(&context, &Callbacks::write_ticket, &Callbacks::accept_ticket,
                                  nullptr);
    SSL_CTX_set_allow_early_data_cb(&context, &Callbacks::allow_early_data, nullptr);
}

}  // namespace stoq::tls
