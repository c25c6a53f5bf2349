// Datagrams: messages that are sent once, whole, and not again when they are lost (RFC 9221).
#pragma once

#include <cstdint>

#include "stoq/types.h"

namespace stoq {

// Urgencies go from 0, the most urgent, to this.
inline constexpr std::uint8_t kLeastDatagramUrgency = 7;

struct DatagramOptions {
    // Not sent, but dropped and counted (ConnectionStatistics::datagram_frames_expired), when it
    // could not leave before; kNever: it waits as long as it takes.
    Instant deadline = kNever;
    // Goes before streams and datagrams of a higher value, and before streams of the same
    // (Endpoint::set_priority).
    std::uint8_t urgency = 3;
};

}  // namespace stoq
