// StoredPackets: packets that came before their keys (RFC 9000 section 5.2, 9001 section 5.7).
//
// Reordering in the network can bring 1-RTT packets before the end of the handshake. Keeping a few
// of them saves a probe timeout; how many is bounded, because nobody has authenticated them.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "path/path_state.h"
#include "stoq/types.h"

namespace stoq::connection {

struct StoredPacket {
    std::vector<std::uint8_t> bytes;
    path::AddressPair addresses;
    Ecn ecn = Ecn::kNotEct;
    EncryptionLevel level = EncryptionLevel::kHandshake;
    // Bytes that its address is still to be credited with: none when its datagram was (RFC 9000
    // section 8.1).
    std::size_t credit = 0;
};

class StoredPackets {
public:
    static constexpr std::size_t kMaxPackets = 16;
    static constexpr std::size_t kMaxBytes = 32 * 1024;

    bool empty() const { return packets_.empty(); }

    // False when there is no room: the packet is lost, as it would have been anyway.
    bool store(ByteView packet, const path::AddressPair& addresses, Ecn ecn, EncryptionLevel level,
               std::size_t credit) {
        if (packets_.size() >= kMaxPackets || bytes_ + packet.size() > kMaxBytes) return false;
        bytes_ += packet.size();
        packets_.push_back({{packet.begin(), packet.end()}, addresses, ecn, level, credit});
        return true;
    }

    // Takes all packets out.
    std::vector<StoredPacket> take() {
        bytes_ = 0;
        return std::exchange(packets_, {});
    }
    void clear() { take(); }

private:
    std::vector<StoredPacket> packets_;
    std::size_t bytes_ = 0;
};

}  // namespace stoq::connection
