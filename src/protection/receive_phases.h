// The receiving half of 1-RTT protection: the keys of the current key phase, those of the next one
// prepared in advance, and for a while those of the previous one (RFC 9001 section 6.3 to 6.5).
#pragma once

#include <optional>
#include <span>

#include "protection/open.h"
#include "stoq/error.h"

namespace stoq::protection {

// What a batch needs to know besides its bytes.
struct OpenContext {
    // One above the largest packet number that was opened in this packet number space, 0 if none.
    PacketNumber next_expected;
    // Three probe timeouts from now: if this batch brings a key update, the keys it replaces are
    // kept until then.
    Instant retain_previous_until = kNever;
    // Of Initial packets whose version is not the keyring's.
    const VersionConstants* initial_version = nullptr;
};

struct OpenOutcome {
    std::uint32_t failed = 0;       // packets that did not prove authentic
    std::uint32_t key_updates = 0;  // times that the receive keys moved on to the next phase
    // The connection closes with this. Packets behind the one that caused it are left unopened.
    std::optional<TransportError> error;
};

class ReceivePhases {
public:
    ReceivePhases(const KeyParameters& parameters, crypto::Secret secret);

    // How many updates there were; the lowest bit is the Key Phase bit of the current keys.
    std::uint64_t generation() const { return generation_; }

    // Opens packets in their order. Every packet costs one removal of header protection and one
    // authentication, whatever its header says, so that timing does not tell which keys were tried.
    OpenOutcome open(std::span<PacketToOpen> packets, const OpenContext& context);

    // When the previous keys should go; kNever when there are none.
    Instant previous_deadline() const;
    // Wipes the previous keys if their time has come.
    void discard_previous(Instant now);

private:
    enum class Choice : std::uint8_t { kPrevious, kCurrent, kNext };

    struct NumberRange {
        PacketNumber lowest;
        PacketNumber highest;
    };

    Choice choose(const PacketToOpen& packet) const;
    PayloadKeys& keys_of(Choice choice);
    std::span<PacketToOpen> leading_run(std::span<PacketToOpen> packets, Choice choice) const;
    void judge(std::span<const PacketToOpen> run, Choice choice, const OpenContext& context,
               OpenOutcome& outcome);
    void promote_next(Instant retain_previous_until);
    static void extend(std::optional<NumberRange>& range, PacketNumber number);

    KeyParameters parameters_;
    crypto::Secret next_secret_;  // of the keys in next_
    std::unique_ptr<crypto::HeaderMasker> header_;
    PayloadKeys current_;
    PayloadKeys next_;
    PayloadKeys previous_;                 // without an AEAD when there are none
    std::unique_ptr<crypto::Aead> spare_;  // without a key: memory for the next update
    Instant previous_deadline_ = kNever;
    std::uint64_t generation_ = 0;
    std::optional<NumberRange> opened_;  // numbers opened with the current keys
};

}  // namespace stoq::protection
