// Plain counters, which the hot path increments itself.
#pragma once

#include <array>
#include <cstdint>

#include "base/drop_reason.h"

namespace stoq::observe {

// Dropped packets or datagrams by reason.
class DropCounters {
public:
    void add(DropReason reason) { ++counts_[static_cast<std::size_t>(reason)]; }
    std::uint64_t operator[](DropReason reason) const {
        return counts_[static_cast<std::size_t>(reason)];
    }
    std::uint64_t total() const;

private:
    std::array<std::uint64_t, static_cast<std::size_t>(DropReason::kCount)> counts_{};
};

// What one connection counts. Bytes are UDP payload.
struct ConnectionCounters {
    std::uint64_t datagrams_sent = 0;
    std::uint64_t datagrams_received = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t packets_sent = 0;
    std::uint64_t packets_received = 0;
    std::uint64_t packets_lost = 0;
    std::uint64_t packets_dropped = 0;
    std::uint64_t probe_timeouts = 0;
    std::uint64_t key_updates = 0;
    std::uint64_t ecn_ce_received = 0;
    std::uint64_t mtu_probes_sent = 0;
    std::uint64_t black_holes = 0;
    std::uint64_t migrations = 0;
};

}  // namespace stoq::observe
