#include "streams/send_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace stoq::streams {
namespace {

// Below this size a copy costs less than a chunk of its own.
constexpr std::size_t kCopyBelow = 1024;

// A table that grew beyond this for one stream is not kept for the next.
constexpr std::size_t kMaxKeptChunks = 64;

}  // namespace

//= 9000-2.2-3
void SendBuffer::append(ByteView bytes) {
    while (!bytes.empty()) {
        const std::size_t taken = fill_last_block(bytes);
        bytes = bytes.subspan(taken);
        if (bytes.empty()) break;
        Chunk chunk;
        chunk.begin = end_;
        chunk.block = pool_->take();
        chunk.data = chunk.block.get();
        chunks_.push_back(std::move(chunk));
    }
}

void SendBuffer::append(SharedBytes bytes) {
    if (bytes.size() < kCopyBelow) return append(bytes.view());
    Chunk chunk;
    chunk.begin = end_;
    chunk.length = bytes.size();
    chunk.data = bytes.view().data();
    chunk.shared = std::move(bytes);
    end_ += chunk.length;
    chunks_.push_back(std::move(chunk));
}

std::size_t SendBuffer::fill_last_block(ByteView bytes) {
    if (chunks_.empty() || !chunks_.back().block) return 0;
    Chunk& last = chunks_.back();
    const std::size_t room = BlockPool::kBlockSize - static_cast<std::size_t>(last.length);
    const std::size_t taken = std::min(room, bytes.size());
    std::memcpy(last.block.get() + last.length, bytes.data(), taken);
    pool_->note_copied(taken);
    last.length += taken;
    end_ += taken;
    return taken;
}

std::uint64_t SendBuffer::position_of(std::uint64_t offset) const {
    STOQ_CHECK(offset >= released_ && offset < end_);
    for (std::uint64_t position = cursor_; position <= cursor_ + 1; ++position) {
        if (!chunks_.contains(position)) continue;
        const Chunk& chunk = chunks_[position];
        if (chunk.begin <= offset && offset < end_of(chunk)) return cursor_ = position;
    }
    // The last chunk that begins at or before `offset`.
    std::uint64_t low = chunks_.begin_position();
    for (std::uint64_t high = chunks_.end_position(); high - low > 1;) {
        const std::uint64_t middle = low + (high - low) / 2;
        (chunks_[middle].begin <= offset ? low : high) = middle;
    }
    return cursor_ = low;
}

ByteView SendBuffer::view(std::uint64_t offset, std::size_t max) const {
    const Chunk& chunk = chunks_[position_of(offset)];
    const std::uint64_t left = end_of(chunk) - offset;
    return ByteView(chunk.data + (offset - chunk.begin),
                    static_cast<std::size_t>(std::min<std::uint64_t>(left, max)));
}

void SendBuffer::copy(std::uint64_t offset, Bytes out) const {
    pool_->note_copied(out.size());
    while (!out.empty()) {
        const ByteView piece = view(offset, out.size());
        std::memcpy(out.data(), piece.data(), piece.size());
        offset += piece.size();
        out = out.subspan(piece.size());
    }
}

void SendBuffer::on_sent(std::uint64_t offset, std::uint64_t length) {
    if (offset == next_) {
        next_ += length;
        STOQ_CHECK(next_ <= end_);
    } else {
        lost_.erase(offset, offset + length);
    }
}

std::uint64_t SendBuffer::on_acked(std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t end = offset + length;
    STOQ_CHECK(end <= next_);
    if (end <= released_) return 0;
    //= 9000-13.3-6
    if (!lost_.empty()) lost_.erase(offset, end);
    if (offset > released_) {
        acked_.insert(offset, end);
        return 0;
    }
    const std::uint64_t before = released_;
    release_to(end);
    return released_ - before;
}

void SendBuffer::release_to(std::uint64_t offset) {
    released_ = offset;
    if (!acked_.empty()) {
        if (const auto beyond = acked_.find(offset)) released_ = beyond->end;
        acked_.erase(0, released_);
    }
    while (!chunks_.empty() && end_of(chunks_.front()) <= released_) chunks_.pop_front();
}

void SendBuffer::on_lost(std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t end = offset + length;
    STOQ_CHECK(end <= next_);
    std::uint64_t at = std::max(offset, released_);
    while (at < end) {
        const Interval gap = acked_.first_gap(at);
        if (gap.begin >= end) break;
        at = std::min(gap.end, end);
        lost_.insert(gap.begin, at);
    }
}

void SendBuffer::restart() {
    acked_.clear();
    lost_.clear();
    next_ = released_;
}

void SendBuffer::clear() {
    chunks_.clear();
    acked_.clear();
    lost_.clear();
    released_ = next_ = end_;
}

std::uint64_t SendBuffer::truncate(std::uint64_t size) {
    STOQ_CHECK(size <= end_);
    const std::uint64_t before = buffered();
    end_ = std::max(size, next_);
    while (!chunks_.empty() && chunks_.back().begin >= end_) chunks_.pop_back();
    if (!chunks_.empty()) {
        Chunk& last = chunks_.back();
        last.length = std::min(last.length, end_ - last.begin);
    }
    if (size < next_) on_acked(size, next_ - size);
    return before - buffered();
}

void SendBuffer::reuse() {
    clear();
    released_ = next_ = end_ = 0;
    if (chunks_.capacity() > kMaxKeptChunks) chunks_ = Ring<Chunk>(2);
    cursor_ = chunks_.begin_position();
}

}  // namespace stoq::streams
