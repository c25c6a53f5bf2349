// IntrusiveQueue: a doubly linked queue whose links are members of its elements.
//
// Nothing is allocated, an element is in a queue at most once per link, and removing one from the
// middle takes constant time. The queue does not own: an element must leave before it dies.
#pragma once

#include "base/check.h"

namespace stoq {

template <typename T>
struct QueueLink {
    T* previous = nullptr;
    T* next = nullptr;
    bool linked = false;
};

template <typename T, QueueLink<T> T::* kLink>
class IntrusiveQueue {
public:
    bool empty() const { return first_ == nullptr; }
    T* front() const { return first_; }
    static T* next(const T* element) { return (element->*kLink).next; }
    // Whether the element is in a queue over this link.
    static bool contains(const T* element) { return (element->*kLink).linked; }

    // Appends; does nothing when the element is queued already.
    void push_back(T* element) {
        QueueLink<T>& link = element->*kLink;
        if (link.linked) return;
        link = {last_, nullptr, true};
        (last_ == nullptr ? first_ : (last_->*kLink).next) = element;
        last_ = element;
    }

    // Takes the element out; does nothing when it is not queued.
    void erase(T* element) {
        QueueLink<T>& link = element->*kLink;
        if (!link.linked) return;
        (link.previous == nullptr ? first_ : (link.previous->*kLink).next) = link.next;
        (link.next == nullptr ? last_ : (link.next->*kLink).previous) = link.previous;
        link = {};
    }

    T* pop_front() {
        STOQ_CHECK(!empty());
        T* const element = first_;
        erase(element);
        return element;
    }

    // Moves the first element to the end.
    void rotate() {
        if (first_ != last_) push_back(pop_front());
    }

private:
    T* first_ = nullptr;
    T* last_ = nullptr;
};

}  // namespace stoq
