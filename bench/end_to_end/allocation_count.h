// Counts the heap allocations of this process: the benchmark's proof that packets cost none.
#pragma once

#include <cstdint>

namespace stoq::bench {

// Calls of malloc, calloc, realloc and aligned allocation so far, whoever made them; operator new
// is among them. Always 0 when allocations_are_counted() is false.
std::uint64_t allocation_count();

// False with a C library other than glibc, and under sanitizers, which have a heap of their own.
bool allocations_are_counted();

}  // namespace stoq::bench
