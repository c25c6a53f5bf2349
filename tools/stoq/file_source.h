// A file on its way to the network: read and hashed by the workers, ahead of the sender.
#pragma once

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
class FileSource : public std::enable_shared_from_this<FileSource> {
public:
    struct File {
        UniqueFd descriptor;
        std::uint64_t size = 0;
        // The first byte to send. What stands before it is hashed only.
        std::uint64_t offset = 0;
    };

    // `notify` is called by a worker when next() or digest() has something after it had nothing.
    FileSource(File file, Workers& workers, std::function<void()> notify);

    void start();
    // The next bytes to send; nothing while the workers are reading them, and at the end.
    std::optional<SharedBytes> next();
    // The hash of the whole file, once all of it was read.
    std::optional<std::string> digest();
    // Why the file could not be read, or that it shrank meanwhile. Empty while all is well.
    std::string error();

private:
    void submit();
    void read_one();
    void read_chunk(SharedBytes& out, bool& send);

    static constexpr std::size_t kMaxReady = 8;

    File file_;
    Workers& workers_;
    std::function<void()> notify_;
    std::shared_ptr<ChunkPool> pool_ = std::make_shared<ChunkPool>();
    // The worker's, of which there is one at a time.
    Sha256 hash_;
    std::uint64_t position_ = 0;

    std::mutex mutex_;
    std::deque<SharedBytes> ready_;
    bool reading_ = false;
    std::string digest_;
    std::string error_;
};

}  // namespace stoq::tool
