// Initial packets of clients that do not exist: anybody can make them, because their keys follow
// from their connection ID (RFC 9001 section 5.2).
#pragma once

#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "connection/packet_builder.h"
#include "protection/initial_keys.h"
#include "protection/open.h"
#include "protection/seal.h"

namespace stoq::test {

struct ForgedInitial {
    wire::ConnectionId destination;
    wire::ConnectionId source;
    std::uint64_t number = 0;
    ByteView frames;  // at least one byte
    ByteView token{};
};

inline wire::ConnectionId random_connection_id(RandomSource& random) {
    std::array<std::uint8_t, 8> bytes;
    random.fill(bytes);
    return *wire::ConnectionId::from(bytes);
}

// A datagram of 1200 bytes with one Initial packet that a server can open.
inline std::vector<std::uint8_t> forge_initial(const ForgedInitial& forged) {
    std::vector<std::uint8_t> datagram(1200);
    auto packet = connection::PacketBuilder::begin(datagram, {.level = EncryptionLevel::kInitial,
                                                              .destination = forged.destination,
                                                              .source = forged.source,
                                                              .token = forged.token,
                                                              .number = PacketNumber(forged.number),
                                                              .largest_acknowledged = {}});
    STOQ_CHECK(packet && packet->payload().bytes().write_bytes(forged.frames));
    packet->pad_to(datagram.size());
    const protection::PacketToSeal to_seal = packet->finish();
    auto keys = protection::make_packet_keys(
        {}, crypto::Direction::kSeal,
        protection::derive_initial_secrets(forged.destination.view()).client);
    protection::seal(keys, {&to_seal, 1});
    return datagram;
}

// The frames of a client's Initial packet; nothing when it does not open.
inline std::vector<std::uint8_t> initial_frames(std::vector<std::uint8_t> datagram) {
    const auto packet = wire::decode_packet(datagram, 0);
    const auto* initial = packet ? std::get_if<wire::ProtectedPacket>(&*packet) : nullptr;
    if (initial == nullptr || initial->type != wire::PacketType::kInitial) return {};
    auto keys = protection::make_packet_keys(
        {}, crypto::Direction::kOpen,
        protection::derive_initial_secrets(initial->destination.view()).client);
    protection::PacketToOpen to_open = protection::packet_to_open(*initial);
    protection::remove_header_protection(*keys.header, {&to_open, 1});
    protection::expand_packet_numbers({&to_open, 1}, PacketNumber(0));
    protection::open(keys.payload, {&to_open, 1});
    if (!to_open.opened) return {};
    return {to_open.opened->payload().begin(), to_open.opened->payload().end()};
}

}  // namespace stoq::test
