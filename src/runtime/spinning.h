// Whether to look for work a little longer before going to sleep.
//
// To be woken costs some ten microseconds, which is most of a short round trip. Looking is worth it
// where work comes soon, and heats a processor for nothing where it does not: what the last gaps
// between work were like decides, so a loop that rests for long falls asleep at once.
#pragma once

#include <algorithm>

#include "stoq/types.h"

namespace stoq::runtime {

class Spinning {
public:
    // Looks for so long at the most; zero: never.
    explicit Spinning(Duration limit) : limit_(limit) {}

    bool enabled() const { return limit_ > Duration::zero(); }

    // A turn of the loop found work.
    void on_work(Instant now) {
        if (!idle_) return;
        idle_ = false;
        const int change = now - idle_since_ < limit_ ? 1 : -1;
        confidence_ = std::clamp(confidence_ + change, 0, kMostConfidence);
    }

    // A turn of the loop found none: is another one to follow at once?
    bool should_spin(Instant now) {
        if (!idle_) idle_since_ = now;
        idle_ = true;
        return confidence_ > 0 && now - idle_since_ < limit_;
    }

private:
    // So many short gaps outlast as many long ones.
    static constexpr int kMostConfidence = 4;

    Duration limit_;
    Instant idle_since_{};
    bool idle_ = false;
    int confidence_ = 1;
};

}  // namespace stoq::runtime
