// stoq::Address to the system's socket addresses and back.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

#include "stoq/types.h"

namespace stoq::io {

// Large enough and aligned for either family.
union SocketAddress {
    sockaddr any;
    sockaddr_in ipv4;
    sockaddr_in6 ipv6;
};

// As a socket of `socket_family` (AF_INET or AF_INET6) wants it: an IPv6 socket reaches an IPv4
// address by its mapped form. Returns the length in use, 0 when the family cannot express it.
socklen_t to_socket_address(const Address& address, int socket_family, SocketAddress& out);

// Mapped IPv4 addresses come back as Family::kIpv4. kNone for anything that is not IP.
Address from_socket_address(const SocketAddress& address);

// The same for a bare IPv6 address; the port stays 0.
Address from_ipv6(const in6_addr& address, std::uint32_t scope_id);
Address from_ipv4(const in_addr& address);

in_addr to_ipv4(const Address& address);
in6_addr to_ipv6(const Address& address);

}  // namespace stoq::io
