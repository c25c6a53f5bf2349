// Counting. Two ways: structs of plain counters that the hot path increments itself, and a sink
// that counts every event by its type.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "observe/event_sink.h"

namespace stoq::observe {

// Dropped packets or datagrams by reason.
class DropCounters {
public:
    void add(DropReason reason) { ++counts_[static_cast<std::size_t>(reason)]; }
    std::uint64_t operator[](DropReason reason) const {
        return counts_[static_cast<std::size_t>(reason)];
    }
    std::uint64_t total() const;

private:
    std::array<std::uint64_t, static_cast<std::size_t>(DropReason::kCount)> counts_{};
};

// What one connection counts. Bytes are UDP payload.
struct ConnectionCounters {
    std::uint64_t datagrams_sent = 0;
    std::uint64_t datagrams_received = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t packets_sent = 0;
    std::uint64_t packets_received = 0;
    std::uint64_t packets_lost = 0;
    std::uint64_t packets_dropped = 0;
    std::uint64_t probe_timeouts = 0;
    std::uint64_t key_updates = 0;
    std::uint64_t ecn_ce_received = 0;
    std::uint64_t mtu_probes_sent = 0;
    std::uint64_t black_holes = 0;
    std::uint64_t migrations = 0;
};

// The position of an event type in `Event`.
template <class E>
constexpr std::size_t event_index() {
    return []<class... All>(std::variant<All...>*) {
        std::size_t index = 0;
        static_cast<void>(((std::is_same_v<E, All> || (++index, false)) || ...));
        return index;
    }(static_cast<Event*>(nullptr));
}

// "PacketSent" and so on, by the position of the type in `Event`.
std::string_view event_name(std::size_t index);

// Counts events by type and drops by reason.
class CountingSink final : public EventSink {
public:
    void on_event(const EventContext& context, const Event& event) override;

    template <class E>
    std::uint64_t count() const {
        static_assert(event_index<E>() < kEventTypeCount);
        return counts_[event_index<E>()];
    }
    std::uint64_t count_at(std::size_t index) const { return counts_[index]; }
    const DropCounters& dropped() const { return dropped_; }

private:
    std::array<std::uint64_t, kEventTypeCount> counts_{};
    DropCounters dropped_;
};

}  // namespace stoq::observe
