#include "base/interval_set.h"

#include <algorithm>

namespace stoq {

std::size_t IntervalSet::first_reaching(std::uint64_t value) const {
    // New numbers nearly always belong to the last interval or behind it.
    if (intervals_.empty() || intervals_.back().end < value) return intervals_.size();
    if (intervals_.size() == 1 || intervals_[intervals_.size() - 2].end < value) {
        return intervals_.size() - 1;
    }
    const auto at = std::lower_bound(
        intervals_.begin(), intervals_.end(), value,
        [](const Interval& interval, std::uint64_t wanted) { return interval.end < wanted; });
    return static_cast<std::size_t>(at - intervals_.begin());
}

std::uint64_t IntervalSet::insert(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return 0;
    if (!intervals_.empty() && begin == intervals_.back().end) {  // what happens nearly always
        intervals_.back().end = end;
        return end - begin;
    }
    const std::size_t first = first_reaching(begin);
    if (first == intervals_.size() || end < intervals_[first].begin) {
        intervals_.insert(intervals_.begin() + static_cast<std::ptrdiff_t>(first), {begin, end});
        return end - begin;
    }
    Interval merged{std::min(begin, intervals_[first].begin), std::max(end, intervals_[first].end)};
    std::uint64_t already = intervals_[first].length();
    std::size_t last = first + 1;
    for (; last < intervals_.size() && intervals_[last].begin <= merged.end; ++last) {
        already += intervals_[last].length();
        merged.end = std::max(merged.end, intervals_[last].end);
    }
    intervals_[first] = merged;
    intervals_.erase(intervals_.begin() + static_cast<std::ptrdiff_t>(first) + 1,
                     intervals_.begin() + static_cast<std::ptrdiff_t>(last));
    return merged.length() - already;
}

std::uint64_t IntervalSet::erase(std::uint64_t begin, std::uint64_t end) {
    std::uint64_t removed = 0;
    std::size_t at = first_reaching(begin);
    while (begin < end && at < intervals_.size() && intervals_[at].begin < end) {
        const Interval old = intervals_[at];
        const Interval cut{std::max(old.begin, begin), std::min(old.end, end)};
        if (cut.begin >= cut.end) {  // `old` only touches `begin`
            ++at;
            continue;
        }
        removed += cut.length();
        const auto position = intervals_.begin() + static_cast<std::ptrdiff_t>(at);
        if (cut == old) {
            intervals_.erase(position);
        } else if (cut.begin == old.begin) {
            position->begin = cut.end;
        } else if (cut.end == old.end) {
            position->end = cut.begin;
            ++at;
        } else {
            position->end = cut.begin;
            intervals_.insert(position + 1, {cut.end, old.end});
            break;
        }
    }
    return removed;
}

std::optional<Interval> IntervalSet::find(std::uint64_t value) const {
    std::size_t at = first_reaching(value);
    if (at < intervals_.size() && intervals_[at].end == value) ++at;
    if (at == intervals_.size() || intervals_[at].begin > value) return std::nullopt;
    return intervals_[at];
}

bool IntervalSet::contains(std::uint64_t value) const {
    return find(value).has_value();
}

bool IntervalSet::contains(std::uint64_t begin, std::uint64_t end) const {
    if (begin >= end) return true;
    const auto interval = find(begin);
    return interval && interval->end >= end;
}

Interval IntervalSet::first_gap(std::uint64_t from) const {
    const auto covering = find(from);
    const std::uint64_t begin = covering ? covering->end : from;
    const std::size_t at = first_reaching(begin);
    for (std::size_t i = at; i < intervals_.size(); ++i) {
        if (intervals_[i].begin > begin) return {begin, intervals_[i].begin};
    }
    return {begin, UINT64_MAX};
}

std::size_t IntervalSet::trim_front(std::size_t max_count) {
    if (intervals_.size() <= max_count) return 0;
    const std::size_t excess = intervals_.size() - max_count;
    intervals_.erase(intervals_.begin(), intervals_.begin() + static_cast<std::ptrdiff_t>(excess));
    return excess;
}

std::uint64_t IntervalSet::total() const {
    std::uint64_t sum = 0;
    for (const Interval& interval : intervals_) sum += interval.length();
    return sum;
}

}  // namespace stoq
