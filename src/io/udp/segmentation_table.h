// Which destinations cannot take segmentation offload at present.
#pragma once

#include "stoq/types.h"

namespace stoq::io {

// The kernel may promise segmentation and a route (a tunnel, a virtual NIC) refuse it. What was
// refused is remembered for a while, per remote address without its port, and then tried again.
// Bounded: the entry that ends first makes room for a new one.
class SegmentationTable {
public:
    static constexpr Duration kForbiddenFor = std::chrono::minutes(1);
    static constexpr std::size_t kEntries = 32;

    bool empty() const { return used_ == 0; }
    bool allows(const Address& remote, Instant now);
    void forbid(const Address& remote, Instant now);

private:
    struct Entry {
        Address remote;
        Instant until;
    };

    Entry* find(const Address& remote);

    std::array<Entry, kEntries> entries_;
    std::size_t used_ = 0;
};

}  // namespace stoq::io
