// Datagrams that other workers of the group received for this one.
#pragma once

#include <atomic>
#include <mutex>
#include <span>
#include <vector>

#include "io/wakeup.h"
#include "stoq/types.h"

namespace stoq::runtime {

class WorkerInbox {
public:
    // Between two calls of take(). What is more is lost, as in a full socket buffer.
    static constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
    static constexpr std::size_t kMaxDatagrams = 1024;

    // From any thread: copies. False when there is no room.
    bool push(const ReceivedDatagram& datagram);
    // For the worker that owns it: all there are, in order; valid until the next call.
    std::span<ReceivedDatagram> take();
    // The worker begins, and will be woken when something comes. False when there is one already.
    bool open(const io::Waker& waker);
    // The worker is gone.
    void close();

private:
    // Memory is kept from round to round.
    struct Batch {
        std::vector<std::uint8_t> bytes;
        std::vector<ReceivedDatagram> datagrams;
    };

    std::atomic<bool> any_ = false;
    std::mutex mutex_;
    const io::Waker* waker_ = nullptr;
    Batch filling_;
    Batch taken_;
};

}  // namespace stoq::runtime
