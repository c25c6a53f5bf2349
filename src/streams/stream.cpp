#include "streams/stream.h"

#include <utility>

namespace stoq::streams {

std::unique_ptr<Stream> StreamPool::take() {
    if (free_.empty()) return std::make_unique<Stream>(blocks_);
    auto stream = std::move(free_.back());
    free_.pop_back();
    return stream;
}

void StreamPool::give_back(std::unique_ptr<Stream> stream) {
    if (free_.size() >= max_free_) return;
    // Data goes back to its pool now; the rest is set when the record is used again.
    stream->send.open(StreamId(), 0);
    stream->receive.open(ReceiveWindow());
    // A connection that ends with work to do takes its queues with it: nobody unlinks what stood
    // in them, and a record that believes it is queued would never be queued again.
    stream->control_link = stream->notice_link = stream->repair_link = {};
    stream->ready_link = stream->borrowed_link = stream->writer_link = {};
    free_.push_back(std::move(stream));
}

}  // namespace stoq::streams
