// BlockPool: blocks of one size for stream data, shared by all streams of an endpoint.
//
// Returned blocks are kept for the next taker, up to a number; so the steady state allocates
// nothing and a burst does not keep its memory for ever. Not thread-safe, like everything in an
// endpoint. The pool has to outlive its blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace stoq::streams {

class BlockPool {
public:
    // Small enough that a stream with one unread byte is cheap, large enough for three packets.
    static constexpr std::size_t kBlockSize = 4096;

    struct GiveBack {
        BlockPool* pool = nullptr;
        void operator()(std::uint8_t* block) const noexcept { pool->give_back(block); }
    };
    // Owns a block of kBlockSize uninitialised bytes.
    using Block = std::unique_ptr<std::uint8_t[], GiveBack>;

    // `max_free`: how many unused blocks are kept.
    explicit BlockPool(std::size_t max_free = 1024);
    ~BlockPool();
    BlockPool(const BlockPool&) = delete;
    BlockPool& operator=(const BlockPool&) = delete;

    Block take();

    // Bytes that were copied into blocks, or out of what was written and into packets. Data that
    // is written as SharedBytes and read before settle() is never copied.
    void note_copied(std::size_t bytes) { copied_ += bytes; }
    std::uint64_t copied() const { return copied_; }

    std::size_t in_use() const { return in_use_; }
    std::size_t free_count() const { return free_.size(); }

private:
    void give_back(std::uint8_t* block) noexcept;

    std::vector<std::uint8_t*> free_;
    std::size_t max_free_;
    std::size_t in_use_ = 0;
    std::uint64_t copied_ = 0;
};

}  // namespace stoq::streams
