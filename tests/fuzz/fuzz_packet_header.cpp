// A datagram before its protection is removed. The first byte chooses the length of our own
// connection IDs and whether the fixed bit may be clear.
//
// Every packet lies inside the datagram, agrees with what the demultiplexer peeked, and comes back
// when its fields are encoded again.
#include <algorithm>
#include <vector>

#include "fuzz/fuzz_input.h"
#include "wire/packet_header.h"

namespace {

using namespace stoq;
using fuzz::require;

bool equal(ByteView a, ByteView b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

wire::FixedBit g_fixed_bit = wire::FixedBit::kRequired;
std::size_t g_local_length = 0;

void check_same(Bytes datagram, const wire::ProtectedPacket& expected) {
    const auto decoded = wire::decode_packet(datagram, g_local_length, g_fixed_bit);
    require(decoded.has_value());
    const auto* packet = std::get_if<wire::ProtectedPacket>(&*decoded);
    require(packet != nullptr && packet->type == expected.type);
    require(packet->version == expected.version);
    require(packet->destination == expected.destination && packet->source == expected.source);
    require(equal(packet->token, expected.token));
}

void check_long(const wire::ProtectedPacket& packet) {
    const std::size_t payload = packet.bytes.size() - packet.packet_number_offset;
    if (payload == 0 || payload > wire::kMaxLongPacketLength) return;
    const std::size_t number_length = std::min<std::size_t>(payload, 4);
    std::vector<std::uint8_t> bytes(packet.bytes.size() + 16);
    ByteWriter writer(bytes);
    const auto layout = wire::encode_long_header(
        writer,
        {packet.type, packet.version, packet.destination, packet.source, packet.token, true},
        PacketNumber(1), number_length);
    require(layout.has_value());
    require(writer.write_zeros(payload - number_length));
    wire::patch_length(bytes, *layout, payload);
    check_same(Bytes(bytes).first(writer.written()), packet);
}

void check_short(const wire::ProtectedPacket& packet) {
    std::vector<std::uint8_t> bytes(packet.bytes.size() + 4);
    ByteWriter writer(bytes);
    const auto offset = wire::encode_short_header(writer, {packet.destination}, PacketNumber(1), 1);
    require(offset == packet.packet_number_offset);
    check_same(Bytes(bytes).first(writer.written()), packet);
}

void check(Bytes rest, const wire::ProtectedPacket& packet) {
    require(packet.bytes.data() == rest.data() && packet.bytes.size() <= rest.size());
    require(packet.packet_number_offset <= packet.bytes.size());
    if (packet.type == wire::PacketType::kOneRtt) {
        require(packet.packet_number_offset == 1 + g_local_length);
        check_short(packet);
    } else {
        check_long(packet);
    }
}

void check(Bytes rest, const wire::VersionNegotiationPacket& packet) {
    require(packet.version_count() >= 1);
    require(packet.encoded_versions.data() + packet.encoded_versions.size() ==
            rest.data() + rest.size());
    for (std::size_t i = 0; i < packet.version_count(); ++i) {
        require(packet.contains(packet.version(i)));
    }
}

void check(Bytes rest, const wire::RetryPacket& packet) {
    std::vector<std::uint8_t> bytes(rest.size());
    ByteWriter writer(bytes);
    require(wire::encode_retry_without_tag(
        writer, {packet.version, packet.destination, packet.source, packet.token, rest[0]}));
    bytes[0] = static_cast<std::uint8_t>(bytes[0] & (rest[0] | ~wire::kFixedBit));
    require(equal(writer.written_bytes(), packet.without_tag));
    require(equal(rest.last(wire::kRetryIntegrityTagLength), packet.integrity_tag));
}

// The answer names the same two IDs the other way round, and can be read by the peer.
void check(Bytes, const wire::UnsupportedVersionPacket& packet) {
    require(!wire::is_supported_version(packet.version));
    std::vector<std::uint8_t> bytes(600);
    ByteWriter writer(bytes);
    const std::uint32_t versions[] = {wire::kVersion1};
    require(wire::encode_version_negotiation(writer, packet, versions, packet.version));
    const auto decoded = wire::decode_packet(Bytes(bytes).first(writer.written()), 0);
    require(decoded.has_value());
    const auto* answer = std::get_if<wire::VersionNegotiationPacket>(&*decoded);
    require(answer != nullptr && answer->contains(wire::kVersion1));
    require(!answer->contains(packet.version));
    require(equal(answer->destination, packet.source));
    require(equal(answer->source, packet.destination));
}

void check_peek(ByteView rest, const wire::ReceivedPacket& packet) {
    const auto peeked = wire::peek_destination_connection_id(rest, g_local_length);
    require(peeked.has_value());
    if (const auto* known = std::get_if<wire::ProtectedPacket>(&packet)) {
        require(equal(*peeked, known->destination.view()));
    } else if (const auto* unsupported = std::get_if<wire::UnsupportedVersionPacket>(&packet)) {
        require(equal(*peeked, unsupported->destination));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const fuzz::Input input(data, size);
    g_local_length = (input.choice & 0x7f) % (wire::kMaxConnectionIdLength + 1);
    g_fixed_bit =
        (input.choice & 0x80) != 0 ? wire::FixedBit::kMayBeClear : wire::FixedBit::kRequired;
    std::vector<std::uint8_t> datagram(input.rest.begin(), input.rest.end());
    Bytes rest(datagram);
    while (!rest.empty()) {
        const auto decoded = wire::decode_packet(rest, g_local_length, g_fixed_bit);
        if (!decoded) {
            require(decoded.error() != DropReason::kNone);
            return 0;
        }
        check_peek(rest, *decoded);
        std::visit([rest](const auto& packet) { check(rest, packet); }, *decoded);
        const auto* packet = std::get_if<wire::ProtectedPacket>(&*decoded);
        if (packet == nullptr) return 0;
        require(!packet->bytes.empty());
        rest = rest.subspan(packet->bytes.size());
    }
    return 0;
}
