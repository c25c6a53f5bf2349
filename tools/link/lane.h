// One direction's bottleneck: a queue, a rate and a delay.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "packet.h"
#include "settings.h"
#include "stoq/types.h"

namespace stoq::link {

class Lane {
public:
    explicit Lane(const LinkSettings& settings)
        : delay_(settings.delay),
          bits_per_second_(settings.bits_per_second),
          queue_packets_(settings.queue_packets) {}

    // False: the queue is full, and the packet is gone.
    bool offer(Packet packet, Instant now);
    // When the next packet comes out; kNever when there is none.
    Instant next_arrival() const { return packets_.empty() ? kNever : packets_.front().arrival; }
    // The next packet that has arrived by now.
    std::optional<Packet> take(Instant now);

private:
    struct Entry {
        Instant start;    // of its transmission; until then it stands in the queue
        Instant arrival;  // at the far end
        Packet packet;
    };

    Duration transmission_time(std::size_t bytes) const;
    std::size_t waiting(Instant now) const;

    Duration delay_;
    std::uint64_t bits_per_second_;
    std::size_t queue_packets_;
    Instant free_at_{};  // when the last accepted packet has left the sender
    std::deque<Entry> packets_;
};

}  // namespace stoq::link
