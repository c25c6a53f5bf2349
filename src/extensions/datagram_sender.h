// DatagramSender: datagrams of the application that wait for a packet (RFC 9221).
//
// Each goes out once, whole, or not at all: it is copied into the next packet with room for it, and
// nothing of it is kept for the case that the packet is lost. The queue is bounded by bytes and by
// count; whoever is refused is told when there is room again. Datagrams of lower urgency value go
// first, those of the same urgency in the order in which they came.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/intrusive_queue.h"
#include "stoq/datagram.h"
#include "stoq/error.h"
#include "wire/payload_writer.h"

namespace stoq::extensions {

class DatagramSender {
public:
    static constexpr std::size_t kMaxQueued = 1024;

    struct Counters {
        std::uint64_t sent = 0;
        std::uint64_t lost = 0;     // by the judgement of loss detection
        std::uint64_t expired = 0;  // not sent: the deadline had passed
        std::uint64_t dropped = 0;  // not sent: packets have become smaller than the datagram
    };

    // What write() may take.
    struct WriteLimits {
        Instant now;
        std::uint8_t urgency = kLeastDatagramUrgency;  // of this value and below it
        std::size_t max_payload = 0;                   // what a packet of its own would hold
    };

    // `max_bytes`: payload that may wait.
    explicit DatagramSender(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}

    // The peer's max_datagram_frame_size; 0: it takes none.
    void set_peer_limit(std::uint64_t max_frame_size) { peer_limit_ = max_frame_size; }
    // Frames are sent with a Length field: the shortest has two bytes.
    bool peer_takes_datagrams() const { return peer_limit_ >= 2; }
    // The longest payload that fits into `room` bytes of frames, and that the peer takes.
    std::size_t max_payload(std::size_t room) const;

    // Copies `payload`, which must not exceed max_payload() of a whole packet.
    // @error kWouldBlock: take_writable() will tell. kInvalidArgument: the urgency, or more bytes
    //        than the queue ever takes.
    ApiResult<void> send(ByteView payload, const DatagramOptions& options);

    bool has_pending() const { return count_ > 0; }
    // Appends DATAGRAM frames while they fit.
    void write(wire::PayloadWriter& writer, const WriteLimits& limits);

    // When expire() has something to do at the latest.
    Instant next_deadline() const { return earliest_deadline_; }
    void expire(Instant now);
    void on_lost() { ++counters_.lost; }

    bool refused() const { return refused_; }
    // True once, after a refusal, when what was refused would fit.
    bool take_writable();

    const Counters& counters() const { return counters_; }

private:
    struct Waiting {
        QueueLink<Waiting> link;
        Instant deadline = kNever;
        std::uint8_t urgency = 0;
        std::vector<std::uint8_t> payload;
    };
    using Queue = IntrusiveQueue<Waiting, &Waiting::link>;

    bool has_room(std::size_t size) const {
        return count_ < kMaxQueued && bytes_ + size <= max_bytes_;
    }
    Waiting& take_place();
    void release(Waiting& waiting);
    // Drops what is at the head of `queue` and cannot be sent any more.
    void drop_stale(Queue& queue, const WriteLimits& limits);

    std::uint64_t max_bytes_;
    std::uint64_t peer_limit_ = 0;
    std::uint64_t bytes_ = 0;     // of payload that waits
    std::uint64_t capacity_ = 0;  // of the memory behind all places
    std::size_t count_ = 0;
    std::size_t refused_size_ = 0;
    bool refused_ = false;
    Instant earliest_deadline_ = kNever;  // or earlier
    std::array<Queue, kLeastDatagramUrgency + 1> queues_;
    Queue free_;
    std::vector<std::unique_ptr<Waiting>> places_;
    Counters counters_;
};

}  // namespace stoq::extensions
