// A resumption ticket as a client keeps it: OpenSSL's session, the server's transport parameters,
// and what both are bound to.
//
//     "STQ2" | binding, 32 bytes | lengths of the rest, 4 bytes each | session (DER) | parameters
#pragma once

#include <optional>
#include <vector>

#include "stoq/types.h"
#include "tls/library.h"

namespace stoq::tls {

struct Ticket {
    // Digest of the server's name, the client's trust and its identities. A ticket is of use only
    // where the full handshake would have been judged in the same way.
    Sha256Digest binding{};
    ByteView session;
    ByteView transport_parameters;
};

std::vector<std::uint8_t> pack(const Ticket& ticket);
// Borrows from `bytes`. Nothing when they are not a ticket of this format.
std::optional<Ticket> unpack(ByteView bytes);

}  // namespace stoq::tls
