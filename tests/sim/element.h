// What a simulated network is made of: datagrams, and elements that something happens to them in.
//
// An element gets a datagram with the time at which it arrives and appends what leaves it, with the
// time at which it leaves: nothing (loss), one, or several (duplication). A pipe is a row of
// elements. All of it happens when the datagram is sent; only the last time is waited for.
#pragma once

#include <memory>
#include <vector>

#include "stoq/types.h"

namespace stoq::sim {

struct Datagram {
    std::vector<std::uint8_t> bytes;
    Address source;
    Address destination;
    Ecn ecn = Ecn::kNotEct;
};

struct InFlight {
    Datagram datagram;
    Instant at;
};

class Element {
public:
    virtual ~Element() = default;
    virtual void process(InFlight in, std::vector<InFlight>& out) = 0;
};

// A row of elements, passed in the order in which they were added.
class Pipe final : public Element {
public:
    Pipe& add(std::unique_ptr<Element> element) {
        elements_.push_back(std::move(element));
        return *this;
    }
    // Puts an element before all others.
    Pipe& add_front(std::unique_ptr<Element> element) {
        elements_.insert(elements_.begin(), std::move(element));
        return *this;
    }

    void process(InFlight in, std::vector<InFlight>& out) override {
        std::vector<InFlight> current;
        current.push_back(std::move(in));
        for (const auto& element : elements_) {
            std::vector<InFlight> next;
            for (InFlight& one : current) element->process(std::move(one), next);
            current = std::move(next);
        }
        for (InFlight& one : current) out.push_back(std::move(one));
    }

private:
    std::vector<std::unique_ptr<Element>> elements_;
};

}  // namespace stoq::sim
