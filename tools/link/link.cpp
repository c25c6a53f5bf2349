#include "link.h"

#include <algorithm>
#include <utility>

namespace stoq::link {
namespace {

constexpr std::array<Direction, 2> kDirections = {Direction::kToServer, Direction::kToClient};

}  // namespace

Link::Link(const LinkSettings& settings)
    : settings_(settings),
      lanes_{Lane(settings), Lane(settings)},
      impairments_{Impairment(settings.directions[0], 3 * settings.seed),
                   Impairment(settings.directions[1], 3 * settings.seed + 1)},
      rebinding_(settings.rebind_address, 3 * settings.seed + 2) {}

void Link::offer(Direction direction, Packet packet, Instant now) {
    Counters& counters = counters_[index_of(direction)];
    ++counters.offered;
    if (!first_datagram_ && UdpView::find(packet)) {
        first_datagram_ = now;
        if (settings_.first_rebind != Duration::zero()) next_rebind_ = now + settings_.first_rebind;
    }
    if (!lanes_[index_of(direction)].offer(std::move(packet), now)) ++counters.queue_drops;
}

std::optional<Delivery> Link::take(Instant now) {
    for (;;) {
        const bool to_server = lanes_[0].next_arrival() <= lanes_[1].next_arrival();
        const Direction direction = to_server ? Direction::kToServer : Direction::kToClient;
        Lane& lane = lanes_[index_of(direction)];
        const Instant arrival = lane.next_arrival();
        auto packet = lane.take(now);
        if (!packet) return std::nullopt;
        if (!survives(direction, *packet, arrival)) continue;
        Counters& counters = counters_[index_of(direction)];
        ++counters.delivered;
        counters.delivered_bytes += packet->size();
        return Delivery{direction, std::move(*packet)};
    }
}

Instant Link::next_event() const {
    Instant next = kNever;
    for (const Direction direction : kDirections)
        next = std::min(next, lanes_[index_of(direction)].next_arrival());
    return next;
}

bool Link::survives(Direction direction, Packet& packet, Instant arrival) {
    Counters& counters = counters_[index_of(direction)];
    if (in_blackhole(arrival)) {
        ++counters.blackhole_drops;
        return false;
    }
    auto datagram = UdpView::find(packet);
    if (!datagram) return true;
    if (!impairments_[index_of(direction)].pass(*datagram, counters)) return false;
    if (settings_.first_rebind == Duration::zero()) return true;
    rebind_until(arrival);
    const bool bound = rebinding_.translate(*datagram, direction);
    if (!bound) ++counters.binding_drops;
    return bound;
}

bool Link::in_blackhole(Instant time) const {
    const Duration cycle = settings_.on + settings_.off;
    if (settings_.off == Duration::zero() || !first_datagram_ || time < *first_datagram_)
        return false;
    const Duration elapsed = time - *first_datagram_;
    return elapsed / cycle < settings_.repeat && elapsed % cycle >= settings_.on;
}

void Link::rebind_until(Instant time) {
    while (next_rebind_ <= time) {
        rebinding_.rebind();
        ++rebinds_;
        const bool again = settings_.rebind_interval != Duration::zero();
        next_rebind_ = again ? next_rebind_ + settings_.rebind_interval : kNever;
    }
}

}  // namespace stoq::link
