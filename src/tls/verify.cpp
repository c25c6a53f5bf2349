#include "tls/verify.h"

#include <unistd.h>

#include <ctime>

#include <openssl/err.h>

#include "crypto/secret.h"
#include "tls/algorithms.h"
#include "tls/certificates.h"
#include "tls/identity_contents.h"

namespace stoq::tls {
namespace {

using Kind = Trust::Contents::Kind;

CertificateProblem problem_of(int error) {
    switch (error) {
        case X509_V_ERR_CERT_HAS_EXPIRED: return CertificateProblem::kExpired;
        case X509_V_ERR_CERT_NOT_YET_VALID: return CertificateProblem::kNotYetValid;
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH: return CertificateProblem::kWrongHost;
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_CERT_UNTRUSTED: return CertificateProblem::kUnknownIssuer;
        default: return CertificateProblem::kOther;
    }
}

std::string date_of(const ASN1_TIME* time) {
    const std::time_t seconds = time_of(*time).time_since_epoch().count();
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
    return {text, length};
}

std::string text_of(CertificateProblem problem, int error, const X509& certificate) {
    switch (problem) {
        case CertificateProblem::kExpired:
            return "the peer's certificate expired on " + date_of(X509_get0_notAfter(&certificate));
        case CertificateProblem::kNotYetValid:
            return "the peer's certificate is not valid before " +
                   date_of(X509_get0_notBefore(&certificate));
        case CertificateProblem::kWrongHost:
            return "the peer's certificate is for other names: " + names_of(certificate);
        case CertificateProblem::kUnknownIssuer:
            return "the peer's certificate (" + subject_of(certificate) +
                   ") is not from a certificate authority that is trusted here";
        default:
            return std::string("the peer's certificate was refused: ") +
                   X509_verify_cert_error_string(error);
    }
}

Verdict judge_chain(X509_STORE_CTX& store) {
    if (X509_verify_cert(&store) == 1) return {};
    const int error = X509_STORE_CTX_get_error(&store);
    // The certificate at fault may be an intermediate.
    const X509* culprit = X509_STORE_CTX_get_current_cert(&store);
    if (culprit == nullptr) culprit = X509_STORE_CTX_get0_cert(&store);
    const CertificateProblem problem = problem_of(error);
    return {problem, text_of(problem, error, *culprit)};
}

// The peer's own key: of its certificate, or raw.
EVP_PKEY* peer_key(X509_STORE_CTX& store) {
    if (EVP_PKEY* raw = X509_STORE_CTX_get0_rpk(&store)) return raw;
    const X509* certificate = X509_STORE_CTX_get0_cert(&store);
    return certificate != nullptr ? X509_get0_pubkey(certificate) : nullptr;
}

Sha256Digest peer_fingerprint(const Library& library, X509_STORE_CTX& store) {
    if (EVP_PKEY* raw = X509_STORE_CTX_get0_rpk(&store)) return fingerprint_of(library, *raw);
    return fingerprint_of(library, *X509_STORE_CTX_get0_cert(&store));
}

Verdict judge_pin(const Library& library, const Sha256Digest& pin, X509_STORE_CTX& store) {
    const Sha256Digest fingerprint = peer_fingerprint(library, store);
    if (crypto::equal_in_constant_time(fingerprint, pin)) return {};
    X509_STORE_CTX_set_error(&store, X509_V_ERR_CERT_UNTRUSTED);
    return {CertificateProblem::kPinMismatch,
            "the peer's key is not the pinned one; its fingerprint is " + to_hex(fingerprint)};
}

Verdict judge_trust(const Library& library, const Trust::Contents& trust, X509_STORE_CTX& store) {
    switch (trust.kind) {
        case Kind::kInsecure: X509_STORE_CTX_set_error(&store, X509_V_OK); return {};
        case Kind::kPinned: return judge_pin(library, trust.pin, store);
        case Kind::kSystem:
        case Kind::kAnchors: return judge_chain(store);
    }
    std::unreachable();
}

// The keys that made the peer believed: all of the chain up to the anchor, or its own alone.
void record_chain(const Trust::Contents& trust, X509_STORE_CTX& store, Verdict& verdict) {
    const auto add = [&verdict](const EVP_PKEY* key) {
        const std::string kind = kind_of(key);
        verdict.post_quantum = verdict.post_quantum && is_post_quantum_key(kind);
        verdict.chain += (verdict.chain.empty() ? "" : ", ") + kind;
    };
    STACK_OF(X509)* chain = trust.needs_name() ? X509_STORE_CTX_get0_chain(&store) : nullptr;
    if (chain == nullptr) return add(peer_key(store));
    for (int i = 0; i < sk_X509_num(chain); ++i) add(X509_get0_pubkey(sk_X509_value(chain, i)));
}

// What the policy asks beyond trust.
void apply_policy(const Policy& policy, X509_STORE_CTX& store, Verdict& verdict) {
    if (policy.authentication == PostQuantum::kRequire && !verdict.post_quantum) {
        verdict.problem = CertificateProblem::kNotPostQuantum;
        verdict.text = "post-quantum authentication is required here, and the peer's keys are " +
                       verdict.chain;
        X509_STORE_CTX_set_error(&store, X509_V_ERR_EE_KEY_TOO_SMALL);
    } else if (policy.peer_raw_keys == RawPublicKeys::kRequire &&
               X509_STORE_CTX_get0_rpk(&store) == nullptr) {
        verdict.problem = CertificateProblem::kNotRaw;
        verdict.text = "a raw public key is required here, and the peer sent a certificate";
        X509_STORE_CTX_set_error(&store, X509_V_ERR_INVALID_PURPOSE);
    }
}

bool add_anchors(const Library& library, X509_STORE& store, const std::vector<DerBytes>& anchors) {
    for (const DerBytes& der : anchors) {
        const CertificateHandle certificate = certificate_from(library, der);
        if (!certificate || X509_STORE_add_cert(&store, certificate.get()) != 1) return false;
    }
    // Whoever is named in the file is believed, an intermediate or a server itself too.
    return X509_STORE_set_flags(&store, X509_V_FLAG_PARTIAL_CHAIN) == 1;
}

// Where distributions keep their certificate authorities, besides OpenSSL's own defaults, which are
// those of the machine on which OpenSSL was built.
bool add_system_anchors(const Library& library, X509_STORE& store) {
    bool found = X509_STORE_set_default_paths_ex(&store, library.get(), nullptr) == 1;
    for (const char* directory : {"/etc/ssl/certs", "/etc/pki/tls/certs"}) {
        if (access(directory, R_OK) == 0) {
            found |= X509_STORE_load_path(&store, directory) == 1;
        }
    }
    for (const char* bundle :
         {"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"}) {
        if (access(bundle, R_OK) == 0) {
            found |= X509_STORE_load_file_ex(&store, bundle, library.get(), nullptr) == 1;
            break;
        }
    }
    return found;
}

}  // namespace

Verdict judge(const Library& library, const Trust::Contents& trust, const Policy& policy,
              X509_STORE_CTX& store) {
    // Nothing that is negotiated leads here; a bare key never stands in for a chain.
    if (trust.needs_name() && X509_STORE_CTX_get0_rpk(&store) != nullptr) {
        X509_STORE_CTX_set_error(&store, X509_V_ERR_CERT_UNTRUSTED);
        return {CertificateProblem::kUnknownIssuer, "a raw public key has no issuer"};
    }
    Verdict verdict = judge_trust(library, trust, store);
    if (!verdict.accepted()) return verdict;
    record_chain(trust, store, verdict);
    apply_policy(policy, store, verdict);
    return verdict;
}

bool is_still_valid(const Trust::Contents& trust, const X509_VERIFY_PARAM& dates,
                    SSL_SESSION& session) {
    const X509* const certificate = SSL_SESSION_get0_peer(&session);
    return certificate == nullptr || !trust.needs_name() ||
           X509_cmp_timeframe(&dates, X509_get0_notBefore(certificate),
                              X509_get0_notAfter(certificate)) == 0;
}

StoreHandle make_store(const Library& library, const Trust::Contents& trust) {
    StoreHandle store(X509_STORE_new());
    bool filled = static_cast<bool>(store);
    if (filled && trust.kind == Kind::kAnchors)
        filled = add_anchors(library, *store, trust.anchors);
    if (filled && trust.kind == Kind::kSystem) filled = add_system_anchors(library, *store);
    ERR_clear_error();
    return filled ? std::move(store) : nullptr;
}

}  // namespace stoq::tls
