// Slab: objects that live at a fixed address, named by handles that notice reuse.
//
// A handle holds an index and a generation; the generation moves on when the object is erased, so
// a stale handle finds nothing instead of somebody else's object. Freed places are used again.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
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
            index = places_++;
            if (index % kChunk == 0) chunks_.push_back(std::make_unique<Chunk>());
        } else {
            index = free_.back();
            free_.pop_back();
        }
        Place& place = at(index);
        place.object.emplace(std::forward<Arguments>(arguments)...);
        ++size_;
        return {index, place.generation};
    }

    T* find(SlabHandle handle) {
        if (handle.index >= places_) return nullptr;
        Place& place = at(handle.index);
        return place.generation == handle.generation && place.object ? &*place.object : nullptr;
    }

    // The handle of the object that lives in place `index`, if one does.
    std::optional<SlabHandle> handle_at(std::uint32_t index) const {
        if (index >= places_ || !at(index).object) return std::nullopt;
        return SlabHandle{index, at(index).generation};
    }

    void erase(SlabHandle handle) {
        STOQ_CHECK(find(handle) != nullptr);
        Place& place = at(handle.index);
        place.object.reset();
        if (++place.generation == 0) place.generation = 1;
        free_.push_back(handle.index);
        --size_;
    }

    // Calls `visit(handle, object)` for every object; `visit` may erase the one it was given.
    template <typename Visit>
    void for_each(Visit&& visit) {
        for (std::uint32_t index = 0; index < places_; ++index) {
            Place& place = at(index);
            if (place.object) visit(SlabHandle{index, place.generation}, *place.object);
        }
    }

private:
    struct Place {
        std::uint32_t generation = 1;
        std::optional<T> object;
    };

    // Chunks never move. Of 16 places, because a division would cost more than all the rest.
    static constexpr std::uint32_t kChunk = 16;
    using Chunk = std::array<Place, kChunk>;

    Place& at(std::uint32_t index) const { return (*chunks_[index / kChunk])[index % kChunk]; }

    std::vector<std::unique_ptr<Chunk>> chunks_;
    std::uint32_t places_ = 0;
    std::vector<std::uint32_t> free_;
    std::size_t size_ = 0;
};

}  // namespace stoq
