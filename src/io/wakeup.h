// Sleeping until a descriptor is ready, and being woken from another thread.
#pragma once

#include <span>

#include "io/system_calls.h"
#include "stoq/error.h"

namespace stoq::io {

// An eventfd. wake() may be called from any thread and from a signal handler; the rest belongs to
// the thread that waits.
class Waker {
public:
    static SystemResult<Waker> create();
    ~Waker();
    Waker(Waker&& other) noexcept;
    Waker& operator=(Waker&& other) noexcept;

    // Ends the present or the next wait. Ringing twice before a reset is the same as once.
    void wake() const;
    // Forgets all rings. True when there was one.
    bool reset() const;

    int native_handle() const { return descriptor_; }

private:
    explicit Waker(int descriptor) : descriptor_(descriptor) {}

    int descriptor_ = -1;
};

// One descriptor to watch, and what became of it.
struct WaitSource {
    int descriptor = -1;
    bool want_write = false;  // besides reading
    bool readable = false;    // out
    bool writable = false;    // out
    bool error = false;       // out: there is something in the error queue
};

// The most sources that one wait watches.
inline constexpr std::size_t kMaxWaitSources = 64;

// Sleeps until a source is ready or `timeout` is over (zero or less only looks, Duration::max()
// sleeps for ever; nanosecond steps). A signal ends the sleep early. Returns how many are ready.
std::size_t wait_for(std::span<WaitSource> sources, Duration timeout,
                     const SystemCalls& calls = real_system_calls());

}  // namespace stoq::io
