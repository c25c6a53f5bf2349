// Judging a peer's certificate.
#pragma once

#include <string>

#include "stoq/event.h"
#include "stoq/identity.h"
#include "tls/library.h"
#include "tls/openssl_handles.h"
#include "tls/policy.h"

namespace stoq::tls {

struct Verdict {
    CertificateProblem problem = CertificateProblem::kNone;
    std::string text{};  // one line for people; empty when there is no problem
    // The kinds of the keys that were relied on, leaf first: "falcon1024, EC"; and whether all of
    // them are post-quantum.
    std::string chain{};
    bool post_quantum = true;

    bool accepted() const { return problem == CertificateProblem::kNone; }
};

// `store` is what OpenSSL has prepared: the peer's chain, the anchors and the wanted name; or the
// peer's raw public key. A refusal is also recorded in it, where OpenSSL takes the alert from.
Verdict judge(const Library& library, const Trust::Contents& trust, const Policy& policy,
              X509_STORE_CTX& store);

// Whether what the peer showed when `session` began has not run out since; a resumed handshake
// shows nothing. `dates` says when that is judged. Keys that are pinned, and raw ones, have no
// dates.
bool is_still_valid(const Trust::Contents& trust, const X509_VERIFY_PARAM& dates,
                    SSL_SESSION& session);

// A store with the anchors of `trust`. A store without any is no use and gives null, except where
// none are needed.
StoreHandle make_store(const Library& library, const Trust::Contents& trust);

}  // namespace stoq::tls
