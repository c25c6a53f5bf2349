#include "chunk_pool.h"

namespace stoq::tool {
namespace {

constexpr std::size_t kMaxKept = 64;

struct Lease {
    std::shared_ptr<ChunkPool> pool;
    ChunkPool::Chunk chunk;
};

void end_lease(void* context) {
    const std::unique_ptr<Lease> lease(static_cast<Lease*>(context));
    lease->pool->put(std::move(lease->chunk));
}

}  // namespace

ChunkPool::Chunk ChunkPool::get() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique_for_overwrite<std::uint8_t[]>(kChunkBytes);
    Chunk chunk = std::move(free_.back());
    free_.pop_back();
    return chunk;
}

void ChunkPool::put(Chunk chunk) {
    const std::lock_guard lock(mutex_);
    if (free_.size() < kMaxKept) free_.push_back(std::move(chunk));
}

SharedBytes ChunkPool::share(Chunk chunk, std::size_t length) {
    auto lease = std::make_unique<Lease>(Lease{shared_from_this(), std::move(chunk)});
    const ByteView bytes(lease->chunk.get(), length);
    return SharedBytes::borrow(bytes, &end_lease, lease.release());
}

}  // namespace stoq::tool
