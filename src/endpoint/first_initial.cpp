#include "endpoint/first_initial.h"

#include <utility>
#include <vector>

#include "protection/open.h"

namespace stoq::endpoint {

std::optional<protection::InitialKeys> keys_of_intact(const wire::ProtectedPacket& packet) {
    const protection::VersionConstants& version = protection::constants_of(packet.version);
    auto secrets = protection::derive_initial_secrets(packet.destination.view(), version);
    auto keys = protection::make_packet_keys(
        {.suite = crypto::CipherSuite::kAes128GcmSha256, .labels = version.labels},
        crypto::Direction::kOpen, secrets.client);
    // A copy, because opening decrypts in place and the connection wants to open it as well.
    std::vector<std::uint8_t> bytes(packet.bytes.begin(), packet.bytes.end());
    protection::PacketToOpen to_open = protection::packet_to_open(packet);
    to_open.packet = bytes;
    protection::remove_header_protection(*keys.header, {&to_open, 1});
    protection::expand_packet_numbers({&to_open, 1}, PacketNumber(0));
    protection::open(keys.payload, {&to_open, 1});
    if (!to_open.opened) return std::nullopt;
    return protection::InitialKeys{std::move(secrets), std::move(keys)};
}

}  // namespace stoq::endpoint
