// IP packets as the link sees them: where the UDP datagram lies, and what a NAT rewrites.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "stoq/types.h"

namespace stoq::link {

using Packet = std::vector<std::uint8_t>;

enum class Direction : std::uint8_t { kToServer = 0, kToClient = 1 };

constexpr std::size_t index_of(Direction direction) {
    return static_cast<std::size_t>(direction);
}

// An address and a port of one family; IPv4 uses the first four bytes.
struct Socket {
    std::array<std::uint8_t, 16> ip{};
    std::uint16_t port = 0;
    bool ipv6 = false;

    std::size_t ip_length() const { return ipv6 ? 16 : 4; }
    friend auto operator<=>(const Socket&, const Socket&) = default;
};

// Borrows a packet that holds one whole UDP datagram, and reads and rewrites it in place. Whoever
// has rewritten something calls fix_checksums() at the end.
class UdpView {
public:
    // Nothing when the packet is not IP, not UDP, a fragment, or shorter than it claims.
    static std::optional<UdpView> find(Bytes packet);

    Socket source() const { return read(source_ip(), 0); }
    Socket destination() const { return read(destination_ip(), 2); }
    void set_source(const Socket& to) { write(to, source_ip(), 0); }
    void set_destination(const Socket& to) { write(to, destination_ip(), 2); }
    Bytes payload() const { return packet_.subspan(udp_ + 8, udp_length_ - 8); }
    void fix_checksums();

private:
    UdpView(Bytes packet, std::size_t udp, std::size_t udp_length, bool ipv6)
        : packet_(packet), udp_(udp), udp_length_(udp_length), ipv6_(ipv6) {}

    std::size_t source_ip() const { return ipv6_ ? 8 : 12; }
    std::size_t destination_ip() const { return ipv6_ ? 24 : 16; }
    Socket read(std::size_t ip_offset, std::size_t port_offset) const;
    void write(const Socket& to, std::size_t ip_offset, std::size_t port_offset);

    Bytes packet_;
    std::size_t udp_;         // offset of the UDP header
    std::size_t udp_length_;  // of header and payload, at least 8
    bool ipv6_;
};

// A Version Negotiation packet (RFC 8999 section 6): a long header with version 0.
bool is_version_negotiation(ByteView datagram);

}  // namespace stoq::link
