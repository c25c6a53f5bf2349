// The one place that reads a clock: everything else is told the time.
#pragma once

#include <ctime>

#include "stoq/types.h"

namespace stoq::io {

// Monotonic time; it does not jump when the wall clock is set. The origin is unspecified.
inline Instant now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return Instant(std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec));
}

}  // namespace stoq::io
