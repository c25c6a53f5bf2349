#include "runtime/timers.h"

#include <algorithm>
#include <utility>

namespace stoq::runtime {

std::uint64_t Timers::add(Instant when, Task task) {
    heap_.push_back({when, ++last_id_, std::move(task)});
    std::ranges::push_heap(heap_, later);
    return last_id_;
}

void Timers::cancel(std::uint64_t id) {
    const auto erased = std::erase_if(heap_, [id](const Timer& timer) { return timer.id == id; });
    if (erased != 0) std::ranges::make_heap(heap_, later);
}

Instant Timers::earliest() const {
    return heap_.empty() ? kNever : heap_.front().when;
}

Timers::Task Timers::take_due(Instant now) {
    if (earliest() > now) return {};
    std::ranges::pop_heap(heap_, later);
    Task task = std::move(heap_.back().task);
    heap_.pop_back();
    return task;
}

}  // namespace stoq::runtime
