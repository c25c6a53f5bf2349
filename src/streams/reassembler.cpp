#include "streams/reassembler.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace stoq::streams {
namespace {

constexpr std::uint64_t kBlockSize = BlockPool::kBlockSize;

// A table that grew beyond this for one stream is not kept for the next.
constexpr std::size_t kMaxKeptBlocks = 64;

}  // namespace

//= 9000-2.2-1
TransportResult<void> Reassembler::insert(std::uint64_t offset, ByteView data) {
    const std::uint64_t end = offset + data.size();
    if (data.empty() || end <= contiguous_end_) return {};
    if (offset < contiguous_end_) {
        data = data.subspan(static_cast<std::size_t>(contiguous_end_ - offset));
        offset = contiguous_end_;
    }
    if (offset == contiguous_end_ && ranges_.empty() && !discarding_) [[likely]] {
        borrowed_.push_back(data);
        contiguous_end_ = end;
        return {};
    }
    if (offset == contiguous_end_) {
        settle();  // owned bytes follow: borrowed ones cannot stay in front of them
    }
    if (!discarding_) store(offset, data);
    const std::size_t before = ranges_.count();
    in_ranges_ += ranges_.insert(offset, end);
    advance_over_ranges();
    // Whatever fills a gap or comes once more is welcome.
    if (ranges_.count() > before && has_too_many_ranges()) {
        return std::unexpected(TransportError{.code = TransportErrorCode::kInternalError,
                                              .reason = Reason::kTooManyPendingFrames});
    }
    return {};
}

bool Reassembler::has_too_many_ranges() const {
    const std::size_t count = ranges_.count();
    return count > kMaxRanges || (count > kMaxThinRanges && in_ranges_ < count * kThinRange);
}

void Reassembler::advance_over_ranges() {
    if (ranges_.front().begin != contiguous_end_) return;
    contiguous_end_ = owned_end_ = ranges_.front().end;
    in_ranges_ -= ranges_.erase(0, contiguous_end_);
    if (discarding_) read_ = contiguous_end_;
}

void Reassembler::store(std::uint64_t offset, ByteView data) {
    pool_->note_copied(data.size());
    while (!data.empty()) {
        const std::uint64_t room = kBlockSize - offset % kBlockSize;
        const ByteView piece =
            data.first(static_cast<std::size_t>(std::min<std::uint64_t>(room, data.size())));
        std::memcpy(place_of(offset), piece.data(), piece.size());
        offset += piece.size();
        data = data.subspan(piece.size());
    }
}

std::uint8_t* Reassembler::place_of(std::uint64_t offset) {
    const std::uint64_t index = offset / kBlockSize;
    if (blocks_.empty()) blocks_.restart_at(read_ / kBlockSize);
    while (blocks_.end_position() <= index) blocks_.push_back(BlockPool::Block{});
    BlockPool::Block& block = blocks_[index];
    if (!block) block = pool_->take();
    return block.get() + offset % kBlockSize;
}

void Reassembler::settle() {
    for (; borrowed_next_ != borrowed_.size(); ++borrowed_next_) {
        const ByteView slice = borrowed_[borrowed_next_];
        store(owned_end_, slice);
        owned_end_ += slice.size();
    }
    borrowed_.clear();
    borrowed_next_ = 0;
}

ByteView Reassembler::peek() const {
    ByteView piece;
    peek({&piece, 1});
    return piece;
}

std::size_t Reassembler::peek(std::span<ByteView> pieces) const {
    std::size_t count = 0;
    std::uint64_t at = read_;
    for (; at < owned_end_ && count < pieces.size(); at += pieces[count++].size()) {
        pieces[count] = owned_at(at);
    }
    const auto borrowed = std::span(borrowed_).subspan(borrowed_next_);
    const std::size_t more = std::min(borrowed.size(), pieces.size() - count);
    std::ranges::copy(borrowed.first(more), pieces.begin() + static_cast<std::ptrdiff_t>(count));
    return count + more;
}

// What is in one block from `offset` on.
ByteView Reassembler::owned_at(std::uint64_t offset) const {
    const std::uint64_t in_block = offset % kBlockSize;
    const std::uint64_t length = std::min(owned_end_ - offset, kBlockSize - in_block);
    return {blocks_[offset / kBlockSize].get() + in_block, static_cast<std::size_t>(length)};
}

void Reassembler::consume(std::uint64_t length) {
    STOQ_CHECK(length <= readable());
    const std::uint64_t owned = std::min(length, owned_end_ - read_);
    read_ += owned;
    for (std::uint64_t left = length - owned; left > 0;) {
        ByteView& slice = borrowed_[borrowed_next_];
        const std::uint64_t taken = std::min<std::uint64_t>(left, slice.size());
        slice = slice.subspan(static_cast<std::size_t>(taken));
        if (slice.empty()) ++borrowed_next_;
        left -= taken;
        read_ += taken;
        owned_end_ = read_;
    }
    if (!has_borrowed()) {
        borrowed_.clear();
        borrowed_next_ = 0;
    }
    drop_read_blocks();
}

void Reassembler::drop_read_blocks() {
    if (read_ == contiguous_end_ && ranges_.empty()) blocks_.clear();
    while (!blocks_.empty() && blocks_.begin_position() < read_ / kBlockSize) blocks_.pop_front();
}

void Reassembler::discard() {
    blocks_.clear();
    borrowed_.clear();
    borrowed_next_ = 0;
    read_ = owned_end_ = contiguous_end_;
    discarding_ = true;
}

void Reassembler::reuse() {
    discard();
    ranges_.clear();
    in_ranges_ = 0;
    if (blocks_.capacity() > kMaxKeptBlocks) blocks_ = Ring<BlockPool::Block>(2);
    read_ = owned_end_ = contiguous_end_ = 0;
    discarding_ = false;
}

}  // namespace stoq::streams
