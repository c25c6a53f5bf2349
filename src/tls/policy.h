// What Credentials ask of a handshake, with the defaults filled in, and whether it can be had at
// all.
#pragma once

#include <string>

#include "stoq/identity.h"

namespace stoq::tls {

struct Policy {
    PostQuantum key_exchange = PostQuantum::kPrefer;
    PostQuantum authentication = PostQuantum::kPrefer;
    // What this side accepts as the peer's identity, and what it shows as its own.
    RawPublicKeys peer_raw_keys = RawPublicKeys::kOff;
    RawPublicKeys own_raw_keys = RawPublicKeys::kOff;
    std::string groups;

    friend bool operator==(const Policy&, const Policy&) = default;
};

// Whether an application protocol is one of STOQ's own: "stoq", "stoq-file/1", "stoq/2".
bool is_own_protocol(std::string_view alpn);

// @error kPolicyConflict
CredentialResult<Policy> policy_of(Role role, const Credentials& credentials);

}  // namespace stoq::tls
