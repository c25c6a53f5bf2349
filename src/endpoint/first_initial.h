// What a client's first Initial is worth, before anything is kept for it.
#pragma once

#include "wire/packet_header.h"

namespace stoq::endpoint {

// Whether the packet arrived as somebody sealed it: it opens with the keys that follow from its
// Destination Connection ID (RFC 9001 section 5.2). Anybody can seal one, but noise and damage do
// not get past this, and it costs a few microseconds where a TLS session costs a hundred. The
// packet keeps its bytes.
bool is_intact(const wire::ProtectedPacket& packet);

}  // namespace stoq::endpoint
