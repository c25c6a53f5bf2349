#include "socket.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace interop {
namespace {

constexpr int kOn = 1;
constexpr std::uint8_t kEcnBits = 3;

void set(int descriptor, int level, int name, int value) {
    if (::setsockopt(descriptor, level, name, &value, sizeof value) != 0)
        fail(std::string("setsockopt: ") + std::strerror(errno));
}

std::uint8_t ecn_of(msghdr& message) {
    for (cmsghdr* it = CMSG_FIRSTHDR(&message); it != nullptr; it = CMSG_NXTHDR(&message, it)) {
        const bool ipv4 = it->cmsg_level == IPPROTO_IP && it->cmsg_type == IP_TOS;
        const bool ipv6 = it->cmsg_level == IPPROTO_IPV6 && it->cmsg_type == IPV6_TCLASS;
        if (ipv4 || ipv6) return *CMSG_DATA(it) & kEcnBits;
    }
    return 0;
}

}  // namespace

Address resolve(const Url& url) {
    addrinfo hints{};
    hints.ai_family = AF_INET6;
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_flags = AI_V4MAPPED;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(url.port);
    if (::getaddrinfo(url.host.c_str(), port.c_str(), &hints, &found) != 0)
        fail("no address of " + url.host);
    Address address{};
    std::memcpy(&address, found->ai_addr, sizeof address);
    ::freeaddrinfo(found);
    return address;
}

Address any_address(std::uint16_t port) {
    Address address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    return address;
}

Socket::Socket(std::uint16_t port)
    : descriptor_(::socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      local_(any_address(port)) {
    set(descriptor_, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    set(descriptor_, IPPROTO_IP, IP_RECVTOS, kOn);
    set(descriptor_, IPPROTO_IPV6, IPV6_RECVTCLASS, kOn);
    if (::bind(descriptor_, reinterpret_cast<sockaddr*>(&local_), sizeof local_) != 0)
        fail(std::string("bind: ") + std::strerror(errno));
    socklen_t length = sizeof local_;
    (void)::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&local_), &length);
}

Socket::~Socket() {
    ::close(descriptor_);
}

std::optional<Received> Socket::receive(std::span<std::uint8_t> buffer) {
    Received received{};
    iovec piece{buffer.data(), buffer.size()};
    alignas(cmsghdr) std::array<std::uint8_t, 128> control{};
    msghdr message{};
    message.msg_name = &received.from;
    message.msg_namelen = sizeof received.from;
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t length = ::recvmsg(descriptor_, &message, 0);
    if (length < 0) return std::nullopt;
    received.bytes = buffer.first(static_cast<std::size_t>(length));
    received.ecn = ecn_of(message);
    return received;
}

void Socket::send(std::span<const std::uint8_t> bytes, const Address& to, std::uint8_t ecn) {
    if (ecn != ecn_) {
        set(descriptor_, IPPROTO_IP, IP_TOS, ecn);
        set(descriptor_, IPPROTO_IPV6, IPV6_TCLASS, ecn);
        ecn_ = ecn;
    }
    (void)::sendto(descriptor_, bytes.data(), bytes.size(), 0,
                   reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

}  // namespace interop
