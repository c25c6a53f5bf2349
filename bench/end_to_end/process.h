// Processes of a benchmark: pinned to a core, and with figures in memory that both can see.
#pragma once

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>

namespace stoq::bench {

[[noreturn]] inline void give_up(const char* what) {
    std::fprintf(stderr, "end_to_end_bench: %s\n", what);
    std::_Exit(1);
}

inline void pin_to_core(unsigned core) {
    const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core % static_cast<unsigned>(cores > 0 ? cores : 1), &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0) {
        std::fprintf(stderr, "end_to_end_bench: not pinned to core %u\n", core);
    }
}

// Nanoseconds of processor time that this process has used.
inline double processor_nanoseconds() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// A T that this process and those forked from it share until the end.
template <typename T>
T& make_shared_value() {
    void* const memory =
        ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) give_up("no shared memory");
    return *new (memory) T{};
}

// Runs `work` in a process of its own.
template <typename Work>
pid_t fork_process(const Work& work) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child < 0) give_up("no process");
    if (child == 0) {
        work();
        std::fflush(nullptr);
        std::_Exit(0);
    }
    return child;
}

// Whether the process ended as it should.
inline bool join_process(pid_t child) {
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace stoq::bench
