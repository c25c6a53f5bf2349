// What one connection learned of a path, for the next one (careful resume, RFC 9959).
#pragma once

#include <cstdint>

#include "stoq/types.h"

namespace stoq {

struct PathMemory {
    std::uint64_t congestion_window = 0;  // bytes
    Duration round_trip{};                // the least that was measured
};

}  // namespace stoq
