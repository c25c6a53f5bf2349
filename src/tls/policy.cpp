#include "tls/policy.h"

#include <algorithm>

#include "tls/algorithms.h"
#include "tls/identity_contents.h"

namespace stoq::tls {
namespace {

std::unexpected<CredentialError> conflict(std::string detail) {
    return std::unexpected(
        CredentialError{CredentialError::Code::kPolicyConflict, std::move(detail)});
}

PostQuantum key_exchange_of(const Credentials& credentials) {
    if (credentials.post_quantum.key_exchange) return *credentials.post_quantum.key_exchange;
    const bool own = !credentials.alpn.empty() &&
                     std::ranges::all_of(credentials.alpn, [](const std::string& name) {
                         return is_own_protocol(name);
                     });
    return own ? PostQuantum::kRequire : PostQuantum::kPrefer;
}

// A chain of certificates is judged by authorities, a bare key by its fingerprint alone.
bool can_judge_raw_keys(const Credentials& credentials) {
    return credentials.trust && !credentials.trust->contents().needs_name();
}

RawPublicKeys peer_raw_keys(Role role, const Credentials& credentials) {
    if (!can_judge_raw_keys(credentials)) return RawPublicKeys::kOff;
    if (credentials.raw_public_keys) return *credentials.raw_public_keys;
    return role == Role::kServer || !credentials.trust->is_insecure() ? RawPublicKeys::kPrefer
                                                                      : RawPublicKeys::kOff;
}

RawPublicKeys own_raw_keys(Role role, const Credentials& credentials) {
    if (credentials.raw_public_keys) return *credentials.raw_public_keys;
    const bool any_raw = std::ranges::any_of(credentials.identities,
                                             [](const Identity& one) { return one.is_raw(); });
    return role == Role::kServer || any_raw ? RawPublicKeys::kPrefer : RawPublicKeys::kOff;
}

bool judges_peer(Role role, const Credentials& credentials) {
    return role == Role::kClient ||
           credentials.client_authentication != ClientAuthentication::kNone;
}

CredentialResult<void> check_raw_keys(Role role, const Credentials& credentials) {
    const bool required = credentials.raw_public_keys == RawPublicKeys::kRequire;
    if (required && judges_peer(role, credentials) && !can_judge_raw_keys(credentials)) {
        return conflict("raw public keys are required, and only a fingerprint can judge them");
    }
    if (credentials.raw_public_keys != RawPublicKeys::kOff) return {};
    for (const Identity& identity : credentials.identities) {
        if (identity.is_raw()) return conflict("an identity has no certificate");
    }
    return {};
}

CredentialResult<void> check_identities(Role role, const Credentials& credentials) {
    const PostQuantum asked = credentials.post_quantum.authentication;
    if (role == Role::kClient || credentials.identities.empty() || asked == PostQuantum::kPrefer) {
        return {};
    }
    const bool wanted = asked == PostQuantum::kRequire;
    const bool usable = std::ranges::any_of(
        credentials.identities,
        [wanted](const Identity& identity) { return identity.is_post_quantum() == wanted; });
    if (usable) return {};
    return conflict(wanted ? "no identity has a post-quantum key"
                           : "every identity has a post-quantum key");
}

}  // namespace

bool is_own_protocol(std::string_view alpn) {
    constexpr std::string_view kOwn = "stoq";
    if (!alpn.starts_with(kOwn)) return false;
    alpn.remove_prefix(kOwn.size());
    return alpn.empty() || alpn.front() == '-' || alpn.front() == '/';
}

CredentialResult<Policy> policy_of(Role role, const Credentials& credentials) {
    Policy policy;
    policy.key_exchange = key_exchange_of(credentials);
    policy.authentication = credentials.post_quantum.authentication;
    policy.peer_raw_keys = peer_raw_keys(role, credentials);
    policy.own_raw_keys = own_raw_keys(role, credentials);
    policy.groups =
        credentials.groups.empty() ? default_groups(policy.key_exchange) : credentials.groups;
    if (policy.key_exchange == PostQuantum::kRequire &&
        !has_only_post_quantum_groups(policy.groups)) {
        return conflict("post-quantum key exchange is required, and these groups are not: " +
                        policy.groups);
    }
    if (auto checked = check_raw_keys(role, credentials); !checked) {
        return std::unexpected(checked.error());
    }
    if (auto checked = check_identities(role, credentials); !checked) {
        return std::unexpected(checked.error());
    }
    return policy;
}

}  // namespace stoq::tls
