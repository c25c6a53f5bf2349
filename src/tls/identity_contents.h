// What is behind an Identity and a Trust: bytes, free of any OpenSSL context, so that every Context
// can take them into its own.
#pragma once

#include <string>
#include <vector>

#include "stoq/identity.h"
#include "tls/certificates.h"
#include "tls/wiped_bytes.h"

namespace stoq {

struct Identity::Contents {
    std::vector<tls::DerBytes> chain;  // leaf first; empty for a raw public key
    tls::WipedBytes key;               // PKCS#8
    std::string fingerprint;
    std::string key_kind;
    std::string subject;
    std::chrono::sys_seconds not_before;
    std::chrono::sys_seconds not_after;
    std::vector<std::string> warnings;
};

struct Trust::Contents {
    enum class Kind : std::uint8_t { kSystem, kAnchors, kPinned, kInsecure };

    Kind kind = Kind::kSystem;
    std::vector<tls::DerBytes> anchors;  // kAnchors
    tls::Sha256Digest pin{};             // kPinned

    // Whether certificates are checked for a name.
    bool needs_name() const { return kind == Kind::kSystem || kind == Kind::kAnchors; }
};

}  // namespace stoq
