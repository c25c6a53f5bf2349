#include "io/socket_address.h"

#include <algorithm>
#include <cstring>

namespace stoq::io {

namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

in_addr to_ipv4(const Address& address) {
    in_addr result{};
    std::memcpy(&result, address.ip.data(), sizeof result);
    return result;
}

in6_addr to_ipv6(const Address& address) {
    in6_addr result{};
    if (address.family == Address::Family::kIpv4) {
        std::memcpy(result.s6_addr, kMappedPrefix.data(), kMappedPrefix.size());
        std::memcpy(result.s6_addr + kMappedPrefix.size(), address.ip.data(), sizeof(in_addr));
    } else {
        std::memcpy(result.s6_addr, address.ip.data(), sizeof result);
    }
    return result;
}

socklen_t to_socket_address(const Address& address, int socket_family, SocketAddress& out) {
    if (address.family == Address::Family::kNone) return 0;
    if (socket_family == AF_INET6) {
        out.ipv6 = sockaddr_in6{};
        out.ipv6.sin6_family = AF_INET6;
        out.ipv6.sin6_port = htons(address.port);
        out.ipv6.sin6_addr = to_ipv6(address);
        out.ipv6.sin6_scope_id = address.scope_id;
        return sizeof out.ipv6;
    }
    if (socket_family != AF_INET || address.family != Address::Family::kIpv4) return 0;
    out.ipv4 = sockaddr_in{};
    out.ipv4.sin_family = AF_INET;
    out.ipv4.sin_port = htons(address.port);
    out.ipv4.sin_addr = to_ipv4(address);
    return sizeof out.ipv4;
}

Address from_ipv4(const in_addr& address) {
    Address result;
    result.family = Address::Family::kIpv4;
    std::memcpy(result.ip.data(), &address, sizeof address);
    return result;
}

Address from_ipv6(const in6_addr& address, std::uint32_t scope_id) {
    Address result;
    if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.s6_addr)) {
        result.family = Address::Family::kIpv4;
        std::memcpy(result.ip.data(), address.s6_addr + kMappedPrefix.size(), sizeof(in_addr));
        return result;
    }
    result.family = Address::Family::kIpv6;
    std::memcpy(result.ip.data(), address.s6_addr, sizeof address);
    result.scope_id = IN6_IS_ADDR_LINKLOCAL(&address) ? scope_id : 0;
    return result;
}

Address from_socket_address(const SocketAddress& address) {
    Address result;
    if (address.any.sa_family == AF_INET) {
        result = from_ipv4(address.ipv4.sin_addr);
        result.port = ntohs(address.ipv4.sin_port);
    } else if (address.any.sa_family == AF_INET6) {
        result = from_ipv6(address.ipv6.sin6_addr, address.ipv6.sin6_scope_id);
        result.port = ntohs(address.ipv6.sin6_port);
    }
    return result;
}

}  // namespace stoq::io
