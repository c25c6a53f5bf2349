// Endpoints and the network between them in virtual time: one thread, no clock, no sleep.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/element.h"
#include "stoq/endpoint.h"

namespace stoq::sim {

// Uses one endpoint. Everything it does happens inside these calls.
class Application {
public:
    virtual ~Application() = default;
    virtual void on_event(const Event& event, Instant now) = 0;
    // Reads, writes, opens and closes what it can. Returns whether it did anything.
    virtual bool pump(Instant now) = 0;
    // When it wants pump() to be called although nothing happened.
    virtual Instant next_wake() const { return kNever; }
};

// Two simulated hosts never share an address; ports matter.
Address host_address(std::uint8_t host, std::uint16_t port);

struct HostSettings {
    Address address;
    EndpointSettings endpoint;
    std::uint64_t seed = 1;
    // What a slot of its datapath takes.
    std::size_t max_datagrams = 16;
    // Datagrams are collected and handed over at multiples of this; zero: one by one.
    Duration receive_interval{};
};

class Simulation;

// An endpoint at an address, the pipe behind its network card, and the application on it.
class Host {
public:
    explicit Host(const HostSettings& settings);

    Endpoint& endpoint() { return endpoint_; }
    const Address& address() const { return settings_.address; }
    Pipe& uplink() { return uplink_; }
    // Datagrams arrive here as well, and leave from here when the endpoint says so.
    void add_address(const Address& address) { more_addresses_.push_back(address); }
    void set_application(Application* application) { application_ = application; }
    // A new endpoint takes the place of the old one, as after a crash.
    void restart(const EndpointSettings& settings, std::uint64_t seed);
    // Events since the last call, when there is no application.
    std::vector<Event> take_events() { return std::exchange(events_, {}); }

private:
    friend class Simulation;

    bool has(const Address& address) const {
        return address == settings_.address ||
               std::ranges::find(more_addresses_, address) != more_addresses_.end();
    }

    HostSettings settings_;
    std::vector<Address> more_addresses_;
    std::unique_ptr<SeededRandom> random_;
    Endpoint endpoint_;
    Pipe uplink_;
    Application* application_ = nullptr;
    std::vector<Event> events_;
    std::vector<Datagram> arrived_;  // borrowed by the endpoint until settle()
    std::vector<std::uint8_t> slot_;
};

class Simulation {
public:
    static constexpr Instant kStart{std::chrono::seconds(1)};

    // The host lives as long as the simulation.
    Host& add_host(const HostSettings& settings);

    Instant now() const { return now_; }
    // Runs until `done()` is true, and returns whether it was before `limit` of virtual time
    // passed.
    bool run(const std::function<bool()>& done, Duration limit);
    // Lets time pass.
    void run_for(Duration duration);

    // Puts a datagram on the wire at the destination's side.
    void inject(Datagram datagram, Instant at);
    // What was addressed to nobody.
    std::uint64_t undeliverable() const { return undeliverable_; }
    // Something that must never happen in a simulation, such as time standing still.
    const std::string& failure() const { return failure_; }

private:
    struct Arrival {
        Instant at;
        std::uint64_t order;
        Datagram datagram;
    };
    static bool later(const Arrival& a, const Arrival& b) {
        return a.at != b.at ? a.at > b.at : a.order > b.order;
    }

    void drive(Host& host);
    bool exchange_with_application(Host& host);
    bool transmit(Host& host);
    void send(Host& host, const TransmitSlot& slot);
    void deliver_due();
    Host* find(const Address& address);
    Instant next_instant() const;
    bool time_moves(Instant next);

    std::vector<std::unique_ptr<Host>> hosts_;
    std::vector<Arrival> queue_;  // a heap, earliest first
    Instant now_ = kStart;
    std::uint64_t order_ = 0;
    std::uint64_t undeliverable_ = 0;
    std::uint64_t steps_at_this_instant_ = 0;
    std::string failure_;
};

}  // namespace stoq::sim
