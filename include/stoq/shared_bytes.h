// SharedBytes: immutable bytes with an owner that is told when nobody needs them any more.
//
// What a stream is given to send without a copy: the stream keeps a reference until the peer has
// acknowledged everything. Copying a SharedBytes copies a pointer; the references are counted
// atomically, so that several endpoints, each in its thread, may send the same bytes.
#pragma once

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "stoq/types.h"

namespace stoq {

class SharedBytes {
public:
    // Called once, with the context it was registered with, by whoever drops the last reference.
    using Release = void (*)(void* context);

    SharedBytes() = default;

    // The bytes of a vector, moved in.
    static SharedBytes take(std::vector<std::uint8_t> bytes) {
        auto* const held = new std::vector<std::uint8_t>(std::move(bytes));
        return borrow(*held, &delete_vector, held);
    }

    // A copy of `bytes`.
    static SharedBytes copy_of(ByteView bytes) {
        return take(std::vector<std::uint8_t>(bytes.begin(), bytes.end()));
    }

    // Bytes that someone else owns and keeps unchanged until `release(context)` is called.
    static SharedBytes borrow(ByteView bytes, Release release, void* context) {
        return SharedBytes(bytes, new Owner{1, release, context});
    }

    // Bytes that live as long as the process, such as a string literal or a mapped file.
    static SharedBytes immortal(ByteView bytes) { return SharedBytes(bytes, nullptr); }

    SharedBytes(const SharedBytes& other) : bytes_(other.bytes_), owner_(other.owner_) {
        if (owner_ != nullptr) owner_->references.fetch_add(1, std::memory_order_relaxed);
    }
    SharedBytes(SharedBytes&& other) noexcept
        : bytes_(std::exchange(other.bytes_, {})), owner_(std::exchange(other.owner_, nullptr)) {}
    SharedBytes& operator=(SharedBytes other) noexcept {
        std::swap(bytes_, other.bytes_);
        std::swap(owner_, other.owner_);
        return *this;
    }
    ~SharedBytes() { drop(); }

    ByteView view() const { return bytes_; }
    std::size_t size() const { return bytes_.size(); }
    bool empty() const { return bytes_.empty(); }

    // The bytes from `offset` on, at most `length` of them, with the same owner. `offset` must not
    // be larger than size().
    SharedBytes slice(std::size_t offset, std::size_t length = SIZE_MAX) const {
        SharedBytes part(*this);
        part.bytes_ = bytes_.subspan(offset, std::min(length, bytes_.size() - offset));
        return part;
    }

private:
    struct Owner {
        std::atomic<std::uint32_t> references;
        Release release;
        void* context;
    };

    SharedBytes(ByteView bytes, Owner* owner) : bytes_(bytes), owner_(owner) {}

    static void delete_vector(void* context) {
        delete static_cast<std::vector<std::uint8_t>*>(context);
    }

    void drop() noexcept {
        if (owner_ == nullptr) return;
        // The last one has to see what the others did with the bytes before it frees them.
        if (owner_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        owner_->release(owner_->context);
        delete owner_;
    }

    ByteView bytes_;
    Owner* owner_ = nullptr;
};

}  // namespace stoq
