// The one place that reads a clock: everything else is told the time.
#pragma once

#include <ctime>

#include "stoq/types.h"

namespace stoq::io {

inline Duration read_clock(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
}

// Monotonic time; it does not jump when the wall clock is set. The origin is unspecified.
inline Instant now() {
    return Instant(read_clock(CLOCK_MONOTONIC));
}

// What Instant{} is in Unix time, by the wall clock as it is set now.
inline Duration unix_origin() {
    return read_clock(CLOCK_REALTIME) - now().time_since_epoch();
}

}  // namespace stoq::io
