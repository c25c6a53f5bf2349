#include "runtime/worker_inbox.h"

#include <algorithm>
#include <utility>

namespace stoq::runtime {

bool WorkerInbox::push(const ReceivedDatagram& datagram) {
    const std::lock_guard lock(mutex_);
    Batch& batch = filling_;
    if (waker_ == nullptr || batch.datagrams.size() == kMaxDatagrams) return false;
    // What was copied already is pointed to, and must not move.
    if (batch.bytes.capacity() < kMaxBytes) batch.bytes.reserve(kMaxBytes);
    if (batch.bytes.size() + datagram.data.size() > kMaxBytes) return false;
    const std::size_t begin = batch.bytes.size();
    batch.bytes.insert(batch.bytes.end(), datagram.data.begin(), datagram.data.end());
    ReceivedDatagram& copy = batch.datagrams.emplace_back(datagram);
    copy.data = Bytes(batch.bytes).subspan(begin);
    // The worker sleeps, or will look at the flag before it does.
    if (!any_.exchange(true, std::memory_order_acq_rel)) waker_->wake();
    return true;
}

std::span<ReceivedDatagram> WorkerInbox::take() {
    if (!any_.load(std::memory_order_acquire)) return {};
    taken_.bytes.clear();
    taken_.datagrams.clear();
    const std::lock_guard lock(mutex_);
    any_.store(false, std::memory_order_release);
    std::swap(filling_, taken_);
    return taken_.datagrams;
}

bool WorkerInbox::open(const io::Waker& waker) {
    const std::lock_guard lock(mutex_);
    if (waker_ != nullptr) return false;
    waker_ = &waker;
    return true;
}

void WorkerInbox::close() {
    const std::lock_guard lock(mutex_);
    waker_ = nullptr;
}

}  // namespace stoq::runtime
