// AckRanges: the packet numbers that an ACK frame acknowledges, read in place.
//
// The whole encoding is checked once when the frame is decoded; iterating allocates nothing and
// cannot fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "base/bytes.h"
#include "base/packet_number.h"
#include "stoq/error.h"
#include "wire/varint.h"

namespace stoq::wire {

// Closed: both ends are acknowledged.
struct AckRange {
    PacketNumber smallest;
    PacketNumber largest;

    friend constexpr bool operator==(const AckRange&, const AckRange&) = default;
};

// Descending, disjoint ranges with at least one number between neighbours; never empty. Borrows
// the bytes of the packet.
class AckRanges {
public:
    class Iterator;

    constexpr AckRanges() = default;
    // A single range.
    constexpr AckRanges(PacketNumber smallest, PacketNumber largest) : first_{smallest, largest} {}

    // Reads First ACK Range and `more` pairs of Gap and ACK Range Length (RFC 9000 section 19.3.1).
    // The reason of an error: a field is cut off, or a packet number would be negative.
    static Result<AckRanges, Reason> decode(ByteReader& reader, std::uint64_t largest,
                                            std::uint64_t more);

    const AckRange& first() const { return first_; }
    std::size_t count() const { return more_ + 1; }
    Iterator begin() const;
    std::default_sentinel_t end() const { return {}; }

private:
    AckRange first_;
    ByteView encoded_;      // the pairs, known to be whole and in range
    std::size_t more_ = 0;  // how many pairs
};

class AckRanges::Iterator {
public:
    using value_type = AckRange;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(const AckRanges& ranges)
        : current_(ranges.first_), reader_(ranges.encoded_), left_(ranges.more_ + 1) {}

    const AckRange& operator*() const { return current_; }
    const AckRange* operator->() const { return &current_; }

    Iterator& operator++() {
        if (--left_ != 0) {
            const std::uint64_t gap = *decode_varint(reader_);
            const std::uint64_t length = *decode_varint(reader_);
            const std::uint64_t largest = current_.smallest.value() - gap - 2;
            current_ = {PacketNumber(largest - length), PacketNumber(largest)};
        }
        return *this;
    }
    Iterator operator++(int) {
        const Iterator before = *this;
        ++*this;
        return before;
    }

    friend bool operator==(const Iterator& a, const Iterator& b) { return a.left_ == b.left_; }
    friend bool operator==(const Iterator& a, std::default_sentinel_t) { return a.left_ == 0; }

private:
    AckRange current_;
    ByteReader reader_{ByteView()};
    std::size_t left_ = 0;  // this range and those behind it
};
static_assert(std::forward_iterator<AckRanges::Iterator>);

inline AckRanges::Iterator AckRanges::begin() const {
    return Iterator(*this);
}

}  // namespace stoq::wire
