#include "observe/counters.h"

#include <numeric>

namespace stoq::observe {

std::uint64_t DropCounters::total() const {
    return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

}  // namespace stoq::observe
