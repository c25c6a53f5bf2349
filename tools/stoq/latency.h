// Quantiles of measured times.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

namespace stoq::tool {

class Latencies {
public:
    using Time = std::chrono::nanoseconds;

    void reserve(std::size_t count) { times_.reserve(count); }
    void add(Time time) { times_.push_back(time); }
    std::size_t count() const { return times_.size(); }

    // The smallest time that a share of `share` (0 to 1) of all does not exceed; zero of none.
    Time quantile(double share) {
        if (times_.empty()) return Time::zero();
        const auto count = static_cast<double>(times_.size());
        const auto rank = static_cast<std::ptrdiff_t>(std::max(1.0, std::ceil(share * count))) - 1;
        std::nth_element(times_.begin(), times_.begin() + rank, times_.end());
        return times_[static_cast<std::size_t>(rank)];
    }

private:
    std::vector<Time> times_;
};

}  // namespace stoq::tool
