// What a client's first Initial is worth, before anything is kept for it.
#pragma once

#include <optional>

#include "protection/keyring.h"
#include "wire/packet_header.h"

namespace stoq::endpoint {

// The keys that follow from the packet's Destination Connection ID (RFC 9001 section 5.2), if it
// opens with them: then it arrived as somebody sealed it. Anybody can seal one, but noise and
// damage do not get past this, and it costs a few microseconds where a TLS session costs a hundred.
// The packet keeps its bytes.
std::optional<protection::InitialKeys> keys_of_intact(const wire::ProtectedPacket& packet);

}  // namespace stoq::endpoint
