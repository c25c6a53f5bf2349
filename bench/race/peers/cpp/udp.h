// A UDP socket with trains in both directions, for libraries that leave the loop to their user.
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <optional>
#include <vector>

#include "contract.h"

namespace race {

inline constexpr std::size_t kLongestTrain = 65'507;

// Datagrams that came in one piece: all of `segment` bytes but the last, which may be shorter.
struct Train {
    std::span<std::uint8_t> bytes;
    std::size_t segment = 0;
    sockaddr_in from{};
};

class UdpSocket {
public:
    // "127.0.0.1:0"; whoever waits looks for something to read for `spin` before he sleeps.
    UdpSocket(const std::string& address, std::chrono::microseconds spin);
    ~UdpSocket();
    UdpSocket(const UdpSocket&) = delete;
    UdpSocket& operator=(const UdpSocket&) = delete;

    const sockaddr_in& local() const { return local_; }
    // Nothing when there is nothing. The bytes are valid until the next call.
    std::optional<Train> receive();
    // False when the socket is full: wait_writable(), then send the same again.
    bool send(Bytes bytes, std::size_t segment, const sockaddr_in& to);
    void wait_writable();
    void wait_readable(std::chrono::nanoseconds most);

private:
    int descriptor_ = -1;
    sockaddr_in local_{};
    std::chrono::microseconds spin_;
    std::vector<std::uint8_t> buffer_;
};

sockaddr_in parse_address(const std::string& address);
std::string to_string(const sockaddr_in& address);

}  // namespace race
