// Judging a peer's certificate.
#pragma once

#include <string>

#include "stoq/event.h"
#include "stoq/identity.h"
#include "tls/library.h"
#include "tls/openssl_handles.h"

namespace stoq::tls {

struct Verdict {
    CertificateProblem problem = CertificateProblem::kNone;
    std::string text;  // one line for people; empty when there is no problem

    bool accepted() const { return problem == CertificateProblem::kNone; }
};

// `store` is what OpenSSL has prepared: the peer's chain, the anchors and the wanted name. A
// refusal is also recorded in it, where OpenSSL takes the alert from.
Verdict judge(const Library& library, const Trust::Contents& trust, X509_STORE_CTX& store);

// A store with the anchors of `trust`. A store without any is no use and gives null, except where
// none are needed.
StoreHandle make_store(const Library& library, const Trust::Contents& trust);

}  // namespace stoq::tls
