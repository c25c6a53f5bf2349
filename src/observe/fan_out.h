// FanOut: one event to several sinks, in the order in which they were added.
#pragma once

#include <vector>

#include "observe/event_sink.h"

namespace stoq::observe {

class FanOut final : public EventSink {
public:
    // `sink` has to outlive this.
    void add(EventSink& sink) { sinks_.push_back(&sink); }
    bool empty() const { return sinks_.empty(); }

    void on_event(const EventContext& context, const Event& event) override {
        for (EventSink* sink : sinks_) sink->on_event(context, event);
    }

private:
    std::vector<EventSink*> sinks_;
};

}  // namespace stoq::observe
