#include "packet.h"

#include <algorithm>

namespace stoq::link {
namespace {

constexpr std::uint8_t kUdp = 17;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kIpv6Header = 40;

std::uint16_t read_u16(ByteView bytes, std::size_t offset) {
    return static_cast<std::uint16_t>(bytes[offset] << 8 | bytes[offset + 1]);
}

void write_u16(Bytes bytes, std::size_t offset, std::uint16_t value) {
    bytes[offset] = static_cast<std::uint8_t>(value >> 8);
    bytes[offset + 1] = static_cast<std::uint8_t>(value);
}

// RFC 1071's sum, not yet folded or inverted.
std::uint64_t add_up(ByteView bytes) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += read_u16(bytes, i);
    if (bytes.size() % 2 != 0) sum += std::uint64_t{bytes.back()} << 8;
    return sum;
}

std::uint16_t checksum(std::uint64_t sum) {
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

// Offset of what an unfragmented IPv4 packet carries, if that is UDP.
std::optional<std::size_t> udp_in_ipv4(ByteView packet) {
    const std::size_t header = std::size_t{packet[0] & 0x0fU} * 4;
    if (header < 20 || packet.size() < header || packet[9] != kUdp) return std::nullopt;
    const bool fragment = (read_u16(packet, 6) & 0x3fff) != 0;  // more fragments, or an offset
    if (fragment) return std::nullopt;
    return header;
}

}  // namespace

std::optional<UdpView> UdpView::find(Bytes packet) {
    if (packet.size() < 20) return std::nullopt;
    const int version = packet[0] >> 4;
    std::optional<std::size_t> udp;
    if (version == 4) udp = udp_in_ipv4(packet);
    if (version == 6 && packet.size() >= kIpv6Header && packet[6] == kUdp) udp = kIpv6Header;
    if (!udp || packet.size() < *udp + kUdpHeader) return std::nullopt;
    const std::size_t length = read_u16(packet, *udp + 4);
    if (length < kUdpHeader || length > packet.size() - *udp) return std::nullopt;
    return UdpView(packet, *udp, length, version == 6);
}

Socket UdpView::read(std::size_t ip_offset, std::size_t port_offset) const {
    Socket socket;
    socket.ipv6 = ipv6_;
    const auto ip = packet_.subspan(ip_offset, socket.ip_length());
    std::copy(ip.begin(), ip.end(), socket.ip.begin());
    socket.port = read_u16(packet_, udp_ + port_offset);
    return socket;
}

void UdpView::write(const Socket& to, std::size_t ip_offset, std::size_t port_offset) {
    std::copy_n(to.ip.begin(), ipv6_ ? 16 : 4,
                packet_.begin() + static_cast<std::ptrdiff_t>(ip_offset));
    write_u16(packet_, udp_ + port_offset, to.port);
}

void UdpView::fix_checksums() {
    if (!ipv6_) {
        write_u16(packet_, 10, 0);
        write_u16(packet_, 10, checksum(add_up(packet_.first(udp_))));
    }
    const std::size_t addresses = ipv6_ ? 32 : 8;
    const Bytes datagram = packet_.subspan(udp_, udp_length_);
    write_u16(datagram, 6, 0);
    const std::uint64_t pseudo_header =
        add_up(packet_.subspan(source_ip(), addresses)) + kUdp + udp_length_;
    const std::uint16_t sum = checksum(pseudo_header + add_up(datagram));
    write_u16(datagram, 6, sum == 0 ? 0xffff : sum);  // 0 would mean: no checksum (RFC 768)
}

bool is_version_negotiation(ByteView datagram) {
    return datagram.size() >= 5 && (datagram[0] & 0x80) != 0 &&
           std::all_of(datagram.begin() + 1, datagram.begin() + 5,
                       [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace stoq::link
