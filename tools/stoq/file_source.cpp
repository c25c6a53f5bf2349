#include "file_source.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>

#include "exit_code.h"

namespace stoq::tool {

FileSource::FileSource(File file, Workers& workers, std::function<void()> notify)
    : file_(std::move(file)), workers_(workers), notify_(std::move(notify)) {}

void FileSource::start() {
    const std::lock_guard lock(mutex_);
    submit();
}

// With the lock held.
void FileSource::submit() {
    if (reading_ || ready_.size() >= kMaxReady || !digest_.empty() || !error_.empty()) return;
    reading_ = true;
    workers_.submit([self = shared_from_this()] { self->read_one(); });
}

std::optional<SharedBytes> FileSource::next() {
    const std::lock_guard lock(mutex_);
    if (ready_.empty()) return std::nullopt;
    SharedBytes chunk = std::move(ready_.front());
    ready_.pop_front();
    submit();
    return chunk;
}

std::optional<std::string> FileSource::digest() {
    const std::lock_guard lock(mutex_);
    if (!ready_.empty() || digest_.empty()) return std::nullopt;
    return digest_;
}

std::string FileSource::error() {
    const std::lock_guard lock(mutex_);
    return error_;
}

void FileSource::read_one() {
    SharedBytes chunk;
    std::string digest;
    std::string error;
    bool send = false;
    try {
        if (position_ < file_.size) read_chunk(chunk, send);
        if (position_ == file_.size) digest = hash_.finish();
    } catch (const std::exception& failure) {
        error = failure.what();
        send = false;
    }
    {
        const std::lock_guard lock(mutex_);
        reading_ = false;
        digest_ = std::move(digest);
        error_ = std::move(error);
        if (send) ready_.push_back(std::move(chunk));
        submit();
    }
    notify_();
}

void FileSource::read_chunk(SharedBytes& out, bool& send) {
    const std::uint64_t border = position_ < file_.offset ? file_.offset : file_.size;
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(kChunkBytes, border - position_));
    ChunkPool::Chunk chunk = pool_->get();
    const ssize_t got =
        ::pread(file_.descriptor.get(), chunk.get(), wanted, static_cast<off_t>(position_));
    if (got < 0) throw file_failure("read", "the file", errno);
    if (got == 0) throw Failure(ExitCode::kLocalFile, "the file became shorter while it was sent");
    const auto length = static_cast<std::size_t>(got);
    hash_.update(ByteView(chunk.get(), length));
    send = position_ >= file_.offset;
    position_ += length;
    if (send) {
        out = pool_->share(std::move(chunk), length);
    } else {
        pool_->put(std::move(chunk));
    }
}

}  // namespace stoq::tool
