// DeadlineHeap: many timers, of which the earliest matters.
//
// A binary heap that remembers where each key stands, so that moving or cancelling a deadline is
// O(log n) without leaving stale entries behind. Keys are small dense numbers (slab indices).
#pragma once

#include <cstdint>
#include <vector>

#include "base/check.h"
#include "stoq/types.h"

namespace stoq {

class DeadlineHeap {
public:
    bool empty() const { return heap_.empty(); }
    Instant earliest() const { return heap_.empty() ? kNever : heap_.front().deadline; }
    std::uint32_t earliest_key() const { return heap_.front().key; }

    // Sets, moves or (with kNever) removes the deadline of `key`.
    void set(std::uint32_t key, Instant deadline) {
        if (key >= position_.size()) position_.resize(key + 1, kAbsent);
        const std::uint32_t at = position_[key];
        if (deadline == kNever) {
            if (at != kAbsent) remove_at(at);
        } else if (at == kAbsent) {
            heap_.push_back({deadline, key});
            position_[key] = static_cast<std::uint32_t>(heap_.size() - 1);
            sift_up(position_[key]);
        } else {
            heap_[at].deadline = deadline;
            sift_down(sift_up(at));
        }
    }

private:
    static constexpr std::uint32_t kAbsent = UINT32_MAX;
    struct Entry {
        Instant deadline;
        std::uint32_t key;
    };

    void place(std::uint32_t at, Entry entry) {
        heap_[at] = entry;
        position_[entry.key] = at;
    }

    std::uint32_t sift_up(std::uint32_t at) {
        const Entry moving = heap_[at];
        while (at > 0) {
            const std::uint32_t parent = (at - 1) / 2;
            if (heap_[parent].deadline <= moving.deadline) break;
            place(at, heap_[parent]);
            at = parent;
        }
        place(at, moving);
        return at;
    }

    void sift_down(std::uint32_t at) {
        const Entry moving = heap_[at];
        const auto count = static_cast<std::uint32_t>(heap_.size());
        for (;;) {
            std::uint32_t child = 2 * at + 1;
            if (child >= count) break;
            if (child + 1 < count && heap_[child + 1].deadline < heap_[child].deadline) ++child;
            if (heap_[child].deadline >= moving.deadline) break;
            place(at, heap_[child]);
            at = child;
        }
        place(at, moving);
    }

    void remove_at(std::uint32_t at) {
        position_[heap_[at].key] = kAbsent;
        const Entry last = heap_.back();
        heap_.pop_back();
        if (at == heap_.size()) return;
        place(at, last);
        sift_down(sift_up(at));
    }

    std::vector<Entry> heap_;
    std::vector<std::uint32_t> position_;
};

}  // namespace stoq
