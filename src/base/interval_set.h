// IntervalSet: a sorted set of disjoint half-open ranges [begin, end) of 64-bit numbers.
//
// Adjacent ranges merge. Kept in one vector, because in practice there are one or two ranges and
// the last one is the one that changes; inserting in the middle of many costs O(ranges), so owners
// bound the count (see `trim_front`) wherever a peer chooses the ranges.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace stoq {

struct Interval {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;

    constexpr std::uint64_t length() const { return end - begin; }
    friend constexpr bool operator==(Interval, Interval) = default;
};

class IntervalSet {
public:
    bool empty() const { return intervals_.empty(); }
    std::size_t count() const { return intervals_.size(); }
    std::span<const Interval> intervals() const { return intervals_; }
    const Interval& front() const { return intervals_.front(); }
    const Interval& back() const { return intervals_.back(); }

    // Adds [begin, end); returns how many of its numbers were new.
    std::uint64_t insert(std::uint64_t begin, std::uint64_t end);
    // Removes [begin, end); returns how many numbers went.
    std::uint64_t erase(std::uint64_t begin, std::uint64_t end);

    bool contains(std::uint64_t value) const;
    bool contains(std::uint64_t begin, std::uint64_t end) const;
    // The interval that holds `value`, if one does.
    std::optional<Interval> find(std::uint64_t value) const;
    // The first gap at or after `from`: [gap begin, next interval's begin), open-ended at the end.
    Interval first_gap(std::uint64_t from) const;

    // Drops the lowest intervals until at most `max_count` are left; returns how many went.
    std::size_t trim_front(std::size_t max_count);
    void clear() { intervals_.clear(); }
    void reserve(std::size_t count) { intervals_.reserve(count); }
    std::uint64_t total() const;

private:
    // Index of the first interval whose end is at or after `value`.
    std::size_t first_reaching(std::uint64_t value) const;

    std::vector<Interval> intervals_;
};

}  // namespace stoq
