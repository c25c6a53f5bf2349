// What the routing table says about the path to a peer.
#pragma once

#include <optional>

#include "stoq/types.h"

namespace stoq::io {

// The IP MTU of the route to `remote` in bytes, headers included, as far as this host knows it:
// the interface's, or less when the network has told. Nothing when there is no route.
std::optional<std::size_t> route_mtu(const Address& remote);

}  // namespace stoq::io
