// Identities and credentials for tests: made once per process, with fixed dates.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "stoq/identity.h"

namespace stoq::test {

// The moment at which certificates are judged in tests, well inside the validity of those made
// here.
inline constexpr std::chrono::sys_seconds kTestTime{
    std::chrono::sys_days{std::chrono::year{2026} / 6 / 15}};
inline constexpr std::chrono::sys_seconds kTestNotBefore{
    std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

inline PemIdentity make_pem(KeyType type = KeyType::kP256,
                            std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"}) {
    auto pem = generate_identity({.key_type = type,
                                  .names = std::move(names),
                                  .not_before = kTestNotBefore,
                                  .validity = std::chrono::hours(24 * 365)});
    return std::move(pem.value());
}

// A self-signed certificate for localhost, with its PEM text.
struct TestIdentity {
    PemIdentity pem;
    Identity identity;
};

inline TestIdentity make_identity(PemIdentity pem) {
    auto identity = Identity::from_pem(pem.certificate(), pem.key());
    return {std::move(pem), std::move(identity.value())};
}

// The same one for every caller.
inline const TestIdentity& test_identity(KeyType type = KeyType::kP256) {
    static std::map<KeyType, TestIdentity> made;
    const auto found = made.find(type);
    if (found != made.end()) return found->second;
    return made.emplace(type, make_identity(make_pem(type))).first->second;
}

// For a server with test_identity(type).
inline Credentials server_credentials(KeyType type = KeyType::kP256) {
    Credentials credentials;
    credentials.identities = {test_identity(type).identity};
    credentials.alpn = {"test"};
    credentials.verification_time = kTestTime;
    return credentials;
}

// For a client that trusts test_identity(type) as its own certificate authority; connect to
// "localhost".
inline Credentials client_credentials(KeyType type = KeyType::kP256) {
    Credentials credentials;
    credentials.trust = Trust::ca_pem(test_identity(type).pem.certificate()).value();
    credentials.alpn = {"test"};
    credentials.verification_time = kTestTime;
    return credentials;
}

}  // namespace stoq::test
