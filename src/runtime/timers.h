// The application's timers of one runtime.
#pragma once

#include <functional>
#include <vector>

#include "stoq/types.h"

namespace stoq::runtime {

// `now + delay`, or kNever when that is beyond what an Instant can tell.
constexpr Instant instant_after(Instant now, Duration delay) {
    return delay < kNever - now ? now + delay : kNever;
}

class Timers {
public:
    using Task = std::move_only_function<void()>;

    // Returns the name of the timer, never 0.
    std::uint64_t add(Instant when, Task task);
    void cancel(std::uint64_t id);
    // kNever when there is none.
    Instant earliest() const;
    // The task of the earliest timer if its time has come, else an empty one. The timer is gone.
    Task take_due(Instant now);

private:
    struct Timer {
        Instant when;
        std::uint64_t id;
        Task task;
    };
    // The heap's top is the earliest, and of equal ones the first that was added.
    static bool later(const Timer& a, const Timer& b) {
        return a.when != b.when ? a.when > b.when : a.id > b.id;
    }

    std::vector<Timer> heap_;
    std::uint64_t last_id_ = 0;
};

}  // namespace stoq::runtime
