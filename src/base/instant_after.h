// Adding to an Instant without an end of time.
#pragma once

#include "stoq/types.h"

namespace stoq {

// `now + delay`, or kNever when that is beyond what an Instant can tell.
constexpr Instant instant_after(Instant now, Duration delay) {
    return delay < kNever - now ? now + delay : kNever;
}

}  // namespace stoq
