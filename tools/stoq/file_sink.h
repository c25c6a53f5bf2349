// A file on its way from the network: hashed and written by the workers, behind the receiver.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "chunk_pool.h"
#include "sha256.h"
#include "unique_fd.h"
#include "workers.h"

namespace stoq::tool {

// Methods belong to the network's thread. Kept by shared_ptr, as the workers hold on to it too.
class FileSink : public std::enable_shared_from_this<FileSink> {
public:
    // Writes begin at `offset`; what the file holds before it is read back and hashed first.
    // `notify` is called by a worker when append() takes bytes again after it took none, when
    // digest() is there and when writing failed.
    FileSink(UniqueFd descriptor, std::uint64_t offset, Workers& workers,
             std::function<void()> notify);

    void start();
    // Copies and returns how many bytes it took; fewer than given while the workers are behind.
    std::size_t append(ByteView bytes);
    // No more bytes: the hash of the whole file follows.
    void finish();
    std::optional<std::string> digest();
    std::string error();
    // Waits, without a network, until everything that was appended is written. After finish().
    void wait();

private:
    void submit();
    void enqueue();
    void work_one();
    void hash_prefix();
    void write_chunk(const ChunkPool::Chunk& chunk, std::size_t length);

    struct Filled {
        ChunkPool::Chunk chunk;
        std::size_t length = 0;
    };

    static constexpr std::size_t kMaxFilled = 16;

    UniqueFd descriptor_;
    std::uint64_t offset_;
    Workers& workers_;
    std::function<void()> notify_;
    std::shared_ptr<ChunkPool> pool_ = std::make_shared<ChunkPool>();
    Filled filling_;  // the network's
    // The worker's, of which there is one at a time.
    Sha256 hash_;
    std::uint64_t position_ = 0;

    std::mutex mutex_;
    std::condition_variable done_;
    std::deque<Filled> filled_;
    bool working_ = false;
    bool starved_ = false;  // append() took less than it was given
    bool finished_ = false;
    std::string digest_;
    std::string error_;
};

}  // namespace stoq::tool
