// Which transport parameters 0-RTT data has to respect.
#pragma once

#include <vector>

#include "tls/session.h"
#include "wire/transport_parameters.h"

namespace stoq::connection {

// Those that a server must not lower (RFC 9000 section 7.4.1), and the datagram size.
tls::EarlyDataLimits early_data_limits(const wire::TransportParameters& parameters);

// A ticket belongs to the version of the connection that it came from (RFC 9369 section 5).
std::vector<std::uint8_t> ticket_of_version(std::uint32_t version, ByteView ticket);
// What TLS made of it; empty when it is of another version.
ByteView ticket_for_version(std::uint32_t version, ByteView ticket);

}  // namespace stoq::connection
