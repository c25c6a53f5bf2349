#include "streams/block_pool.h"

#include "base/check.h"

namespace stoq::streams {

BlockPool::BlockPool(std::size_t max_free) : max_free_(max_free) {
    free_.reserve(max_free);
}

BlockPool::~BlockPool() {
    STOQ_CHECK(in_use_ == 0);
    for (std::uint8_t* block : free_) delete[] block;
}

BlockPool::Block BlockPool::take() {
    ++in_use_;
    if (free_.empty()) return Block(new std::uint8_t[kBlockSize], GiveBack{this});
    std::uint8_t* const block = free_.back();
    free_.pop_back();
    return Block(block, GiveBack{this});
}

void BlockPool::give_back(std::uint8_t* block) noexcept {
    --in_use_;
    if (free_.size() < max_free_) {
        free_.push_back(block);
    } else {
        delete[] block;
    }
}

}  // namespace stoq::streams
