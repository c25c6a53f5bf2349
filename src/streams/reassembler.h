// Reassembler: received bytes, put in order (RFC 9000 section 2.2).
//
// A byte that was received and not consumed lies in one of two places:
//
//   owned     in pool blocks: out-of-order bytes, and bytes that the application left unread
//   borrowed  in the datagram that brought them, valid until settle()
//
//   consumed | owned, in order | borrowed, in order | gap | owned | gap | owned
//            ^ read_offset     ^ owned_end          ^ contiguous_end
//
// Bytes that arrive in order while nothing is buffered out of order are only borrowed: who reads
// before settle() reads them where the datapath received and decrypted them, without a copy.
//
// Memory is bounded by the caller, who refuses bytes beyond a window (flow control for streams, a
// constant for CRYPTO), and by the numbers of ranges here. Knows nothing of stream states or final
// sizes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/interval_set.h"
#include "base/ring.h"
#include "stoq/error.h"
#include "stoq/types.h"
#include "streams/block_pool.h"

namespace stoq::streams {

class Reassembler {
public:
    // Out-of-order ranges held at most. Honest peers need one per lost packet in flight: one for
    // every other packet of the greatest default window. Beyond this somebody sends every other
    // byte, and the connection closes rather than pay for it.
    static constexpr std::size_t kMaxRanges = 16384;
    // Fewer if they hold less than kThinRange bytes each: a packet could bring so many of them that
    // keeping them in order takes longer than receiving it.
    static constexpr std::size_t kMaxThinRanges = 1024;
    static constexpr std::size_t kThinRange = 256;

    // `pool` has to outlive the reassembler.
    explicit Reassembler(BlockPool& pool) : pool_(&pool) {}

    // Takes bytes at any offset, in any order, any number of times. `data` must stay valid until
    // settle(). @error kInternalError (kTooManyPendingFrames) beyond the limits above.
    TransportResult<void> insert(std::uint64_t offset, ByteView data);

    // The next contiguous bytes in order; empty when there are none. Valid until the next call
    // that is not const. More may follow in another piece after consume().
    ByteView peek() const;
    // The same with as many pieces as there are and `pieces` holds; returns how many.
    std::size_t peek(std::span<ByteView> pieces) const;
    // Takes the first `length` readable bytes, which may span pieces of peek().
    void consume(std::uint64_t length);

    std::uint64_t read_offset() const { return read_; }
    std::uint64_t contiguous_end() const { return contiguous_end_; }
    std::uint64_t readable() const { return contiguous_end_ - read_; }
    bool has_borrowed() const { return borrowed_next_ != borrowed_.size(); }

    // Copies unread borrowed bytes into owned blocks; the datagrams may go afterwards.
    void settle();

    // From now on bytes are only counted, not kept: nobody is going to read them.
    void discard();
    // As new, for another stream; keeps the memory of its tables.
    void reuse();

private:
    bool has_too_many_ranges() const;
    ByteView owned_at(std::uint64_t offset) const;
    void store(std::uint64_t offset, ByteView data);
    std::uint8_t* place_of(std::uint64_t offset);
    void drop_read_blocks();
    void advance_over_ranges();

    BlockPool* pool_;
    Ring<BlockPool::Block> blocks_{2};  // position n holds [n * kBlockSize, (n + 1) * kBlockSize)
    IntervalSet ranges_;                // received, above contiguous_end_
    std::uint64_t in_ranges_ = 0;       // bytes
    std::vector<ByteView> borrowed_;    // consumed ones stay until the list is empty
    std::size_t borrowed_next_ = 0;
    std::uint64_t read_ = 0;
    std::uint64_t owned_end_ = 0;
    std::uint64_t contiguous_end_ = 0;
    bool discarding_ = false;
};

}  // namespace stoq::streams
