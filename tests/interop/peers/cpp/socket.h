// A UDP socket for both families: IPv4 addresses are mapped ones.
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "contract.h"

namespace interop {

using Address = sockaddr_in6;

Address resolve(const Url& url);
// Any address of this machine.
Address any_address(std::uint16_t port);

struct Received {
    std::span<std::uint8_t> bytes;
    Address from;
    std::uint8_t ecn = 0;
};

class Socket {
public:
    explicit Socket(std::uint16_t port);
    ~Socket();
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    int descriptor() const { return descriptor_; }
    const Address& local() const { return local_; }
    // What is there now.
    std::optional<Received> receive(std::span<std::uint8_t> buffer);
    // What cannot be sent is lost, like anything else.
    void send(std::span<const std::uint8_t> bytes, const Address& to, std::uint8_t ecn);

private:
    int descriptor_;
    Address local_;
    std::uint8_t ecn_ = 0;
};

}  // namespace interop
