// What this machine allows when there is no protocol: the ceiling C = 1 / (1/U + 1/A).
#pragma once

#include <algorithm>

#include "stoq/types.h"

namespace stoq::bench {

inline constexpr std::size_t kDatagram = 1452;
inline constexpr std::size_t kTrain = 44;  // datagrams that fit into one send

struct Ceiling {
    // U: UDP over loopback, trains out and trains in, sender and receiver on a core each.
    double udp_gbps = 0;
    // The same in processor time of each side, so also meaningful on a busy machine.
    double udp_send_ns = 0;     // per datagram sent
    double udp_receive_ns = 0;  // per datagram received
    // A: batches of packets sealed with AES-128-GCM on one core.
    double aead_gbps = 0;
    double seal_ns = 0;  // per packet, header protection included
    double open_ns = 0;

    double gbps() const { return 1 / (1 / udp_gbps + 1 / aead_gbps); }
    // The same ceiling of two cores that do nothing else, from processor times.
    double processor_gbps() const {
        const double slower = std::max(udp_send_ns, udp_receive_ns);
        return 1 / (slower / (8.0 * kDatagram) + 1 / aead_gbps);
    }
};

Ceiling measure_ceiling(Duration span);

// The mean of two measurements.
Ceiling mean(const Ceiling& one, const Ceiling& other);

}  // namespace stoq::bench
