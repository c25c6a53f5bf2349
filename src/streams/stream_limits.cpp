#include "streams/stream_limits.h"

#include <algorithm>

#include "wire/frame.h"

namespace stoq::streams {

std::uint64_t PeerStreamLimit::next_limit() const {
    return std::max(limit_, std::min(closed_ + concurrent_, wire::kMaxStreamCount));
}

bool PeerStreamLimit::renewal_due() const {
    //= 9000-4.6-6
    const std::uint64_t gained = next_limit() - limit_;
    if (gained == 0) return false;
    return gained >= std::max<std::uint64_t>(concurrent_ / 8, 1) || opened_ >= limit_;
}

bool OwnStreamLimit::on_refused() {
    wanted_ = true;
    if (reported_ == limit_ + 1) return false;
    reported_ = limit_ + 1;
    return true;
}

bool OwnStreamLimit::raise(std::uint64_t limit) {
    //= 9000-4.6-4
    //= 9000-19.11-2
    if (limit <= limit_) return false;
    limit_ = limit;
    if (!may_open()) return false;
    const bool waited_for = wanted_;
    wanted_ = false;
    return waited_for;
}

}  // namespace stoq::streams
