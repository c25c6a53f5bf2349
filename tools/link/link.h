// The link between a client and a server: packets and time in, packets out. It has no clock and no
// device; the same packets at the same times with the same seed come out the same.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "impairment.h"
#include "lane.h"
#include "packet.h"
#include "rebinding.h"
#include "settings.h"
#include "stoq/types.h"

namespace stoq::link {

struct Delivery {
    Direction direction;
    Packet packet;
};

class Link {
public:
    explicit Link(const LinkSettings& settings);

    // `now` never goes back. Errors strike behind the bottleneck, as on the last metres of a path:
    // what is lost has taken its share of the bandwidth.
    void offer(Direction direction, Packet packet, Instant now);
    // The next packet that has arrived by now.
    std::optional<Delivery> take(Instant now);
    // When take() may have something; kNever: not before the next offer().
    Instant next_event() const;

    const Counters& counters(Direction direction) const { return counters_[index_of(direction)]; }
    std::uint64_t rebinds() const { return rebinds_; }

private:
    bool survives(Direction direction, Packet& packet, Instant arrival);
    bool in_blackhole(Instant time) const;
    void rebind_until(Instant time);

    LinkSettings settings_;
    std::array<Lane, 2> lanes_;
    std::array<Impairment, 2> impairments_;
    Rebinding rebinding_;
    std::array<Counters, 2> counters_{};
    std::optional<Instant> first_datagram_;
    Instant next_rebind_ = kNever;
    std::uint64_t rebinds_ = 0;
};

}  // namespace stoq::link
