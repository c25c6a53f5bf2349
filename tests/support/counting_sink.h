// A sink that counts every event by its type.
#pragma once

#include <array>
#include <cstdint>
#include <variant>

#include "observe/counters.h"
#include "observe/event_sink.h"

namespace stoq::observe {

// The position of an event type in `Event`.
template <class E>
constexpr std::size_t event_index() {
    return []<class... All>(std::variant<All...>*) {
        std::size_t index = 0;
        static_cast<void>(((std::is_same_v<E, All> || (++index, false)) || ...));
        return index;
    }(static_cast<Event*>(nullptr));
}

// Counts events by type and drops by reason.
class CountingSink final : public EventSink {
public:
    void on_event(const EventContext&, const Event& event) override {
        ++counts_[event.index()];
        if (const auto* drop = std::get_if<PacketDropped>(&event)) dropped_.add(drop->reason);
    }

    template <class E>
    std::uint64_t count() const {
        static_assert(event_index<E>() < kEventTypeCount);
        return counts_[event_index<E>()];
    }
    const DropCounters& dropped() const { return dropped_; }

private:
    std::array<std::uint64_t, kEventTypeCount> counts_{};
    DropCounters dropped_;
};

}  // namespace stoq::observe
