// Ancillary data of UDP messages: local address, ECN mark, segment size, drop counter.
#pragma once

#include <sys/socket.h>

#include <optional>

#include "stoq/types.h"

namespace stoq::io {

// Large enough for everything that a socket of ours is told or tells at once.
inline constexpr std::size_t kControlBytes = 256;

struct alignas(cmsghdr) ControlBuffer {
    std::array<std::uint8_t, kControlBytes> bytes;
};

struct SendControl {
    Address::Family family = Address::Family::kNone;  // of the destination
    Address source;                                   // family kNone: the system chooses
    Ecn ecn = Ecn::kNotEct;
    std::size_t segment_size = 0;  // 0: one datagram
};

// Attaches what is asked for to `message`, in `buffer`; nothing at all when all is default.
void write_control(const SendControl& control, ControlBuffer& buffer, msghdr& message);

struct ReceivedControl {
    Address local;  // without port; family kNone when it was not told
    Ecn ecn = Ecn::kNotEct;
    std::size_t segment_size = 0;        // 0: the buffer holds one datagram
    std::optional<std::uint32_t> drops;  // since the socket was opened, modulo 2^32
};

ReceivedControl read_control(const msghdr& message);

}  // namespace stoq::io
