#include "allocation_count.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define STOQ_BENCH_COUNTS_ALLOCATIONS 1
#endif

namespace stoq::bench {
namespace {

// Each end is a process with one thread.
std::uint64_t allocations = 0;

}  // namespace

std::uint64_t allocation_count() {
    return allocations;
}

#ifdef STOQ_BENCH_COUNTS_ALLOCATIONS

bool allocations_are_counted() {
    return true;
}

void count_allocation() {
    ++allocations;
}

#else

bool allocations_are_counted() {
    return false;
}

#endif

}  // namespace stoq::bench

#ifdef STOQ_BENCH_COUNTS_ALLOCATIONS

// glibc lets a program replace malloc and still offers its own under these names.
extern "C" {

void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
    stoq::bench::count_allocation();
    return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) {
    stoq::bench::count_allocation();
    return __libc_calloc(count, size);
}

void* realloc(void* memory, std::size_t size) {
    stoq::bench::count_allocation();
    return __libc_realloc(memory, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
    stoq::bench::count_allocation();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
    stoq::bench::count_allocation();
    *memory = __libc_memalign(alignment, size);
    return *memory == nullptr ? ENOMEM : 0;
}

}  // extern "C"

#endif
