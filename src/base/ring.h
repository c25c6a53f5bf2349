// Ring: a queue in one power-of-two array, indexed by an ever-growing 64-bit position.
//
// The element pushed as the n-th keeps the position n for its whole life, so a position works as a
// handle. Growing doubles the array; in the steady state nothing is allocated.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/check.h"

namespace stoq {

template <typename T>
class Ring {
public:
    explicit Ring(std::size_t initial_capacity = 16)
        : capacity_(std::bit_ceil(initial_capacity < 2 ? 2 : initial_capacity)),
          slots_(std::make_unique<T[]>(capacity_)) {}

    bool empty() const { return begin_ == end_; }
    std::size_t size() const { return static_cast<std::size_t>(end_ - begin_); }
    std::size_t capacity() const { return capacity_; }

    // Positions of the oldest element and of the next one to be pushed.
    std::uint64_t begin_position() const { return begin_; }
    std::uint64_t end_position() const { return end_; }
    bool contains(std::uint64_t position) const { return position >= begin_ && position < end_; }

    // Starts counting at `position`. Only for an empty ring.
    void restart_at(std::uint64_t position) {
        STOQ_CHECK(empty());
        begin_ = end_ = position;
    }

    T& operator[](std::uint64_t position) { return slots_[position & (capacity_ - 1)]; }
    const T& operator[](std::uint64_t position) const { return slots_[position & (capacity_ - 1)]; }

    T& front() { return (*this)[begin_]; }
    const T& front() const { return (*this)[begin_]; }
    T& back() { return (*this)[end_ - 1]; }
    const T& back() const { return (*this)[end_ - 1]; }

    std::uint64_t push_back(T value) {
        if (size() == capacity_) grow();
        (*this)[end_] = std::move(value);
        return end_++;
    }

    // Appends a default element, to be filled where it lies.
    T& emplace_back() {
        if (size() == capacity_) grow();
        return (*this)[end_++];
    }

    void pop_front() {
        STOQ_CHECK(!empty());
        (*this)[begin_] = T{};
        ++begin_;
    }

    void pop_back() {
        STOQ_CHECK(!empty());
        --end_;
        (*this)[end_] = T{};
    }

    void clear() {
        while (!empty()) pop_front();
    }

private:
    void grow() {
        const std::size_t doubled = capacity_ * 2;
        auto larger = std::make_unique<T[]>(doubled);
        for (std::uint64_t position = begin_; position != end_; ++position) {
            larger[position & (doubled - 1)] = std::move((*this)[position]);
        }
        slots_ = std::move(larger);
        capacity_ = doubled;
    }

    std::size_t capacity_;
    std::unique_ptr<T[]> slots_;
    std::uint64_t begin_ = 0;
    std::uint64_t end_ = 0;
};

}  // namespace stoq
