// AmplificationLimit: at most three times what an unvalidated address sent (RFC 9000 section 8).
#pragma once

#include <cstdint>
#include <limits>

namespace stoq::path {

// Counts UDP payload of one path: all that comes from its address with a connection ID of ours,
// whatever becomes of it.
class AmplificationLimit {
public:
    static constexpr std::uint64_t kFactor = 3;
    // A short header with the longest connection ID, an ACK frame of some ranges, a tag.
    static constexpr std::uint64_t kSmallPacket = 64;
    static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

    bool validated() const { return validated_; }
    void set_validated() { validated_ = true; }
    // The address is one that we chose to send to: nobody can have made us.
    void lift() { lifted_ = true; }

    //= 9000-8.1-3
    void on_received(std::size_t bytes) { received_ += bytes; }
    void on_sent(std::size_t bytes) { sent_ += bytes; }

    // How many more bytes may be sent now.
    //= 9000-8-1
    //= 9000-8.1-2
    std::uint64_t allowance() const {
        if (validated_ || lifted_) return kUnlimited;
        const std::uint64_t limit = kFactor * received_;
        return limit > sent_ ? limit - sent_ : 0;
    }
    bool allows(std::size_t bytes) const { return bytes <= allowance(); }
    // No packet can be sent until the peer sends: loss recovery must not wait for a timer.
    bool blocked() const { return allowance() < kSmallPacket; }

private:
    std::uint64_t received_ = 0;
    std::uint64_t sent_ = 0;
    bool validated_ = false;
    bool lifted_ = false;
};

}  // namespace stoq::path
