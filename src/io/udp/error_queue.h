// The socket's error queue: ICMP errors and those of this host's own routing.
#pragma once

#include <span>
#include <vector>

#include "io/datapath.h"
#include "io/udp/udp_socket.h"

namespace stoq::io {

class ErrorQueue {
public:
    explicit ErrorQueue(const UdpSocket& socket);

    // Empties the queue, up to a bound; `more` tells whether something may be left. The reports
    // are borrowed until the next call.
    std::span<const PathErrorReport> drain(DatapathCounters& counters, bool& more);

private:
    const SystemCalls& calls_;
    int descriptor_;
    std::vector<PathErrorReport> reports_;
};

}  // namespace stoq::io
