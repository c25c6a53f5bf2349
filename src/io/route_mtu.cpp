#include "io/route_mtu.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/socket_address.h"

namespace stoq::io {

namespace {

// Connecting a UDP socket sends nothing: it only looks up the route.
std::optional<std::size_t> mtu_of_connected(int descriptor, const Address& remote, int family) {
    SocketAddress peer{};
    const socklen_t length = to_socket_address(remote, family, peer);
    if (length == 0 || ::connect(descriptor, &peer.any, length) != 0) return std::nullopt;
    int mtu = 0;
    socklen_t size = sizeof mtu;
    const bool ipv4 = family == AF_INET;
    const int failed = ::getsockopt(descriptor, ipv4 ? IPPROTO_IP : IPPROTO_IPV6,
                                    ipv4 ? IP_MTU : IPV6_MTU, &mtu, &size);
    if (failed != 0 || mtu <= 0) return std::nullopt;
    return static_cast<std::size_t>(mtu);
}

}  // namespace

std::optional<std::size_t> route_mtu(const Address& remote) {
    const int family = remote.family == Address::Family::kIpv4 ? AF_INET : AF_INET6;
    Address target = remote;
    if (target.port == 0) target.port = 9;  // connect() to port 0 is refused; any other will do
    const int descriptor = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return std::nullopt;
    const auto mtu = mtu_of_connected(descriptor, target, family);
    ::close(descriptor);
    return mtu;
}

}  // namespace stoq::io
