// Buffers of one size that are used again, so that a transfer does not touch new memory all along.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "stoq/shared_bytes.h"

namespace stoq::tool {

inline constexpr std::size_t kChunkBytes = 256 * 1024;

class ChunkPool : public std::enable_shared_from_this<ChunkPool> {
public:
    using Chunk = std::unique_ptr<std::uint8_t[]>;

    Chunk get();
    void put(Chunk chunk);
    // The first `length` bytes of `chunk`; the chunk comes back to the pool with the last
    // reference.
    SharedBytes share(Chunk chunk, std::size_t length);

private:
    std::mutex mutex_;
    std::vector<Chunk> free_;
};

}  // namespace stoq::tool
