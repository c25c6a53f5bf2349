#include "tls/session.h"

#include <algorithm>

#include <openssl/err.h>

#include "base/check.h"
#include "base/try.h"
#include "tls/algorithms.h"
#include "tls/certificates.h"
#include "tls/context_state.h"
#include "tls/openssl_error.h"
#include "tls/session_callbacks.h"
#include "tls/ticket.h"
#include "tls/verify.h"

namespace stoq::tls {
namespace {

constexpr std::uint32_t kCryptoFrame = 0x06;
// What a ticket says of the handshake that it comes from, before the name of the signature.
constexpr char kPostQuantumMark = '+';
constexpr char kClassicalMark = '-';
constexpr std::string_view kNoCause = "the handshake failed";

Reason reason_for(std::uint8_t alert) {
    switch (alert) {
        case SSL_AD_NO_APPLICATION_PROTOCOL: return Reason::kNoApplicationProtocol;
        case SSL_AD_MISSING_EXTENSION: return Reason::kMissingParameter;
        default: return Reason::kTlsAlert;
    }
}

// "[::1]" and "example.org." as OpenSSL wants them.
std::string plain_name(std::string_view name) {
    if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
    if (name.ends_with('.')) name.remove_suffix(1);
    return std::string(name);
}

}  // namespace

std::optional<ByteView> remembered_transport_parameters(ByteView ticket) {
    const auto unpacked = unpack(ticket);
    if (!unpacked) return std::nullopt;
    return unpacked->transport_parameters;
}

Session::Session(std::shared_ptr<const Context> context)
    : context_(std::move(context)), ssl_(SSL_new(context_->state().ssl.get())) {}

Session::~Session() = default;

ApiResult<std::unique_ptr<Session>> Session::create(std::shared_ptr<const Context> context,
                                                    SessionParameters parameters) {
    ERR_clear_error();
    std::unique_ptr<Session> session(new Session(std::move(context)));
    auto configured = session->configure(parameters);
    ERR_clear_error();
    if (!configured) return std::unexpected(configured.error());
    return session;
}

bool Session::set_local_parameters(std::vector<std::uint8_t> bytes) {
    local_parameters_ = std::move(bytes);
    return SSL_set_quic_tls_transport_params(ssl_.get(), local_parameters_.data(),
                                             local_parameters_.size()) == 1;
}

ApiResult<void> Session::configure(SessionParameters& parameters) {
    if (!ssl_) return std::unexpected(ApiError::kCredentials);
    SSL* ssl = ssl_.get();
    const Context::State& state = context_->state();
    SSL_set_app_data(ssl, this);
    info_.post_quantum_required = state.policy.key_exchange == PostQuantum::kRequire ||
                                  state.policy.authentication == PostQuantum::kRequire;
    // Before SSL_set_quic_tls_cbs, which looks at it.
    state.role == Role::kServer ? SSL_set_accept_state(ssl) : SSL_set_connect_state(ssl);
    answer_ = std::move(parameters.answer);
    const ByteView local = parameters.local_transport_parameters;
    if (SSL_set_quic_tls_cbs(ssl, Callbacks::record_layer(), this) != 1 ||
        !set_local_parameters({local.begin(), local.end()})) {
        return std::unexpected(ApiError::kCredentials);
    }
    early_.limits = parameters.early_data_limits;
    early_.strikes = parameters.strikes;
    if (state.role == Role::kServer) {
        if (state.early_data) SSL_set_quic_tls_early_data_enabled(ssl, 1);
        return {};
    }
    if (!configure_client(parameters)) return std::unexpected(ApiError::kInvalidArgument);
    if (!advance()) return std::unexpected(ApiError::kCredentials);
    return {};
}

bool Session::configure_client(const SessionParameters& parameters) {
    const Context::State& state = context_->state();
    const ProtocolList own = protocol_list(parameters.alpn);
    const ProtocolList& alpn = parameters.alpn.empty() ? state.alpn : own;
    // This one call of OpenSSL returns 0 for success.
    if (alpn.empty() ||
        SSL_set_alpn_protos(ssl_.get(), alpn.data(), static_cast<unsigned>(alpn.size())) != 0) {
        return false;
    }
    if (!set_server_name(parameters.server_name)) return false;
    offer_ticket(parameters.ticket, alpn);
    return true;
}

bool Session::set_server_name(std::string_view given) {
    const bool needed = context_->state().trust.contents().needs_name();
    if (given.empty()) return !needed;
    const std::string name = plain_name(given);
    info_.server_name = name;
    if (const AddressHandle address = address_from(name)) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), name.c_str()) == 1;
    }
    if (!is_dns_name(name, /*wildcard=*/false)) return false;
    SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl_.get(), name.c_str()) == 1 &&
           SSL_set_tlsext_host_name(ssl_.get(), name.c_str()) == 1;
}

