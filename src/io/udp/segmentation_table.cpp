#include "io/udp/segmentation_table.h"

#include <algorithm>

namespace stoq::io {

SegmentationTable::Entry* SegmentationTable::find(const Address& remote) {
    const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(used_);
    const auto found = std::find_if(entries_.begin(), end, [&](const Entry& entry) {
        return entry.remote.family == remote.family && entry.remote.ip == remote.ip &&
               entry.remote.scope_id == remote.scope_id;
    });
    return found == end ? nullptr : &*found;
}

bool SegmentationTable::allows(const Address& remote, Instant now) {
    Entry* entry = find(remote);
    if (entry == nullptr) return true;
    if (now < entry->until) return false;
    *entry = entries_[--used_];
    return true;
}

void SegmentationTable::forbid(const Address& remote, Instant now) {
    Entry* entry = find(remote);
    if (entry == nullptr && used_ < kEntries) entry = &entries_[used_++];
    if (entry == nullptr) {
        entry = &*std::min_element(
            entries_.begin(), entries_.end(),
            [](const Entry& left, const Entry& right) { return left.until < right.until; });
    }
    *entry = {remote, now + kForbiddenFor};
}

}  // namespace stoq::io
