#include "protection/seal.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "protection/header_mask.h"
#include "protection/nonce.h"

namespace stoq::protection {
namespace {

constexpr std::size_t kBatch = 64;

// Filled where it lies, member by member: a copy would wait for the stores that it reads.
void fill(crypto::SealRequest& request, const PacketToSeal& packet, const crypto::Nonce& iv) {
    const std::uint32_t header_end = packet.packet_number_offset + packet.packet_number_length;
    STOQ_CHECK(packet.packet_number_length >= 1 && packet.packet_number_length <= 4 &&
               packet.plaintext_end >= packet.packet_number_offset + kLeastProtectedSize);
    STOQ_CHECK(packet.elsewhere.size() <= packet.plaintext_end - header_end);
    std::uint8_t* const plaintext = packet.packet + header_end;
    request.associated_data = {packet.packet, header_end};
    request.plaintext = {plaintext, packet.plaintext_end - header_end - packet.elsewhere.size()};
    request.output = plaintext;
    request.nonce = make_nonce(iv, packet.packet_number);
    request.tail = packet.elsewhere;
}

void seal_batch(PayloadKeys& payload, crypto::HeaderMasker& header,
                std::span<const PacketToSeal> packets) {
    std::array<crypto::SealRequest, kBatch> requests;
    std::array<const std::uint8_t*, kBatch> samples;
    for (std::size_t i = 0; i < packets.size(); ++i) {
        fill(requests[i], packets[i], payload.iv.bytes());
        samples[i] = packets[i].packet + packets[i].packet_number_offset + kSampleDistance;
    }
    payload.aead->seal(std::span(requests).first(packets.size()));

    // Only now is there ciphertext to sample.
    std::array<crypto::HeaderMask, kBatch> masks;
    header.masks(std::span(samples).first(packets.size()), std::span(masks).first(packets.size()));
    for (std::size_t i = 0; i < packets.size(); ++i) {
        const PacketToSeal& packet = packets[i];
        apply_mask_to_first_byte(packet.packet[0], masks[i]);
        apply_mask_to_number(packet.packet + packet.packet_number_offset,
                             packet.packet_number_length, masks[i]);
    }
}

}  // namespace

void seal(PayloadKeys& payload, crypto::HeaderMasker& header,
          std::span<const PacketToSeal> packets) {
    while (!packets.empty()) {
        const std::size_t count = std::min(packets.size(), kBatch);
        seal_batch(payload, header, packets.first(count));
        packets = packets.subspan(count);
    }
}

}  // namespace stoq::protection
