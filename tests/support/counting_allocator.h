// Counts every allocation of the executable: include it in exactly one of its sources, because it
// replaces the global allocation functions.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace stoq::test {

inline std::atomic<std::uint64_t> allocation_count{0};

// Not inlined: GCC would take the malloc() for one that somebody deletes.
[[gnu::noinline]] inline void* counted_allocation(std::size_t size) {
    allocation_count.fetch_add(1, std::memory_order_relaxed);
    void* const memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) std::abort();
    return memory;
}

[[gnu::noinline]] inline void* counted_allocation(std::size_t size, std::align_val_t alignment) {
    allocation_count.fetch_add(1, std::memory_order_relaxed);
    void* memory = nullptr;
    const auto boundary = std::max(static_cast<std::size_t>(alignment), sizeof(void*));
    if (::posix_memalign(&memory, boundary, size) != 0) std::abort();
    return memory;
}

}  // namespace stoq::test

void* operator new(std::size_t size) {
    return stoq::test::counted_allocation(size);
}
void* operator new[](std::size_t size) {
    return stoq::test::counted_allocation(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    return stoq::test::counted_allocation(size, alignment);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete[](void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
}
