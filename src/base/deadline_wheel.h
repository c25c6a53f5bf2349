// DeadlineWheel: many timers, each set, moved and taken in constant time.
//
// A hierarchical timing wheel (G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels",
// SOSP 1987, scheme 7). Level 0 has slots of one nanosecond, each level above slots 64 times as
// long, and eleven levels reach as far as an Instant. A deadline stands on the level of the highest
// digit (of six bits) in which it differs from the time, and comes down a level when the time
// reaches its slot: ten times at the most, however many others there are. Keys are small dense
// numbers (slab indices).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

#include "stoq/types.h"

namespace stoq {

class DeadlineWheel {
public:
    DeadlineWheel() { heads_.fill(kNone); }

    // When take_due() may have something to do: at the earliest deadline if it is alone in its
    // slot, else when the time reaches that slot, which is not later. kNever without deadlines.
    Instant next() const {
        const auto slot = first_slot();
        if (!slot) return kNever;
        const std::uint32_t head = heads_[slot->index()];
        const bool alone = nodes_[head].next == head;
        return to_instant(alone ? nodes_[head].deadline : slot->begin);
    }

    // Sets, moves or (with kNever) removes the deadline of `key`. One in the past is due now.
    void set(std::uint32_t key, Instant deadline) {
        if (key >= nodes_.size()) nodes_.resize(std::size_t{key} + 1);
        if (nodes_[key].slot != kNone) unlink(key);
        if (deadline == kNever) return;
        const std::int64_t since_epoch =
            std::max<std::int64_t>(deadline.time_since_epoch().count(), 0);
        nodes_[key].deadline = std::max(static_cast<std::uint64_t>(since_epoch), time_);
        link(key);
    }

    // Takes a key out whose deadline is not after `now`, the earliest first, and of equal ones the
    // first that was set; nothing when there is none. Time does not go backwards.
    std::optional<std::uint32_t> take_due(Instant now) {
        const auto end =
            static_cast<std::uint64_t>(std::max<std::int64_t>(now.time_since_epoch().count(), 0));
        for (auto slot = first_slot(); slot && slot->begin <= end; slot = first_slot()) {
            time_ = std::max(time_, slot->begin);
            if (slot->level == 0) {
                const std::uint32_t key = heads_[slot->index()];
                unlink(key);
                return key;
            }
            move_down(slot->index());
        }
        time_ = std::max(time_, end);
        return {};
    }

private:
    static constexpr std::uint32_t kNone = UINT32_MAX;
    static constexpr unsigned kBits = 6;
    static constexpr unsigned kSlots = 1U << kBits;
    static constexpr unsigned kLevels = 11;

    // Of a ring of those with the same slot.
    struct Node {
        std::uint64_t deadline = 0;  // nanoseconds
        std::uint32_t next = kNone;
        std::uint32_t previous = kNone;
        std::uint32_t slot = kNone;
    };
    struct Slot {
        unsigned level;
        unsigned digit;
        std::uint64_t begin;

        unsigned index() const { return level * kSlots + digit; }
    };

    static Instant to_instant(std::uint64_t nanoseconds) {
        return Instant(Duration(static_cast<std::int64_t>(nanoseconds)));
    }

    // All of a level come before all of the next.
    std::optional<Slot> first_slot() const {
        if (levels_ == 0) return {};
        const auto level = static_cast<unsigned>(std::countr_zero(levels_));
        const auto digit = static_cast<unsigned>(std::countr_zero(occupied_[level]));
        const unsigned shift = level * kBits;
        // Digits above the level are the time's; the highest level has none above it.
        const std::uint64_t above = level + 1 < kLevels ? time_ >> (shift + kBits) : 0;
        return Slot{level, digit, ((above << kBits) | digit) << shift};
    }

    void link(std::uint32_t key) {
        Node& node = nodes_[key];
        const std::uint64_t different = (node.deadline ^ time_) | 1;
        const unsigned level = (63U - static_cast<unsigned>(std::countl_zero(different))) / kBits;
        const auto digit = static_cast<unsigned>(node.deadline >> (level * kBits)) % kSlots;
        node.slot = level * kSlots + digit;
        occupied_[level] |= std::uint64_t{1} << digit;
        levels_ |= 1U << level;
        std::uint32_t& head = heads_[node.slot];
        if (head == kNone) {
            head = node.next = node.previous = key;
            return;
        }
        node.next = head;
        node.previous = nodes_[head].previous;
        nodes_[node.previous].next = nodes_[head].previous = key;
    }

    void unlink(std::uint32_t key) {
        Node& node = nodes_[key];
        std::uint32_t& head = heads_[node.slot];
        if (node.next == key) {
            head = kNone;
            const unsigned level = node.slot / kSlots;
            occupied_[level] &= ~(std::uint64_t{1} << (node.slot % kSlots));
            if (occupied_[level] == 0) levels_ &= ~(1U << level);
        } else {
            nodes_[node.next].previous = node.previous;
            nodes_[node.previous].next = node.next;
            if (head == key) head = node.next;
        }
        node.slot = kNone;
    }

    // In order, so that of equal deadlines the first stays first.
    void move_down(unsigned slot) {
        while (heads_[slot] != kNone) {
            const std::uint32_t key = heads_[slot];
            unlink(key);
            link(key);
        }
    }

    std::uint64_t time_ = 0;    // nanoseconds; what take_due() has seen
    std::uint32_t levels_ = 0;  // with deadlines, a bit for each; and the slots of each level
    std::array<std::uint64_t, kLevels> occupied_{};
    std::array<std::uint32_t, kLevels * kSlots> heads_{};
    std::vector<Node> nodes_;
};

}  // namespace stoq
