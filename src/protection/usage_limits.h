// How often keys may be used (RFC 9001 section 6.6).
#pragma once

#include <algorithm>
#include <cstdint>

#include "crypto/cipher_suite.h"

namespace stoq::protection {

struct UsageLimits {
    std::uint64_t update_after;  // packets sealed with one key after which we update it
    std::uint64_t close_after;   // the same, after which a connection that cannot update is closed
    std::uint64_t most_sealed;   // the confidentiality limit: nothing is sealed beyond it
    std::uint64_t most_failed;   // the integrity limit, over all keys of a connection
};

constexpr UsageLimits limits_of(crypto::CipherSuite suite) {
    // What is kept back for CONNECTION_CLOSE, which may have to be repeated.
    constexpr std::uint64_t kReservedForClosing = 1024;
    const auto properties = crypto::properties_of(suite);
    const std::uint64_t most = properties.confidentiality_limit;
    return {most - most / 4, most - kReservedForClosing, most, properties.integrity_limit};
}

}  // namespace stoq::protection
