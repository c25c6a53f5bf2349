// Copies of clients' first datagrams that wait until their handshake may begin, in order.
#pragma once

#include <optional>
#include <vector>

#include "base/ring.h"
#include "stoq/endpoint.h"

namespace stoq::endpoint {

class HeldDatagrams {
public:
    // Two flights of ClientHellos with post-quantum key shares for each of a thousand clients.
    static constexpr std::size_t kMaxBytes = 4 << 20;

    struct Held {
        std::vector<std::uint8_t> bytes;
        Address local;
        Address remote;
        Ecn ecn = Ecn::kNotEct;
        Instant arrived{};
    };

    // False when there is no room.
    bool push(const ReceivedDatagram& datagram, Instant now);
    bool empty() const { return held_.empty(); }
    std::size_t size() const { return held_.size(); }
    ByteView front() const { return held_.front().bytes; }
    Held pop();

private:
    Ring<Held> held_;
    std::size_t bytes_ = 0;
};

}  // namespace stoq::endpoint
