#include "protection/send_phases.h"

#include "wire/packet_header.h"

namespace stoq::protection {

SendPhases::SendPhases(const KeyParameters& parameters, crypto::Secret secret,
                       const UsageLimits& limits)
    : parameters_(parameters),
      secret_(std::move(secret)),
      payload_(make_payload_keys(parameters, crypto::Direction::kSeal, secret_)),
      header_(make_header_keys(parameters, secret_)),
      most_sealed_(limits.most_sealed) {}

bool SendPhases::seal(std::span<const PacketToSeal> packets) {
    if (packets.empty()) return true;
    //= 9001-6.6-1
    //= 9001-6.6-2
    if (packets.size() > most_sealed_ - sealed_) return false;
    sealed_ += packets.size();
    if (!first_number_) first_number_ = packets.front().packet_number;

    const std::uint8_t phase = key_phase() ? wire::kKeyPhaseBit : std::uint8_t{0};
    for (const PacketToSeal& packet : packets) {
        packet.packet[0] =
            static_cast<std::uint8_t>((packet.packet[0] & ~wire::kKeyPhaseBit) | phase);
    }
    protection::seal(payload_, *header_, packets);
    return true;
}

void SendPhases::update() {
    // Old keys go at once: nothing is ever sent with them again (RFC 9001 section 6.4).
    //= 9001-6.4-1
    secret_ = next_generation(parameters_, secret_);
    payload_ = remake_payload_keys(std::move(payload_.aead), parameters_, crypto::Direction::kSeal,
                                   secret_);
    ++generation_;
    sealed_ = 0;
    first_number_.reset();
}

}  // namespace stoq::protection
