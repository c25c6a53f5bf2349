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

// What Instant{} is in Unix time, by the wall clock as it is set now.
inline Duration unix_origin() {
    timespec time{};
    ::clock_gettime(CLOCK_REALTIME, &time);
    const Duration unix_time = std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
    return unix_time - now().time_since_epoch();
}

}  // namespace stoq::io
