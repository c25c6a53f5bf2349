// Which version of QUIC both sides speak (RFC 9368): the rules alone.
//
// Versions 1 and 2 are compatible in both directions (RFC 9369 section 4), so a server may answer a
// first flight of the one in the other.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "stoq/types.h"
#include "wire/transport_parameters.h"
#include "wire/version_negotiation.h"

namespace stoq::connection {

using VersionList = std::array<QuicVersion, 2>;

bool lists(const VersionList& versions, std::uint32_t version);

// What we send: `chosen`, and all that we speak.
wire::VersionInformation version_information(const VersionList& versions, std::uint32_t chosen);

// Server: the version to go on with, for a client whose first flight is of `original`.
std::uint32_t compatible_version(const VersionList& versions, std::uint32_t original,
                                 const wire::VersionInformation& client);

// Client: what to try after a Version Negotiation packet; nothing when there is nothing in common.
std::optional<std::uint32_t> version_after(const wire::VersionNegotiationPacket& packet,
                                           const VersionList& versions);

// Client, after a Version Negotiation packet: whether the versions that the server says to have
// would have led to `negotiated` as well (RFC 9368 section 4).
bool would_have_led_to(std::uint32_t negotiated, const VersionList& versions,
                       std::span<const std::uint32_t> available);

}  // namespace stoq::connection
