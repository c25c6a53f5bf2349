// The secrets of Initial packets (RFC 9001 section 5.2). Everybody who sees the connection's first
// packet can derive them: they guard against accidents, not against anyone on the path.
#pragma once

#include "crypto/secret.h"
#include "protection/version_constants.h"

namespace stoq::protection {

struct InitialSecrets {
    crypto::Secret client;  // protects what the client sends
    crypto::Secret server;
};

// `destination_connection_id` is that of the client's first Initial packet, or, after a Retry, the
// one that the server chose in it.
InitialSecrets derive_initial_secrets(ByteView destination_connection_id,
                                      const VersionConstants& version = kQuicVersion1);

}  // namespace stoq::protection
