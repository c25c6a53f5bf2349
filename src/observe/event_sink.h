// EventSink: who listens. Observer: the handle by which components speak to it.
//
// A sink sees everything and changes nothing. It is called synchronously, from everywhere in the
// core, and must neither call back into the core nor keep what an event points to.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/check.h"
#include "observe/events.h"
#include "stoq/types.h"

namespace stoq::observe {

struct EventContext {
    Instant now;
    // The first Destination Connection ID of the connection: both ends know it, and it does not
    // change. Empty for events of the endpoint itself.
    ByteView connection;
    Role role = Role::kClient;
};

class EventSink {
public:
    virtual ~EventSink() = default;
    virtual void on_event(const EventContext& context, const Event& event) = 0;
};

// A sink and the connection it is told about. Copy it into each component that emits. Without a
// sink an emission is one branch.
class Observer {
public:
    static constexpr std::size_t kMaxIdLength = 20;

    Observer() = default;
    Observer(EventSink* sink, ByteView connection, Role role) : sink_(sink), role_(role) {
        STOQ_CHECK(connection.size() <= kMaxIdLength);
        std::copy(connection.begin(), connection.end(), id_.begin());
        id_length_ = static_cast<std::uint8_t>(connection.size());
    }

    // Ask before computing an event that is not free to make.
    bool enabled() const { return sink_ != nullptr; }

    template <class E>
    void emit(Instant now, const E& event) const {
        if (sink_ == nullptr) [[likely]]
            return;
        sink_->on_event({now, ByteView(id_.data(), id_length_), role_}, Event(event));
    }

private:
    EventSink* sink_ = nullptr;
    std::array<std::uint8_t, kMaxIdLength> id_{};
    std::uint8_t id_length_ = 0;
    Role role_ = Role::kClient;
};

}  // namespace stoq::observe
