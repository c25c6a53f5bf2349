#include "file_sink.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>

#include "exit_code.h"

namespace stoq::tool {

FileSink::FileSink(UniqueFd descriptor, std::uint64_t offset, Workers& workers,
                   std::function<void()> notify)
    : descriptor_(std::move(descriptor)),
      offset_(offset),
      workers_(workers),
      notify_(std::move(notify)) {}

void FileSink::start() {
    const std::lock_guard lock(mutex_);
    if (offset_ > 0) submit();
}

// With the lock held.
void FileSink::submit() {
    if (working_ || !digest_.empty() || !error_.empty()) return;
    working_ = true;
    workers_.submit([self = shared_from_this()] { self->work_one(); });
}

std::size_t FileSink::append(ByteView bytes) {
    std::size_t taken = 0;
    while (taken < bytes.size()) {
        if (filling_.chunk == nullptr) filling_.chunk = pool_->get();
        const std::size_t length = std::min(kChunkBytes - filling_.length, bytes.size() - taken);
        std::memcpy(filling_.chunk.get() + filling_.length, bytes.data() + taken, length);
        filling_.length += length;
        taken += length;
        if (filling_.length < kChunkBytes) break;
        const std::lock_guard lock(mutex_);
        enqueue();
        starved_ = filled_.size() >= kMaxFilled;
        if (starved_) break;
    }
    return taken;
}

// With the lock held.
void FileSink::enqueue() {
    filled_.push_back(std::exchange(filling_, {}));
    submit();
}

void FileSink::finish() {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    finished_ = true;
    if (filling_.length > 0) enqueue();
    submit();
}

std::optional<std::string> FileSink::digest() {
    const std::lock_guard lock(mutex_);
    if (digest_.empty()) return std::nullopt;
    return digest_;
}

std::string FileSink::error() {
    const std::lock_guard lock(mutex_);
    return error_;
}

void FileSink::wait() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return !digest_.empty() || !error_.empty(); });
}

void FileSink::work_one() {
    Filled filled;
    bool last = false;
    {
        const std::lock_guard lock(mutex_);
        if (!filled_.empty()) {
            filled = std::move(filled_.front());
            filled_.pop_front();
        }
        last = finished_ && filled_.empty();
    }
    std::string digest;
    std::string error;
    try {
        if (position_ < offset_) hash_prefix();
        if (filled.length > 0) write_chunk(filled.chunk, filled.length);
        if (last) digest = hash_.finish();
    } catch (const std::exception& failure) {
        error = failure.what();
    }
    if (filled.chunk != nullptr) pool_->put(std::move(filled.chunk));
    bool tell = false;
    {
        const std::lock_guard lock(mutex_);
        working_ = false;
        digest_ = std::move(digest);
        error_ = std::move(error);
        tell = !digest_.empty() || !error_.empty() || (starved_ && filled_.size() < kMaxFilled / 2);
        if (tell) starved_ = false;
        if (!filled_.empty() || finished_) submit();
    }
    done_.notify_all();
    if (tell) notify_();
}

void FileSink::hash_prefix() {
    const ChunkPool::Chunk chunk = pool_->get();
    while (position_ < offset_) {
        const std::size_t wanted = std::min<std::uint64_t>(kChunkBytes, offset_ - position_);
        const ssize_t got =
            ::pread(descriptor_.get(), chunk.get(), wanted, static_cast<off_t>(position_));
        if (got < 0) throw file_failure("read", "the partial file", errno);
        if (got == 0) throw Failure(ExitCode::kLocalFile, "the partial file became shorter");
        hash_.update(ByteView(chunk.get(), static_cast<std::size_t>(got)));
        position_ += static_cast<std::uint64_t>(got);
    }
}

void FileSink::write_chunk(const ChunkPool::Chunk& chunk, std::size_t length) {
    const ByteView bytes(chunk.get(), length);
    hash_.update(bytes);
    std::size_t written = 0;
    while (written < length) {
        const ssize_t now = ::write(descriptor_.get(), bytes.data() + written, length - written);
        if (now < 0 && errno == EINTR) continue;
        if (now < 0) throw file_failure("write", "the file", errno);
        written += static_cast<std::size_t>(now);
    }
}

}  // namespace stoq::tool
