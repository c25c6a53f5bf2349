// Packets for the tests of the link.
#pragma once

#include <cstdint>
#include <vector>

#include "packet.h"

namespace stoq::link {

inline Socket ipv4_socket(std::uint8_t host, std::uint16_t port) {
    Socket socket;
    socket.ip = {10, 0, 0, host};
    socket.port = port;
    return socket;
}

inline Socket ipv6_socket(std::uint8_t host, std::uint16_t port) {
    Socket socket;
    socket.ip = {0xfd, 0, 0, 7};
    socket.ip[15] = host;
    socket.port = port;
    socket.ipv6 = true;
    return socket;
}

// An IPv4 or IPv6 packet, as the sockets are, with a UDP datagram and checksums that are right.
inline Packet udp_packet(const Socket& from, const Socket& to,
                         const std::vector<std::uint8_t>& payload) {
    const std::size_t header = from.ipv6 ? 40 : 20;
    Packet packet(header + 8 + payload.size());
    const std::size_t udp_length = 8 + payload.size();
    if (from.ipv6) {
        packet[0] = 0x60;
        packet[4] = static_cast<std::uint8_t>(udp_length >> 8);
        packet[5] = static_cast<std::uint8_t>(udp_length);
        packet[6] = 17;
        packet[7] = 64;
    } else {
        packet[0] = 0x45;
        packet[2] = static_cast<std::uint8_t>(packet.size() >> 8);
        packet[3] = static_cast<std::uint8_t>(packet.size());
        packet[8] = 64;
        packet[9] = 17;
    }
    packet[header + 4] = static_cast<std::uint8_t>(udp_length >> 8);
    packet[header + 5] = static_cast<std::uint8_t>(udp_length);
    std::copy(payload.begin(), payload.end(),
              packet.begin() + static_cast<std::ptrdiff_t>(header + 8));
    auto view = UdpView::find(packet);
    view->set_source(from);
    view->set_destination(to);
    view->fix_checksums();
    return packet;
}

// A datagram from the client (host 1, port 5000) that carries `length` bytes, all of them `fill`.
inline Packet client_datagram(std::size_t length, std::uint8_t fill = 0x40) {
    return udp_packet(ipv4_socket(1, 5000), ipv4_socket(2, 443),
                      std::vector<std::uint8_t>(length, fill));
}

inline Packet server_datagram(std::size_t length, std::uint8_t fill = 0x40) {
    return udp_packet(ipv4_socket(2, 443), ipv4_socket(1, 5000),
                      std::vector<std::uint8_t>(length, fill));
}

}  // namespace stoq::link
