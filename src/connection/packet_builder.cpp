#include "connection/packet_builder.h"

#include <algorithm>

#include "base/check.h"
#include "wire/packet_number_codec.h"

namespace stoq::connection {

PacketBuilder::PacketBuilder(Bytes room, std::size_t header_length,
                             const PacketHeaderFields& fields)
    : packet_(room.data()),
      header_length_(header_length),
      number_(fields.number),
      level_(fields.level),
      payload_(room.subspan(header_length, room.size() - header_length - kTagLength)) {}

std::optional<PacketBuilder> PacketBuilder::begin(Bytes room, const PacketHeaderFields& fields) {
    ByteWriter writer(room);
    const std::size_t number_length =
        wire::packet_number_length(fields.number, fields.largest_acknowledged);
    std::optional<wire::LongHeaderLayout> long_header;
    std::size_t packet_number_offset = 0;
    if (fields.level == EncryptionLevel::kOneRtt) {
        // The spin bit stays 0: it is not supported.
        //= 9000-17.4-2
        const wire::ShortHeader header{.destination = fields.destination,
                                       .fixed_bit = fields.fixed_bit};
        const auto offset = wire::encode_short_header(writer, header, fields.number, number_length);
        if (!offset) return std::nullopt;
        packet_number_offset = *offset;
    } else {
        const wire::LongHeader header{.type = wire::packet_type_of(fields.level),
                                      .version = fields.version,
                                      .destination = fields.destination,
                                      .source = fields.source,
                                      .token = fields.token,
                                      .fixed_bit = fields.fixed_bit};
        long_header = wire::encode_long_header(writer, header, fields.number, number_length);
        if (!long_header) return std::nullopt;
        packet_number_offset = long_header->packet_number_offset;
        // Datagrams may be larger than what the Length field can tell.
        room = room.first(std::min(room.size(), packet_number_offset + wire::kMaxLongPacketLength));
    }
    if (room.size() - writer.written() < protection::kLeastProtectedSize + kTagLength)
        return std::nullopt;
    PacketBuilder builder(room, writer.written(), fields);
    builder.packet_number_offset_ = packet_number_offset;
    builder.long_header_ = long_header;
    return builder;
}

std::size_t PacketBuilder::least_payload() const {
    const std::size_t number_length = header_length_ - packet_number_offset_;
    return protection::kLeastProtectedSize - number_length;
}

std::size_t PacketBuilder::length() const {
    return header_length_ + std::max(payload_.written(), least_payload()) + kTagLength;
}

void PacketBuilder::pad_to(std::size_t length) {
    const std::size_t now = header_length_ + payload_.written() + kTagLength;
    if (now >= length) return;
    STOQ_CHECK(payload_.bytes().write_zeros(length - now));  // PADDING frames are zero bytes
    payload_.record_padding();
}

protection::PacketToSeal PacketBuilder::finish() {
    STOQ_CHECK(!payload_.empty());
    if (payload_.written() < least_payload()) {
        STOQ_CHECK(payload_.bytes().write_zeros(least_payload() - payload_.written()));
    }
    const std::size_t plaintext_end = header_length_ + payload_.written();
    if (long_header_) {
        wire::patch_length(Bytes(packet_, plaintext_end), *long_header_,
                           plaintext_end + kTagLength - packet_number_offset_);
    }
    return {
        .packet = packet_,
        .packet_number_offset = static_cast<std::uint32_t>(packet_number_offset_),
        .plaintext_end = static_cast<std::uint32_t>(plaintext_end),
        .packet_number_length = static_cast<std::uint8_t>(header_length_ - packet_number_offset_),
        .packet_number = number_};
}

}  // namespace stoq::connection