Sha256Digest Session::ticket_binding() const {
    const Context::State& state = context_->state();
    std::vector<std::uint8_t> bytes(state.binding.begin(), state.binding.end());
    bytes.insert(bytes.end(), info_.server_name.begin(), info_.server_name.end());
    return sha256(state.library, bytes);
}

void Session::offer_ticket(ByteView bytes, const ProtocolList& alpn) {
    const auto ticket = unpack(bytes);
    const Context::State& state = context_->state();
    if (!ticket || !state.tickets || ticket->binding != ticket_binding()) return;
    const unsigned char* at = ticket->session.data();
    const SslSessionHandle session(d2i_SSL_SESSION_ex(
        nullptr, &at, static_cast<long>(ticket->session.size()), state.library.get(), nullptr));
    if (!session ||
        !is_still_valid(state.trust.contents(), *SSL_get0_param(ssl_.get()), *session) ||
        SSL_set_session(ssl_.get(), session.get()) != 1) {
        return;
    }
    // 0-RTT data is for the protocol of the connection that the ticket came from.
    if (!state.early_data || !offers_protocol_of(*session, alpn)) return;
    // Fails where the ticket does not allow it; then there is no 0-RTT.
    early_.to_offer = SSL_set_quic_tls_early_data_enabled(ssl_.get(), 1) == 1;
}

bool Session::offers_protocol_of(const SSL_SESSION& session, const ProtocolList& alpn) {
    const unsigned char* name = nullptr;
    std::size_t length = 0;
    SSL_SESSION_get0_alpn_selected(&session, &name, &length);
    for (ByteView rest(alpn); !rest.empty(); rest = rest.subspan(1 + std::size_t{rest[0]})) {
        if (!std::ranges::equal(rest.subspan(1, rest[0]), ByteView(name, length))) continue;
        info_.alpn.assign(reinterpret_cast<const char*>(name), length);
        return true;
    }
    return false;
}

bool Session::early_data_accepted() const {
    return ssl_ && SSL_get_early_data_status(ssl_.get()) == SSL_EARLY_DATA_ACCEPTED;
}

TransportResult<void> Session::receive(EncryptionLevel level, ByteView bytes) {
    if (error_) return std::unexpected(*error_);
    if (bytes.empty()) return {};
    if (level != receive_level_) {
        //= 9001-4.1.3-1
        //= 9001-4.1.3-2
        //= 9001-8.3-2
        refuse(TransportErrorCode::kProtocolViolation, Reason::kCryptoDataAtWrongLevel,
               "handshake bytes came at the wrong encryption level");
        return std::unexpected(fail());
    }
    if (!incoming_.append(bytes)) {
        refuse(TransportErrorCode::kCryptoBufferExceeded, Reason::kCryptoBufferFull,
               "the peer's TLS message is too long");
        return std::unexpected(fail());
    }
    return advance();
}

