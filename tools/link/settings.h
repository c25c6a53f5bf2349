// What a link does to packets. The defaults do nothing at all.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>

#include "packet.h"
#include "stoq/types.h"

namespace stoq::link {

// What happens at random to the UDP datagrams of one direction: `percent` of them, but at most
// `burst` in a row.
struct RandomErrors {
    unsigned percent = 0;
    unsigned burst = ~0U;
};

// Of one direction. Only UDP datagrams are counted, dropped and corrupted.
struct DirectionSettings {
    std::set<std::uint64_t> drops{};  // positions among the datagrams of this direction, from 1
    RandomErrors drop{};
    RandomErrors corrupt{};
};

// Times count from the first UDP datagram.
struct LinkSettings {
    // --- Both directions, each by itself ---
    Duration delay{};                   // one way
    std::uint64_t bits_per_second = 0;  // of IP packets; 0: no limit
    std::size_t queue_packets = 1000;   // that wait for their turn; more are dropped
    std::array<DirectionSettings, 2> directions{};

    // --- Blackhole: nothing passes for `off` after each `on`, `repeat` times; off 0: never ---
    Duration on{};
    Duration off{};
    unsigned repeat = 1;

    // --- NAT: the client's ports, and addresses if asked for, change; first_rebind 0: never ---
    Duration first_rebind{};
    Duration rebind_interval{};  // 0: once
    bool rebind_address = false;

    std::uint64_t seed = 1;
};

// One direction's packets; what was offered is delivered, dropped or still under way.
struct Counters {
    std::uint64_t offered = 0;
    std::uint64_t delivered = 0;
    std::uint64_t delivered_bytes = 0;
    std::uint64_t queue_drops = 0;
    std::uint64_t list_drops = 0;
    std::uint64_t random_drops = 0;
    std::uint64_t blackhole_drops = 0;
    std::uint64_t binding_drops = 0;  // for a NAT binding that is gone
    std::uint64_t corrupted = 0;      // and delivered
};

}  // namespace stoq::link
