#include "wire/packet_header.h"

#include "wire/varint.h"

namespace stoq::wire {
namespace {

// The part of a long header that is the same in every version (RFC 8999 section 5.1).
struct InvariantHeader {
    std::uint8_t first_byte = 0;
    std::uint32_t version = 0;
    ByteView destination;
    ByteView source;
};

std::optional<InvariantHeader> decode_invariant_header(ByteReader& reader) {
    const auto first_byte = reader.read<std::uint8_t>();
    const auto version = reader.read<std::uint32_t>();
    const auto destination_length = reader.read<std::uint8_t>();
    if (!first_byte || !version || !destination_length) return std::nullopt;
    const auto destination = reader.read_bytes(*destination_length);
    const auto source_length = reader.read<std::uint8_t>();
    if (!destination || !source_length) return std::nullopt;
    const auto source = reader.read_bytes(*source_length);
    if (!source) return std::nullopt;
    return InvariantHeader{*first_byte, *version, *destination, *source};
}

// Token, Length and the extent of the packet. `packet` has its type, version and IDs already.
Result<ReceivedPacket, DropReason> decode_protected(Bytes rest, ByteReader& reader,
                                                    ProtectedPacket packet) {
    if (packet.type == PacketType::kInitial) {
        const auto token_length = decode_varint(reader);
        const auto token = token_length ? reader.read_bytes(*token_length) : std::nullopt;
        if (!token) return std::unexpected(DropReason::kTruncated);
        packet.token = *token;
    }
    const auto length = decode_varint(reader);
    if (!length || *length > reader.remaining()) return std::unexpected(DropReason::kTruncated);
    packet.packet_number_offset = reader.consumed();
    packet.bytes = rest.first(reader.consumed() + static_cast<std::size_t>(*length));
    return packet;
}

// Of a version that is spoken here.
Result<ReceivedPacket, DropReason> decode_known_version(Bytes rest, ByteReader& reader,
                                                        const InvariantHeader& header,
                                                        const VersionRule& rule) {
    const auto destination = ConnectionId::from(header.destination);
    const auto source = ConnectionId::from(header.source);
    //= 9000-17.2-3
    //= 9000-17.2-6
    if (!destination || !source) return std::unexpected(DropReason::kBadConnectionIdLength);
    const PacketType type = long_packet_type(rule, header.first_byte);
    if (type != PacketType::kRetry) {
        return decode_protected(rest, reader,
                                {type, header.version, *destination, *source, {}, {}, 0});
    }
    auto retry =
        decode_retry(rest, reader.consumed(), {header.version, *destination, *source, {}, {}, {}});
    if (!retry) return std::unexpected(retry.error());
    return *retry;
}

Result<ReceivedPacket, DropReason> decode_long_header(Bytes rest, FixedBit fixed_bit) {
    ByteReader reader(rest);
    const auto header = decode_invariant_header(reader);
    if (!header) return std::unexpected(DropReason::kTruncated);
    if (header->version == kVersionNegotiationVersion) {
        auto packet =
            decode_version_negotiation(header->destination, header->source, reader.rest());
        if (!packet) return std::unexpected(packet.error());
        return *packet;
    }
    const VersionRule* rule = find_version(header->version);
    //= 9000-17.2-4
    //= 9000-17.2-7
    //= 9000-17.2.1-6
    if (rule == nullptr) {
        return UnsupportedVersionPacket{header->version, header->destination, header->source};
    }
    //= 9000-17.2-1
    if ((header->first_byte & kFixedBit) == 0 && fixed_bit == FixedBit::kRequired) {
        return std::unexpected(DropReason::kFixedBitClear);
    }
    return decode_known_version(rest, reader, *header, *rule);
}

bool write_connection_id(ByteWriter& writer, const ConnectionId& id) {
    return writer.write(static_cast<std::uint8_t>(id.length())) && writer.write_bytes(id.view());
}

}  // namespace

Result<ReceivedPacket, DropReason> decode_packet(Bytes rest, std::size_t connection_id_length,
                                                 FixedBit fixed_bit) {
    if (rest.empty()) return std::unexpected(DropReason::kTruncated);
    if (has_long_header(rest[0])) return decode_long_header(rest, fixed_bit);
    auto packet = decode_short_header(rest, connection_id_length, fixed_bit);
    if (!packet) return std::unexpected(packet.error());
    return *packet;
}

std::optional<LongHeaderLayout> encode_long_header(ByteWriter& writer, const LongHeader& header,
                                                   PacketNumber packet_number,
                                                   std::size_t packet_number_length) {
    const VersionRule* rule = find_version(header.version);
    STOQ_CHECK(rule != nullptr);
    STOQ_CHECK(packet_number_length >= 1 && packet_number_length <= kMaxPacketNumberLength);
    const std::size_t start = writer.written();
    // The reserved bits stay zero until the packet is protected.
    //= 9000-17.2-8
    const auto first_byte =
        static_cast<std::uint8_t>(kHeaderFormBit | (header.fixed_bit ? kFixedBit : 0) |
                                  long_type_bits(*rule, header.type) | (packet_number_length - 1));
    const bool with_token = header.type == PacketType::kInitial;
    if (writer.write(first_byte) && writer.write(header.version) &&
        write_connection_id(writer, header.destination) &&
        write_connection_id(writer, header.source) &&
        (!with_token ||
         (encode_varint(writer, header.token.size()) && writer.write_bytes(header.token)))) {
        const std::size_t length_field_offset = writer.written() - start;
        if (encode_varint(writer, 0, 2) &&
            encode_packet_number(writer, packet_number, packet_number_length)) {
            return LongHeaderLayout{length_field_offset, length_field_offset + 2};
        }
    }
    writer.rewind(start);
    return std::nullopt;
}

void patch_length(Bytes packet, const LongHeaderLayout& layout, std::size_t length) {
    ByteWriter writer(packet.subspan(layout.length_field_offset));
    STOQ_CHECK(encode_varint(writer, length, 2));
}

}  // namespace stoq::wire
