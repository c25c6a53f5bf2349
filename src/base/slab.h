// Slab: objects that live at a fixed address, named by handles that notice reuse.
//
// A handle holds an index and a generation; the generation moves on when the object is erased, so
// a stale handle finds nothing instead of somebody else's object. Freed places are used again.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"

namespace stoq {

struct SlabHandle {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;  // 0 names nothing

    friend constexpr bool operator==(SlabHandle, SlabHandle) = default;
};

template <typename T>
class Slab {
public:
    std::size_t size() const { return size_; }

    template <typename... Arguments>
    SlabHandle emplace(Arguments&&... arguments) {
        std::uint32_t index;
        if (free_.empty()) {
            index = static_cast<std::uint32_t>(places_.size());
            places_.emplace_back();
        } else {
            index = free_.back();
            free_.pop_back();
        }
        Place& place = places_[index];
        place.object.emplace(std::forward<Arguments>(arguments)...);
        ++size_;
        return {index, place.generation};
    }

    T* find(SlabHandle handle) {
        if (handle.index >= places_.size()) return nullptr;
        Place& place = places_[handle.index];
        return place.generation == handle.generation && place.object ? &*place.object : nullptr;
    }

    // The handle of the object that lives in place `index`, if one does.
    std::optional<SlabHandle> handle_at(std::uint32_t index) const {
        if (index >= places_.size() || !places_[index].object) return std::nullopt;
        return SlabHandle{index, places_[index].generation};
    }

    void erase(SlabHandle handle) {
        STOQ_CHECK(find(handle) != nullptr);
        Place& place = places_[handle.index];
        place.object.reset();
        if (++place.generation == 0) place.generation = 1;
        free_.push_back(handle.index);
        --size_;
    }

    // Calls `visit(handle, object)` for every object; `visit` may erase the one it was given.
    template <typename Visit>
    void for_each(Visit&& visit) {
        for (std::uint32_t index = 0; index < places_.size(); ++index) {
            Place& place = places_[index];
            if (place.object) visit(SlabHandle{index, place.generation}, *place.object);
        }
    }

private:
    struct Place {
        std::uint32_t generation = 1;
        std::optional<T> object;
    };

    std::deque<Place> places_;  // never moves an element
    std::vector<std::uint32_t> free_;
    std::size_t size_ = 0;
};

}  // namespace stoq
