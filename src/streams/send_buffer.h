// SendBuffer: the bytes of one direction of a stream, from the application until acknowledged.
//
// Bytes enter at the end, by copy or by reference, and leave from the front as the peer
// acknowledges them. Packets read from here, and so do retransmissions: nothing is queued twice
// (RFC 9000 section 13.3). Every byte is in one of four conditions:
//
//   released | acknowledged, behind a gap | sent, or lost and to be sent again | not sent yet
//            ^ released_offset            (acked_, lost_)                      ^ next_offset   ^
//            end_offset
//
// Knows nothing of FIN, flow control or stream states, so it serves CRYPTO data as well.
#pragma once

#include <cstdint>

#include "base/interval_set.h"
#include "base/ring.h"
#include "stoq/shared_bytes.h"
#include "stoq/types.h"
#include "streams/block_pool.h"

namespace stoq::streams {

class SendBuffer {
public:
    // `pool` has to outlive the buffer.
    explicit SendBuffer(BlockPool& pool) : pool_(&pool) {}

    // --- The application's end ---
    void append(ByteView bytes);     // copies
    void append(SharedBytes bytes);  // keeps a reference, unless copying is cheaper

    // Bytes appended so far.
    std::uint64_t end_offset() const { return end_; }
    // Bytes held: appended and not released.
    std::uint64_t buffered() const { return end_ - released_; }

    // --- The packets' end ---
    // Everything below has been sent at least once.
    std::uint64_t next_offset() const { return next_; }
    std::uint64_t unsent() const { return end_ - next_; }
    bool has_lost() const { return !lost_.empty(); }
    // The first range to send again. Only when has_lost().
    Interval first_lost() const { return lost_.front(); }
    bool all_acked() const { return released_ == end_; }

    // Copies [offset, offset + out.size()) to `out`. The range must be buffered.
    void copy(std::uint64_t offset, Bytes out) const;
    // The longest contiguous piece at `offset`, at most `max` bytes. `offset` must be buffered.
    ByteView view(std::uint64_t offset, std::size_t max) const;

    // The range left in a packet: new bytes at next_offset(), or bytes that were lost.
    void on_sent(std::uint64_t offset, std::uint64_t length);
    // Returns how many bytes were released.
    std::uint64_t on_acked(std::uint64_t offset, std::uint64_t length);
    // What of the range is not acknowledged meanwhile has to be sent again.
    void on_lost(std::uint64_t offset, std::uint64_t length);

    // Everything unacknowledged counts as never sent: 0-RTT was rejected.
    void restart();
    // Drops all bytes; offsets stay. Nothing is lost or unsent any more.
    void clear();
    // Nobody needs the bytes from `size` on any more, which was appended: what was sent of them
    // counts as acknowledged, the rest as never appended. Returns how many bytes were released.
    std::uint64_t truncate(std::uint64_t size);
    // As new, for another stream; keeps the memory of its tables.
    void reuse();

private:
    struct Chunk {
        std::uint64_t begin = 0;  // offset of the first byte
        std::uint64_t length = 0;
        const std::uint8_t* data = nullptr;
        BlockPool::Block block;  // one of the two owns `data`
        SharedBytes shared;
    };

    static std::uint64_t end_of(const Chunk& chunk) { return chunk.begin + chunk.length; }
    std::uint64_t position_of(std::uint64_t offset) const;
    std::size_t fill_last_block(ByteView bytes);
    void release_to(std::uint64_t offset);

    BlockPool* pool_;
    Ring<Chunk> chunks_{2};
    IntervalSet acked_;  // at or above released_
    IntervalSet lost_;   // disjoint from acked_, below next_
    std::uint64_t released_ = 0;
    std::uint64_t next_ = 0;
    std::uint64_t end_ = 0;
    // Position of the chunk that was read last: packets read forward.
    mutable std::uint64_t cursor_ = 0;
};

}  // namespace stoq::streams
