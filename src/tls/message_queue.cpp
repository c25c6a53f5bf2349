#include "tls/message_queue.h"

#include <algorithm>

#include "base/check.h"

namespace stoq::tls {

bool MessageQueue::append(ByteView bytes) {
    if (bytes.size() > kMaxLength - std::min(kMaxLength, lent_.size() + waiting_.size())) {
        return false;
    }
    waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
    return first_length().value_or(0) <= kMaxLength;
}

std::optional<std::uint8_t> MessageQueue::next_type() const {
    if (waiting_.empty()) return std::nullopt;
    return waiting_.front();
}

std::optional<std::size_t> MessageQueue::first_length() const {
    if (waiting_.size() < kHeaderLength) return std::nullopt;
    const std::size_t body = (static_cast<std::size_t>(waiting_[1]) << 16) |
                             (static_cast<std::size_t>(waiting_[2]) << 8) | waiting_[3];
    return kHeaderLength + body;
}

ByteView MessageQueue::lend() {
    const auto length = first_length();
    if (!lent_.empty() || !length || *length > waiting_.size()) return {};
    if (*length == waiting_.size()) {
        lent_.swap(waiting_);
        return lent_;
    }
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(*length);
    lent_.assign(waiting_.begin(), end);
    waiting_.erase(waiting_.begin(), end);
    return lent_;
}

void MessageQueue::release() {
    STOQ_CHECK(!lent_.empty());
    // The memory goes too: a connection that lives for hours needs it for milliseconds.
    lent_ = {};
    if (waiting_.empty()) waiting_ = {};
}

}  // namespace stoq::tls