TransportResult<void> Session::advance() {
    ERR_clear_error();
    int result = 1;
    if (!complete_ && !flight_sent_) {
        result = SSL_do_handshake(ssl_.get());
        // A server that would take 0-RTT data is told to be done once its own flight is written.
        flight_sent_ = result == 1;
        // The ClientHello is written. OpenSSL would offer 0-RTT data in a second one too, which
        // answers a HelloRetryRequest and must not (RFC 8446 section 4.1.2).
        if (std::exchange(early_.to_offer, false)) {
            SSL_SESSION_set_max_early_data(SSL_get0_session(ssl_.get()), 0);
        }
    }
    // From there on messages are read by SSL_read, which has no data of its own to give.
    if (flight_sent_ && !incoming_.empty()) result = SSL_read(ssl_.get(), nullptr, 0);
    if (!complete_ && !error_ && SSL_is_init_finished(ssl_.get()) == 1) {
        STOQ_TRY(on_handshake_done());
    }
    if (error_) return std::unexpected(fail());
    if (result <= 0 && SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) {
        return std::unexpected(fail());
    }
    ERR_clear_error();
    return {};
}

TransportResult<void> Session::on_handshake_done() {
    //= 9001-8.2-1
    if (!peer_parameters_) {
        refuse(crypto_error(SSL_AD_MISSING_EXTENSION), Reason::kMissingParameter,
               "the peer sent no QUIC transport parameters");
    }
    record_peer();
    record_negotiated();
    record_signatures();
    enforce_policy();
    //= 9001-8.1-3
    if (info_.alpn.empty()) {
        refuse(crypto_error(SSL_AD_NO_APPLICATION_PROTOCOL), Reason::kNoApplicationProtocol,
               "the peer chose no application protocol");
    }
    if (error_) return std::unexpected(fail());
    complete_ = true;
    events_.emplace_back(std::in_place_type<HandshakeComplete>);
    return {};
}

void Session::record_peer() {
    const Library& library = context_->state().library;
    if (EVP_PKEY* key = SSL_get0_peer_rpk(ssl_.get())) {
        info_.peer_certificate_type = CertificateType::kRawPublicKey;
        info_.peer_fingerprint = to_hex(fingerprint_of(library, *key));
    } else if (const X509* certificate = SSL_get0_peer_certificate(ssl_.get())) {
        info_.peer_certificate_type = CertificateType::kX509;
        info_.peer_fingerprint = to_hex(fingerprint_of(library, *certificate));
        info_.peer_subject = subject_of(*certificate);
    }
}

void Session::record_negotiated() {
    SSL* ssl = ssl_.get();
    const auto text = [](const char* name) { return name != nullptr ? std::string(name) : ""; };
    const unsigned char* alpn = nullptr;
    unsigned int alpn_length = 0;
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_length);
    info_.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_length);
    info_.group = text(SSL_get0_group_name(ssl));
    info_.cipher_suite = text(SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)));
    info_.resumed = SSL_session_reused(ssl) == 1;
    info_.early_data_accepted = early_data_accepted();
    info_.post_quantum_key_exchange = is_post_quantum_group(info_.group);
}

// There is none in a resumed handshake.
void Session::record_signatures() {
    if (info_.resumed) return record_original();
    const bool client = context_->role() == Role::kClient;
    const char* name = nullptr;
    std::string own;
    if (SSL_get0_signature_name(ssl_.get(), &name) == 1 && name != nullptr) own = name;
    name = nullptr;
    std::string peers;
    if (SSL_get0_peer_signature_name(ssl_.get(), &name) == 1 && name != nullptr) peers = name;
    info_.signature = client ? peers : own;
    info_.client_signature = client ? own : peers;
    const std::string& clients = info_.client_signature;
    info_.post_quantum_authentication = is_post_quantum_scheme(info_.signature) &&
                                        (clients.empty() || is_post_quantum_scheme(clients)) &&
                                        chain_is_post_quantum_;
}

// Nothing was signed: what counts is the full handshake before, of which a client's ticket tells.
// On a server the ticket's binding says that the policy was the present one.
void Session::record_original() {
    const bool required = context_->state().policy.authentication == PostQuantum::kRequire;
    info_.post_quantum_authentication = required;
    void* kept = nullptr;
    std::size_t length = 0;
    if (context_->role() == Role::kServer ||
        SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl_.get()), &kept, &length) != 1 ||
        length == 0) {
        return;
    }
    const std::string_view text(static_cast<const char*>(kept), length);
    info_.post_quantum_authentication = text.front() == kPostQuantumMark;
    info_.original_signature = text.substr(1);
}

