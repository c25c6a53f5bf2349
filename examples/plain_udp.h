// A plain IPv4 UDP socket, a clock and random bytes: what the sans-I/O floor leaves to its user.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "echo_credentials.h"
#include "stoq/endpoint.h"

class SystemRandom final : public stoq::RandomSource {
public:
    void fill(stoq::Bytes out) override {
        // At most 256 bytes at once are never cut short.
        for (; !out.empty(); out = out.subspan(std::min<std::size_t>(out.size(), 256))) {
            if (::getrandom(out.data(), std::min<std::size_t>(out.size(), 256), 0) < 0) {
                fail("no random bytes");
            }
        }
    }
};

inline stoq::Instant monotonic_now() {
    const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
    return stoq::Instant(std::chrono::duration_cast<stoq::Duration>(since_start));
}

class PlainUdp {
public:
    explicit PlainUdp(const stoq::Address& local) {
        const sockaddr_in address = to_system(local);
        if (::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            fail("cannot bind " + to_string(local) + ": " + std::strerror(errno));
        }
    }
    ~PlainUdp() { ::close(socket_); }
    PlainUdp(const PlainUdp&) = delete;
    PlainUdp& operator=(const PlainUdp&) = delete;

    stoq::Address local() const {
        sockaddr_in address{};
        socklen_t length = sizeof address;
        ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
        return from_system(address);
    }

    // One datagram into `buffer`; empty when none has come.
    stoq::ReceivedDatagram receive(stoq::Bytes buffer) const {
        sockaddr_in from{};
        socklen_t length = sizeof from;
        const ssize_t size = ::recvfrom(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT,
                                        reinterpret_cast<sockaddr*>(&from), &length);
        if (size <= 0) return {};
        return {.data = buffer.first(static_cast<std::size_t>(size)),
                .local = {},
                .remote = from_system(from)};
    }

    // A datagram that the system does not take is lost, as others are on the way.
    void send(const stoq::TransmitSlot& slot) const {
        const sockaddr_in to = to_system(slot.remote);
        ::sendto(socket_, slot.buffer.data(), slot.length, 0,
                 reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }

    // Sleeps until a datagram comes or `until`.
    void wait(stoq::Instant until) const {
        pollfd watched{socket_, POLLIN, 0};
        const auto left = std::clamp<stoq::Duration>(until - monotonic_now(), {}, kLongest);
        const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(left).count();
        ::poll(&watched, 1, static_cast<int>(rounded));
    }

private:
    static constexpr stoq::Duration kLongest = std::chrono::hours(1);

    static sockaddr_in to_system(const stoq::Address& address) {
        sockaddr_in system{};
        system.sin_family = AF_INET;
        system.sin_port = htons(address.port);
        std::memcpy(&system.sin_addr, address.ip.data(), sizeof system.sin_addr);
        return system;
    }
    static stoq::Address from_system(const sockaddr_in& system) {
        stoq::Address address;
        address.family = stoq::Address::Family::kIpv4;
        address.port = ntohs(system.sin_port);
        std::memcpy(address.ip.data(), &system.sin_addr, sizeof system.sin_addr);
        return address;
    }

    int socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};
