// What is behind a Context, for this folder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stoq/identity.h"
#include "tls/context.h"
#include "tls/identity_contents.h"
#include "tls/library.h"
#include "tls/openssl_handles.h"
#include "tls/policy.h"
#include "tls/ticket_keys.h"

namespace stoq::tls {

// Protocol names, each behind its length (RFC 7301 section 3.1). Empty when one of them cannot be
// used, or there is none.
using ProtocolList = std::vector<std::uint8_t>;
ProtocolList protocol_list(std::span<const std::string> names);

// An identity in this Context's library.
struct LoadedIdentity {
    std::vector<CertificateHandle> chain;  // leaf first; empty for a raw public key
    KeyHandle key;
};

struct Context::State {
    Role role = Role::kClient;
    bool early_data = false;
    bool tickets = false;
    Trust trust = Trust::system();
    ProtocolList alpn;
    std::function<void(std::string_view)> key_log;
    Policy policy;
    Sha256Digest binding{};  // of trust, policy and identities
    Library library;
    std::vector<LoadedIdentity> identities;
    std::optional<TicketKeys> ticket_keys;
    SslContextHandle ssl;
};

}  // namespace stoq::tls
