// FlatMap: 64-bit keys to small values, in one array.
//
// Open addressing with linear probing and a power-of-two capacity, at most three quarters full.
// Erasing shifts the followers back instead of leaving tombstones, so lookups never slow down with
// age. Empty maps own no memory; the steady state allocates nothing. Pointers into the map are
// valid until the next insert or erase.
//
// A peer who may choose the keys must be bounded in their number, or the map be given a seed that
// the peer cannot know.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/check.h"

namespace stoq {

template <typename V>
class FlatMap {
public:
    // The one key that cannot be stored: it marks a free place.
    static constexpr std::uint64_t kNoKey = UINT64_MAX;

    explicit FlatMap(std::uint64_t seed = 0) : seed_(seed) {}

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    std::size_t capacity() const { return capacity_; }

    V* find(std::uint64_t key) {
        const std::size_t at = index_of(key);
        return at == kNowhere ? nullptr : &places_[at].value;
    }
    const V* find(std::uint64_t key) const {
        const std::size_t at = index_of(key);
        return at == kNowhere ? nullptr : &places_[at].value;
    }
    bool contains(std::uint64_t key) const { return index_of(key) != kNowhere; }

    // Adds a key that is not there yet.
    V& insert(std::uint64_t key, V value) {
        STOQ_CHECK(key != kNoKey);
        if ((size_ + 1) * 4 > capacity_ * 3) grow();
        std::size_t at = home_of(key);
        while (places_[at].key != kNoKey) {
            STOQ_CHECK(places_[at].key != key);
            at = next(at);
        }
        places_[at] = {key, std::move(value)};
        ++size_;
        return places_[at].value;
    }

    // False when the key was not there.
    bool erase(std::uint64_t key) {
        std::size_t hole = index_of(key);
        if (hole == kNowhere) return false;
        for (std::size_t at = next(hole); places_[at].key != kNoKey; at = next(at)) {
            // An element may move back into the hole unless its home lies behind the hole.
            const std::size_t home = home_of(places_[at].key);
            if (((at - home) & (capacity_ - 1)) < ((at - hole) & (capacity_ - 1))) continue;
            places_[hole] = std::move(places_[at]);
            hole = at;
        }
        places_[hole] = Place{};
        --size_;
        return true;
    }

    // Forgets everything and gives the memory back.
    void clear() {
        places_.reset();
        capacity_ = 0;
        size_ = 0;
    }

    // Calls `visit(key, value)` for every element, in no particular order. `visit` must neither
    // insert nor erase.
    template <typename Visit>
    void for_each(Visit&& visit) {
        for (std::size_t at = 0; at < capacity_; ++at) {
            if (places_[at].key != kNoKey) visit(places_[at].key, places_[at].value);
        }
    }

private:
    struct Place {
        std::uint64_t key = kNoKey;
        V value{};
    };
    static constexpr std::size_t kNowhere = SIZE_MAX;
    static constexpr std::size_t kFirstCapacity = 8;

    std::size_t next(std::size_t at) const { return (at + 1) & (capacity_ - 1); }

    std::size_t home_of(std::uint64_t key) const {
        // Fibonacci hashing: the high bits of the product depend on every bit of the key.
        const std::uint64_t mixed = (key ^ seed_) * 0x9e3779b97f4a7c15u;
        return static_cast<std::size_t>(mixed >> 32) & (capacity_ - 1);
    }

    std::size_t index_of(std::uint64_t key) const {
        if (size_ == 0 || key == kNoKey) return kNowhere;
        for (std::size_t at = home_of(key); places_[at].key != kNoKey; at = next(at)) {
            if (places_[at].key == key) return at;
        }
        return kNowhere;
    }

    void grow() {
        const std::size_t old_capacity = capacity_;
        auto old = std::move(places_);
        capacity_ = old_capacity == 0 ? kFirstCapacity : old_capacity * 2;
        places_ = std::make_unique<Place[]>(capacity_);
        for (std::size_t from = 0; from < old_capacity; ++from) {
            if (old[from].key == kNoKey) continue;
            std::size_t at = home_of(old[from].key);
            while (places_[at].key != kNoKey) at = next(at);
            places_[at] = std::move(old[from]);
        }
    }

    std::uint64_t seed_;
    std::unique_ptr<Place[]> places_;
    std::size_t capacity_ = 0;
    std::size_t size_ = 0;
};

}  // namespace stoq
