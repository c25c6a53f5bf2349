#include "runtime/timers.h"

#include <utility>

namespace stoq::runtime {

std::uint64_t Timers::add(Instant when, Task task) {
    const SlabHandle handle = tasks_.emplace(std::move(task));
    wheel_.set(handle.index, when);
    return (std::uint64_t{handle.generation} << 32) | handle.index;
}

void Timers::cancel(std::uint64_t id) {
    const SlabHandle handle{static_cast<std::uint32_t>(id), static_cast<std::uint32_t>(id >> 32)};
    if (tasks_.find(handle) == nullptr) return;
    wheel_.set(handle.index, kNever);
    tasks_.erase(handle);
}

Timers::Task Timers::take_due(Instant now) {
    const auto index = wheel_.take_due(now);
    if (!index) return {};
    const SlabHandle handle = *tasks_.handle_at(*index);
    Task task = std::move(*tasks_.find(handle));
    tasks_.erase(handle);
    return task;
}

}  // namespace stoq::runtime
