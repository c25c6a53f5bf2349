// The sending half of 1-RTT protection: one set of keys at a time, replaced by key updates
// (RFC 9001 section 6.1). It obeys; OneRttKeys decides.
#pragma once

#include <optional>
#include <span>

#include "protection/seal.h"
#include "protection/usage_limits.h"

namespace stoq::protection {

class SendPhases {
public:
    SendPhases(const KeyParameters& parameters, crypto::Secret secret, const UsageLimits& limits);

    // How many updates there were; the lowest bit is the Key Phase bit of what is sealed.
    std::uint64_t generation() const { return generation_; }
    bool key_phase() const { return (generation_ & 1) != 0; }

    // Writes the Key Phase bit into every header and seals. False, with nothing changed, when the
    // confidentiality limit forbids it.
    [[nodiscard]] bool seal(std::span<const PacketToSeal> packets);
    // Packets sealed in this phase.
    std::uint64_t sealed() const { return sealed_; }

    // Whether a packet of this phase has this number or a lower one.
    bool began_by(PacketNumber number) const {
        return first_number_.has_value() && number >= *first_number_;
    }

    // Changes to the next generation of keys.
    void update();

private:
    KeyParameters parameters_;
    crypto::Secret secret_;  // of this generation: the next one is derived from it
    PayloadKeys payload_;
    std::unique_ptr<crypto::HeaderMasker> header_;
    std::uint64_t most_sealed_;
    std::uint64_t generation_ = 0;
    std::uint64_t sealed_ = 0;
    std::optional<PacketNumber> first_number_;  // of this generation
};

}  // namespace stoq::protection
