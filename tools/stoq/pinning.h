// Threads on cores of their own, for measurements.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <thread>

namespace stoq::tool {

// The calling thread stays on this core; where there are not so many, nothing happens.
inline void pin_to(unsigned core) {
    if (core >= std::thread::hardware_concurrency()) return;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    (void)pthread_setaffinity_np(pthread_self(), sizeof(cores), &cores);
}

}  // namespace stoq::tool