std::string Session::original_to_keep() const {
    const std::string& signature = info_.resumed ? info_.original_signature : info_.signature;
    return (info_.post_quantum_authentication ? kPostQuantumMark : kClassicalMark) + signature;
}

void Session::enforce_policy() {
    const Policy& policy = context_->state().policy;
    if (policy.key_exchange == PostQuantum::kRequire && !info_.post_quantum_key_exchange) {
        refuse(crypto_error(SSL_AD_INSUFFICIENT_SECURITY), Reason::kPostQuantumRequired,
               "post-quantum key exchange is required here, and was not negotiated");
    }
    // A ticket is bound to the policy under which its full handshake was judged.
    if (policy.authentication == PostQuantum::kRequire && !info_.resumed &&
        !info_.post_quantum_authentication) {
        refuse(crypto_error(SSL_AD_INSUFFICIENT_SECURITY), Reason::kPostQuantumRequired,
               "post-quantum authentication is required here, and was not negotiated");
    }
}

bool Session::fails_by_policy(const OpensslError& cause) const {
    const Policy& policy = context_->state().policy;
    const bool no_group =
        cause.is_ssl(SSL_R_NO_SUITABLE_KEY_SHARE) || cause.is_ssl(SSL_R_NO_SUITABLE_GROUPS);
    const bool no_scheme = cause.is_ssl(SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM) ||
                           cause.is_ssl(SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS);
    return (no_group && policy.key_exchange == PostQuantum::kRequire) ||
           (no_scheme && policy.authentication == PostQuantum::kRequire);
}

int Session::refuse_certificates() {
    refuse(crypto_error(SSL_AD_UNSUPPORTED_CERTIFICATE), Reason::kTlsFailed,
           "this side has a raw public key, and the peer wants a certificate");
    return 0;
}

void Session::refuse(TransportErrorCode code, Reason reason, std::string_view why) {
    if (error_) return;
    error_ = TransportError{code, reason, kCryptoFrame};
    info_.failure = why;
}

TransportError Session::fail() {
    const OpensslError cause = take_openssl_error();
    if (!error_) {
        const std::uint8_t alert = alert_.value_or(SSL_AD_INTERNAL_ERROR);
        error_ = TransportError{crypto_error(alert), reason_for(alert), kCryptoFrame};
        //= 9001-4.6.1-2
        if (cause.is_ssl(SSL_R_INVALID_MAX_EARLY_DATA)) {
            error_->code = TransportErrorCode::kProtocolViolation;
        }
        if (fails_by_policy(cause)) {
            error_->code = crypto_error(SSL_AD_INSUFFICIENT_SECURITY);
            error_->reason = Reason::kPostQuantumRequired;
        }
        if (cause.is_ssl(SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)) {
            info_.certificate_problem = CertificateProblem::kMissing;
        }
    }
    if (info_.failure.empty()) info_.failure = cause.text.empty() ? kNoCause : "TLS: " + cause.text;
    // Nothing of a failed handshake is to be used. OpenSSL goes first: it gives back what it was
    // lent.
    ssl_.reset();
    events_.clear();
    for (auto& bytes : outgoing_) bytes.clear();
    incoming_ = {};
    return *error_;
}

std::optional<TlsEvent> Session::poll_event() {
    if (events_.empty()) return std::nullopt;
    std::optional<TlsEvent> event(std::move(events_.front()));
    events_.pop_front();
    return event;
}

void Session::consume(EncryptionLevel level, std::size_t length) {
    auto& bytes = outgoing_[index_of(level)];
    STOQ_CHECK(length <= bytes.size());
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    if (bytes.empty()) bytes = {};
}

bool Session::has_pending() const {
    return std::ranges::any_of(outgoing_, [](const auto& bytes) { return !bytes.empty(); });
}

}  // namespace stoq::tls
