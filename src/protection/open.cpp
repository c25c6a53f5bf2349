#include "protection/open.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "protection/header_mask.h"
#include "protection/nonce.h"
#include "wire/packet_number_codec.h"

namespace stoq::protection {
namespace {

constexpr std::size_t kBatch = 64;

// Collects the packets of a span that are still in play, so that a batch has no holes.
struct Selection {
    std::array<PacketToOpen*, kBatch> packets;
    std::size_t count = 0;
};

// Takes up to kBatch live packets from the front of `packets` and shortens it accordingly.
Selection take_live(std::span<PacketToOpen>& packets) {
    Selection selection;
    std::size_t taken = 0;
    for (; taken < packets.size() && selection.count < kBatch; ++taken) {
        if (packets[taken].drop == DropReason::kNone) {
            selection.packets[selection.count++] = &packets[taken];
        }
    }
    packets = packets.subspan(taken);
    return selection;
}

bool has_whole_sample(const PacketToOpen& packet) {
    return packet.packet.size() >=
           packet.packet_number_offset + kSampleDistance + crypto::kSampleSize;
}

void unmask(PacketToOpen& packet, const crypto::HeaderMask& mask) {
    std::uint8_t& first_byte = packet.packet[0];
    std::uint8_t* number = packet.packet.data() + packet.packet_number_offset;
    apply_mask_to_first_byte(first_byte, mask);
    packet.packet_number_length =
        static_cast<std::uint8_t>((first_byte & wire::kPacketNumberLengthBits) + 1);
    apply_mask_to_number(number, packet.packet_number_length, mask);
    packet.truncated_packet_number = wire::load_packet_number(number, packet.packet_number_length);
}

std::size_t header_size(const PacketToOpen& packet) {
    return packet.packet_number_offset + packet.packet_number_length;
}

// Filled where it lies, member by member: a copy would wait for the stores that it reads.
void fill(crypto::OpenRequest& request, const PacketToOpen& packet, const crypto::Nonce& iv) {
    STOQ_CHECK(packet.packet_number_length != 0);
    request.associated_data = packet.packet.first(header_size(packet));
    request.ciphertext = packet.packet.subspan(header_size(packet));
    request.nonce = make_nonce(iv, packet.packet_number);
    request.authentic = false;
}

}  // namespace

void remove_header_protection(crypto::HeaderMasker& header, std::span<PacketToOpen> packets) {
    for (PacketToOpen& packet : packets) {
        if (packet.drop == DropReason::kNone && !has_whole_sample(packet)) {
            packet.drop = DropReason::kTruncated;
        }
    }
    while (!packets.empty()) {
        const Selection live = take_live(packets);
        std::array<const std::uint8_t*, kBatch> samples;
        for (std::size_t i = 0; i < live.count; ++i) {
            const PacketToOpen& packet = *live.packets[i];
            samples[i] = packet.packet.data() + packet.packet_number_offset + kSampleDistance;
        }
        std::array<crypto::HeaderMask, kBatch> masks;
        header.masks(std::span(samples).first(live.count), std::span(masks).first(live.count));
        for (std::size_t i = 0; i < live.count; ++i) unmask(*live.packets[i], masks[i]);
    }
}

void expand_packet_numbers(std::span<PacketToOpen> packets, PacketNumber next_expected) {
    for (PacketToOpen& packet : packets) {
        if (packet.drop != DropReason::kNone) continue;
        packet.packet_number = wire::expand_packet_number(
            packet.truncated_packet_number, packet.packet_number_length, next_expected.value());
    }
}

OpenedPacket::OpenedPacket(Permit /*permit*/, const PacketToOpen& packet)
    : payload_(packet.packet.subspan(header_size(packet))
                   .first(packet.packet.size() - header_size(packet) - crypto::kTagSize)),
      number_(packet.packet_number),
      type_(packet.type),
      first_byte_(packet.packet[0]) {}

void open(PayloadKeys& keys, std::span<PacketToOpen> packets) {
    while (!packets.empty()) {
        const Selection live = take_live(packets);
        std::array<crypto::OpenRequest, kBatch> requests;
        for (std::size_t i = 0; i < live.count; ++i) {
            fill(requests[i], *live.packets[i], keys.iv.bytes());
        }
        keys.aead->open(std::span(requests).first(live.count));
        for (std::size_t i = 0; i < live.count; ++i) {
            PacketToOpen& packet = *live.packets[i];
            if (requests[i].authentic) {
                // Where it lies: a copy would wait for the stores that it reads.
                packet.opened.emplace(OpenedPacket::Permit(), packet);
            } else {
                packet.drop = DropReason::kDecryptionFailed;
            }
        }
    }
}

}  // namespace stoq::protection
