// LostRun: a stretch of packets of one space that were all lost (RFC 9002 section 7.6).
#pragma once

#include <cstdint>

#include "stoq/types.h"

namespace stoq::recovery {

// From the first to the last ack-eliciting lost packet between which none was acknowledged.
struct LostRun {
    bool open = false;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    Instant first_sent{};
    Instant last_sent{};

    Duration duration() const { return open ? last_sent - first_sent : Duration::zero(); }

    // The next lost packet in order. `contiguous`: none between `last` and it was acknowledged.
    void extend(std::uint64_t number, Instant sent, bool contiguous) {
        if (!open || !contiguous) {
            *this = {.open = true, .first = number, .first_sent = sent};
        }
        last = number;
        last_sent = sent;
    }

    // A packet was acknowledged after all, late; it splits the run.
    void on_acknowledged(std::uint64_t number) {
        if (open && number >= first && number <= last) open = false;
    }
};

}  // namespace stoq::recovery
