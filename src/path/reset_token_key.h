// ResetTokenKey: stateless reset tokens without state (RFC 9000 section 10.3.2).
#pragma once

#include <array>

#include "crypto/secret.h"
#include "stoq/types.h"
#include "wire/connection_id.h"

namespace stoq::path {

// The token of a connection ID is a keyed hash of it, so a process that was given the same 32-byte
// secret can reset the connections of one that is gone.
class ResetTokenKey {
public:
    static constexpr std::size_t kLength = 32;

    explicit ResetTokenKey(const std::array<std::uint8_t, kLength>& secret) : secret_(secret) {}

    wire::StatelessResetToken token_for(ByteView connection_id) const;
    wire::StatelessResetToken token_for(const wire::ConnectionId& id) const {
        return token_for(id.view());
    }

private:
    crypto::Secret secret_;
};

}  // namespace stoq::path
