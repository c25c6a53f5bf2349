#include "udp.h"

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace race {
namespace {

// Room for one control message with a number.
struct Control {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> bytes{};
};

bool wait_for(int descriptor, short events, std::chrono::nanoseconds most) {
    const auto left = std::max(most, std::chrono::nanoseconds(0));
    pollfd wanted{.fd = descriptor, .events = events, .revents = 0};
    const timespec time{.tv_sec = left.count() / 1'000'000'000,
                        .tv_nsec = left.count() % 1'000'000'000};
    return ::ppoll(&wanted, 1, &time, nullptr) > 0;
}

}  // namespace

sockaddr_in parse_address(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    sockaddr_in parsed{};
    parsed.sin_family = AF_INET;
    if (colon == std::string::npos ||
        ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &parsed.sin_addr) != 1) {
        fail("not an address: " + address);
    }
    parsed.sin_port = htons(static_cast<std::uint16_t>(std::atoi(address.c_str() + colon + 1)));
    return parsed;
}

std::string to_string(const sockaddr_in& address) {
    std::array<char, INET_ADDRSTRLEN> text{};
    (void)::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
    std::string named = text.data();
    named.append(1, ':').append(std::to_string(ntohs(address.sin_port)));
    return named;
}

UdpSocket::UdpSocket(const std::string& address, std::chrono::microseconds spin)
    : descriptor_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      local_(parse_address(address)),
      spin_(spin),
      buffer_(65'536) {
    set_socket_buffers(descriptor_);
    const int on = 1;
    (void)::setsockopt(descriptor_, SOL_UDP, UDP_GRO, &on, sizeof on);
    socklen_t length = sizeof local_;
    if (::bind(descriptor_, reinterpret_cast<sockaddr*>(&local_), length) != 0 ||
        ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&local_), &length) != 0) {
        fail("cannot bind " + address);
    }
}

UdpSocket::~UdpSocket() {
    ::close(descriptor_);
}

std::optional<Train> UdpSocket::receive() {
    Train train;
    Control control;
    iovec piece{buffer_.data(), buffer_.size()};
    msghdr message{};
    message.msg_name = &train.from;
    message.msg_namelen = sizeof train.from;
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    const ssize_t length = ::recvmsg(descriptor_, &message, 0);
    if (length <= 0) return {};
    train.bytes = std::span(buffer_).first(static_cast<std::size_t>(length));
    train.segment = train.bytes.size();
    for (cmsghdr* at = CMSG_FIRSTHDR(&message); at != nullptr; at = CMSG_NXTHDR(&message, at)) {
        if (at->cmsg_level != SOL_UDP || at->cmsg_type != UDP_GRO) continue;
        int segment = 0;
        std::memcpy(&segment, CMSG_DATA(at), sizeof segment);
        train.segment = static_cast<std::size_t>(segment);
    }
    return train;
}

bool UdpSocket::send(Bytes bytes, std::size_t segment, const sockaddr_in& to) {
    Control control;
    sockaddr_in name = to;
    iovec piece{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_name = &name;
    message.msg_namelen = sizeof name;
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (bytes.size() > segment) {
        message.msg_control = control.bytes.data();
        message.msg_controllen = CMSG_SPACE(sizeof(std::uint16_t));
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_UDP;
        header->cmsg_type = UDP_SEGMENT;
        header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
        const auto size = static_cast<std::uint16_t>(segment);
        std::memcpy(CMSG_DATA(header), &size, sizeof size);
    }
    // What the network refuses is lost, as in a network; only a full socket is worth a wait.
    return ::sendmsg(descriptor_, &message, 0) >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

void UdpSocket::wait_writable() {
    (void)wait_for(descriptor_, POLLOUT, std::chrono::milliseconds(10));
}

void UdpSocket::wait_readable(std::chrono::nanoseconds most) {
    const auto sleep = Clock::now() + std::min<std::chrono::nanoseconds>(spin_, most);
    while (Clock::now() < sleep) {
        if (wait_for(descriptor_, POLLIN, std::chrono::nanoseconds(0))) return;
    }
    (void)wait_for(descriptor_, POLLIN, most);
}

}  // namespace race
