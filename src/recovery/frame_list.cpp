#include "recovery/frame_list.h"

#include <algorithm>
#include <cstdint>

namespace stoq::recovery {
namespace {

using wire::SentFrame;
using wire::SentFrameKind;

// Packets that interleave up to this many streams still merge.
constexpr std::size_t kLookBack = 4;

// Extends `earlier` by `frame` where the two say the same as one record.
bool merge(SentFrame& earlier, const SentFrame& frame) {
    if (earlier.kind != frame.kind) return false;
    if (frame.kind == SentFrameKind::kAck) {
        earlier.value = std::max(earlier.value, frame.value);
        return true;
    }
    const bool is_range =
        frame.kind == SentFrameKind::kStream || frame.kind == SentFrameKind::kCrypto;
    if (!is_range || earlier.id != frame.id || earlier.fin) return false;
    const bool adjacent = earlier.offset + earlier.length == frame.offset;
    if (!adjacent || frame.length > UINT32_MAX - earlier.length) return false;
    earlier.length += frame.length;
    earlier.fin = frame.fin;
    return true;
}

}  // namespace

void FrameList::add(const SentFrame& frame) {
    if (frame.kind == SentFrameKind::kNone) return;
    const std::size_t depth = std::min(kLookBack, frames_.size());
    for (std::size_t back = 1; back <= depth; ++back) {
        if (merge(frames_[frames_.size() - back], frame)) return;
    }
    frames_.push_back(frame);
}

}  // namespace stoq::recovery
