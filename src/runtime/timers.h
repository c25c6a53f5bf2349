// The application's timers of one runtime.
#pragma once

#include <functional>

#include "base/deadline_wheel.h"
#include "base/slab.h"
#include "stoq/types.h"

namespace stoq::runtime {

class Timers {
public:
    using Task = std::move_only_function<void()>;

    // Returns the name of the timer, never 0.
    std::uint64_t add(Instant when, Task task);
    void cancel(std::uint64_t id);
    // When take_due() may have something, not after the earliest timer; kNever when there is none.
    Instant next() const { return wheel_.next(); }
    // The task of the earliest timer if its time has come, else an empty one; of equal ones that of
    // the first that was added. The timer is gone.
    Task take_due(Instant now);

private:
    Slab<Task> tasks_;
    DeadlineWheel wheel_;
};

}  // namespace stoq::runtime
