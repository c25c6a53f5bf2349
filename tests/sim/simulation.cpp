#include "sim/simulation.h"

#include <algorithm>

namespace stoq::sim {
namespace {

constexpr std::size_t kSlotBytes = 65'507;
// More steps than this without time moving on are a loop.
constexpr std::uint64_t kMostStepsPerInstant = 10'000;

Endpoint make_endpoint(const EndpointSettings& settings, SeededRandom& random) {
    return std::move(Endpoint::create(settings, random).value());
}

}  // namespace

Address host_address(std::uint8_t host, std::uint16_t port) {
    Address address;
    address.family = Address::Family::kIpv4;
    address.ip = {192, 0, 2, host};
    address.port = port;
    return address;
}

Host::Host(const HostSettings& settings)
    : settings_(settings),
      random_(std::make_unique<SeededRandom>(settings.seed)),
      endpoint_(make_endpoint(settings.endpoint, *random_)),
      slot_(kSlotBytes) {}

void Host::restart(const EndpointSettings& settings, std::uint64_t seed) {
    auto random = std::make_unique<SeededRandom>(seed);
    endpoint_ = make_endpoint(settings, *random);
    random_ = std::move(random);
    arrived_.clear();
}

Host& Simulation::add_host(const HostSettings& settings) {
    hosts_.push_back(std::make_unique<Host>(settings));
    return *hosts_.back();
}

bool Simulation::run(const std::function<bool()>& done, Duration limit) {
    const Instant end = now_ + limit;
    for (;;) {
        for (const auto& host : hosts_) drive(*host);
        if (!failure_.empty()) return false;
        if (done()) return true;
        const Instant next = next_instant();
        if (next > end) {
            now_ = end;
            return false;
        }
        if (!time_moves(next)) return false;
        deliver_due();
    }
}

void Simulation::run_for(Duration duration) {
    run([] { return false; }, duration);
}

void Simulation::inject(Datagram datagram, Instant at) {
    queue_.push_back({at, order_++, std::move(datagram)});
    std::push_heap(queue_.begin(), queue_.end(), later);
}

bool Simulation::time_moves(Instant next) {
    if (next > now_) {
        now_ = next;
        steps_at_this_instant_ = 0;
        return true;
    }
    if (++steps_at_this_instant_ < kMostStepsPerInstant) return true;
    failure_ = "time stands still: something is due again and again";
    return false;
}

Instant Simulation::next_instant() const {
    Instant next = queue_.empty() ? kNever : queue_.front().at;
    for (const auto& host : hosts_) {
        next = std::min(next, host->endpoint_.next_timeout());
        if (host->application_ != nullptr) next = std::min(next, host->application_->next_wake());
    }
    return std::max(next, now_);
}

// One round of the loop that stoq/endpoint.h describes, until nothing is left to do at this
// instant.
void Simulation::drive(Host& host) {
    if (host.endpoint_.next_timeout() <= now_) host.endpoint_.on_timeout(now_);
    std::uint64_t rounds = 0;
    for (bool again = true; again;) {
        again = exchange_with_application(host);
        host.endpoint_.settle();
        host.arrived_.clear();
        again |= transmit(host);
        if (++rounds > kMostStepsPerInstant) {
            failure_ = "an endpoint never comes to rest";
            return;
        }
    }
}

bool Simulation::exchange_with_application(Host& host) {
    bool did_something = false;
    while (const auto event = host.endpoint_.poll_event()) {
        did_something = true;
        if (host.application_ != nullptr) {
            host.application_->on_event(*event, now_);
        } else {
            host.events_.push_back(*event);
        }
    }
    if (host.application_ != nullptr) did_something |= host.application_->pump(now_);
    return did_something;
}

bool Simulation::transmit(Host& host) {
    bool did_something = false;
    for (;;) {
        TransmitSlot slot;
        slot.buffer = host.slot_;
        slot.max_datagrams = host.settings_.max_datagrams;
        if (!host.endpoint_.transmit(slot, now_)) return did_something;
        did_something = true;
        send(host, slot);
        if (!failure_.empty()) return false;
    }
}

// Splits the train and sends each datagram through the host's uplink.
void Simulation::send(Host& host, const TransmitSlot& slot) {
    const std::size_t count = slot.datagram_length == 0
                                  ? 0
                                  : (slot.length + slot.datagram_length - 1) / slot.datagram_length;
    if (count == 0 || count > slot.max_datagrams || slot.length > slot.buffer.size()) {
        failure_ = "a slot was filled wrongly: " + std::to_string(slot.length) + " bytes of " +
                   std::to_string(slot.datagram_length);
        return;
    }
    std::vector<InFlight> leaving;
    for (Bytes rest = slot.buffer.first(slot.length); !rest.empty();) {
        const Bytes one = rest.first(std::min(slot.datagram_length, rest.size()));
        rest = rest.subspan(one.size());
        Datagram datagram;
        datagram.bytes.assign(one.begin(), one.end());
        const bool bound = slot.local.family != Address::Family::kNone;
        datagram.source = bound ? slot.local : host.settings_.address;
        datagram.destination = slot.remote;
        datagram.ecn = slot.ecn;
        host.uplink_.process({std::move(datagram), now_}, leaving);
    }
    for (InFlight& one : leaving) {
        const Host* to = find(one.datagram.destination);
        if (to == nullptr) {
            ++undeliverable_;
            continue;
        }
        const Duration interval = to->settings_.receive_interval;
        Instant at = one.at;
        if (interval > Duration::zero()) {
            const Duration since = at.time_since_epoch();
            at = Instant((since + interval - Duration(1)) / interval * interval);
        }
        inject(std::move(one.datagram), at);
    }
}

Host* Simulation::find(const Address& address) {
    for (const auto& host : hosts_) {
        if (host->has(address)) return host.get();
    }
    return nullptr;
}

// Hands over all that has arrived by now, to each host as one batch.
void Simulation::deliver_due() {
    while (!queue_.empty() && queue_.front().at <= now_) {
        std::pop_heap(queue_.begin(), queue_.end(), later);
        Datagram datagram = std::move(queue_.back().datagram);
        queue_.pop_back();
        if (Host* host = find(datagram.destination)) {
            host->arrived_.push_back(std::move(datagram));
        } else {
            ++undeliverable_;
        }
    }
    for (const auto& host : hosts_) {
        if (host->arrived_.empty()) continue;
        std::vector<ReceivedDatagram> batch;
        for (Datagram& datagram : host->arrived_) {
            batch.push_back({datagram.bytes, datagram.destination, datagram.source, datagram.ecn});
        }
        host->endpoint_.receive(batch, now_);
    }
}

}  // namespace stoq::sim
