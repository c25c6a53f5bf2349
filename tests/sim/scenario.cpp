#include "sim/scenario.h"

#include <cstdlib>
#include <sstream>

#include "congestion/controller.h"
#include "sim/first_ticket.h"
#include "support/test_credentials.h"

namespace stoq::sim {
namespace {

// What of a client's datagrams is replayed.
constexpr Duration kFirstMoments = std::chrono::milliseconds(50);

constexpr auto kKeyType = KeyType::kEd25519;  // its signatures always have the same length

std::shared_ptr<const Credentials> shared_client_credentials() {
    static const auto credentials =
        std::make_shared<const Credentials>(test::client_credentials(kKeyType));
    return credentials;
}

// Different generators for different purposes, from one seed.
std::uint64_t derived(std::uint64_t seed, std::uint64_t purpose) {
    return SeededRandom(seed * 1'000'003 + purpose).next();
}

double milliseconds(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

void print(std::ostream& out, const char* name, const LinkSettings& link) {
    out << "; " << name << ": delay " << milliseconds(link.delay) << " ms";
    if (link.jitter > Duration::zero()) out << ", jitter " << milliseconds(link.jitter) << " ms";
    if (link.bits_per_second > 0) {
        out << ", " << link.bits_per_second << " bit/s, queue " << link.queue_bytes;
        if (link.mark_above > 0) out << ", CE above " << link.mark_above;
    }
    if (link.loss > 0) out << ", loss " << link.loss;
    if (link.burst_enter > 0) out << ", bursts " << link.burst_enter << "/" << link.burst_leave;
    if (link.reorder > 0) {
        out << ", reorder " << link.reorder << " by " << milliseconds(link.reorder_by) << " ms";
    }
    if (link.duplication > 0) out << ", duplication " << link.duplication;
    if (link.corruption > 0) out << ", corruption " << link.corruption;
    if (link.mtu < 65'507) out << ", MTU " << link.mtu;
}

void print(std::ostream& out, const char* name, const Settings& settings) {
    out << "; " << name << ": windows " << settings.initial_stream_window << "/"
        << settings.initial_connection_window << ", streams " << settings.max_bidirectional_streams
        << "/" << settings.max_unidirectional_streams << ", "
        << congestion::make_controller(settings.congestion, {})->name()
        << (settings.pacing ? ", paced" : "") << (settings.ecn ? ", ecn" : "") << ", send buffer "
        << settings.initial_send_buffer_per_stream << ", datagrams "
        << settings.initial_datagram_size << "-" << settings.max_datagram_size;
}

}  // namespace

std::string to_string(const Scenario& scenario) {
    std::ostringstream out;
    out << "STOQ_SIM_SEED=" << scenario.seed;
    print(out, "up", scenario.up);
    print(out, "down", scenario.down);
    if (scenario.silence) {
        out << "; silence " << milliseconds(scenario.silence->from) << "-"
            << milliseconds(scenario.silence->until) << " ms";
    }
    for (const Rebinding& rebinding : scenario.rebindings) {
        out << "; " << (rebinding.address ? "address" : "port") << " changes after "
            << milliseconds(rebinding.after) << " ms";
    }
    for (const auto* actions : {&scenario.client_actions, &scenario.server_actions}) {
        for (const Action& action : *actions) {
            out << "; " << (actions == &scenario.client_actions ? "client" : "server")
                << (action.kind == Action::Kind::kUpdateKeys ? " updates keys" : " migrates")
                << " after " << milliseconds(action.after) << " ms";
        }
    }
    if (scenario.early) {
        out << "; 0-RTT" << (scenario.early->rejected ? " rejected" : "");
        if (const auto after = scenario.early->replayed_after) {
            out << " replayed after " << milliseconds(*after) << " ms";
        }
    }
    print(out, "client", scenario.client);
    print(out, "server", scenario.server);
    out << "; retry " << static_cast<int>(scenario.server_endpoint.retry) << ", slots of "
        << scenario.max_datagrams << ", receive interval "
        << milliseconds(scenario.receive_interval) << " ms; streams:";
    for (const StreamPlan& stream : scenario.plan.streams) {
        out << ' ' << (stream.initiator == Role::kClient ? 'c' : 's')
            << (stream.directionality == Directionality::kUnidirectional ? 'u' : 'b')
            << stream.request << '>' << stream.response;
        if (stream.reset_after) out << "(reset " << *stream.reset_after << ")";
        if (stream.promised) out << "(promised " << *stream.promised << ")";
        if (stream.stop_after) out << "(stop " << *stream.stop_after << ")";
    }
    return out.str();
}

Address client_address() {
    return host_address(1, 40'000);
}

Address server_address() {
    return host_address(2, 4433);
}

ClientConfig client_config(const Settings& settings) {
    ClientConfig config;
    config.remote = server_address();
    config.local = client_address();
    config.server_name = "localhost";
    config.credentials = shared_client_credentials();
    config.settings = settings;
    return config;
}

ServerConfig server_config(const Settings& settings) {
    static const Credentials credentials = test::server_credentials(kKeyType);
    return {credentials, settings};
}

Scenario plain_scenario(std::uint64_t seed, std::uint64_t bytes) {
    Scenario scenario;
    scenario.seed = seed;
    scenario.plan.seed = seed;
    scenario.plan.streams.push_back({.request = bytes, .response = bytes});
    return scenario;
}

// The bottleneck comes before whatever reorders: it expects datagrams in the order of time.
std::unique_ptr<Pipe> make_pipe(const LinkSettings& settings, std::uint64_t seed) {
    auto pipe = std::make_unique<Pipe>();
    pipe->add(std::make_unique<MtuLimit>(settings.mtu));
    if (settings.narrows) {
        pipe->add(std::make_unique<Narrowing>(Simulation::kStart + settings.narrows->first,
                                              settings.narrows->second));
    }
    if (settings.storm) {
        pipe->add(std::make_unique<CongestionStorm>(Simulation::kStart + settings.storm->first,
                                                    Simulation::kStart + settings.storm->second));
    }
    if (settings.bleaches) pipe->add(std::make_unique<Bleach>());
    if (settings.loss > 0) pipe->add(std::make_unique<Loss>(settings.loss, derived(seed, 1)));
    if (settings.burst_enter > 0) {
        pipe->add(std::make_unique<BurstLoss>(settings.burst_enter, settings.burst_leave,
                                              derived(seed, 2)));
    }
    if (settings.bits_per_second > 0) {
        pipe->add(std::make_unique<Bottleneck>(
            Bottleneck::Settings{.bits_per_second = settings.bits_per_second,
                                 .queue_bytes = settings.queue_bytes,
                                 .mark_above = settings.mark_above}));
    }
    if (settings.duplication > 0) {
        pipe->add(std::make_unique<Duplication>(settings.duplication, derived(seed, 3)));
    }
    if (settings.corruption > 0) {
        pipe->add(std::make_unique<Corruption>(settings.corruption, derived(seed, 4)));
    }
    pipe->add(std::make_unique<Delay>(Delay::Settings{.delay = settings.delay,
                                                      .jitter = settings.jitter,
                                                      .reorder = settings.reorder,
                                                      .reorder_by = settings.reorder_by},
                                      derived(seed, 5)));
    return pipe;
}

World::World(const Scenario& scenario)
    : scenario_(scenario),
      client_host_(simulation_.add_host({.address = client_address(),
                                         .endpoint = scenario.client_endpoint,
                                         .seed = derived(scenario.seed, 10),
                                         .max_datagrams = scenario.max_datagrams,
                                         .receive_interval = scenario.receive_interval})),
      server_host_(simulation_.add_host({.address = server_address(),
                                         .endpoint = scenario.server_endpoint,
                                         .seed = derived(scenario.seed, 11),
                                         .max_datagrams = scenario.max_datagrams,
                                         .receive_interval = scenario.receive_interval})),
      nat_(client_address(), client_address()),
      client_(client_host_.endpoint(), Role::kClient, scenario_.plan),
      server_(server_host_.endpoint(), Role::kServer, scenario_.plan),
      client_actor_(client_host_, client_, scenario_.client_actions),
      server_actor_(server_host_, server_, scenario_.server_actions) {
    start_qlog();
    client_host_.set_application(&client_actor_);
    server_host_.set_application(&server_actor_);
    if (!scenario.rebindings.empty()) client_host_.uplink().add(nat_.outward());
    client_host_.uplink().add(make_pipe(scenario.up, derived(scenario.seed, 12)));
    if (scenario.early && scenario.early->replayed_after) {
        client_host_.uplink().add(std::make_unique<Replay>(*scenario.early->replayed_after,
                                                           Simulation::kStart + kFirstMoments));
    }
    server_host_.uplink().add(make_pipe(scenario.down, derived(scenario.seed, 13)));
    if (!scenario.rebindings.empty()) server_host_.uplink().add(nat_.inward());
    if (!scenario.silence) return;
    const Instant from = Simulation::kStart + scenario.silence->from;
    const Instant until = Simulation::kStart + scenario.silence->until;
    client_host_.uplink().add_front(std::make_unique<Blackhole>(from, until));
    server_host_.uplink().add_front(std::make_unique<Blackhole>(from, until));
}

void Actor::on_event(const Event& event, Instant now) {
    if (std::holds_alternative<ConnectionEstablished>(event) && !begun_) begun_ = now;
    transfer_.on_event(event, now);
}

bool Actor::pump(Instant now) {
    const bool due = next_wake() <= now && transfer_.next_wake() > now;
    for (; done_ < actions_.size() && begun_ && *begun_ + actions_[done_].after <= now; ++done_) {
        act(actions_[done_]);
    }
    return transfer_.pump(now) || due;
}

Instant Actor::next_wake() const {
    const bool waits = begun_ && done_ < actions_.size();
    return std::min(transfer_.next_wake(), waits ? *begun_ + actions_[done_].after : kNever);
}

// What cannot be done at this time is not done: keys that are being updated already, for one.
void Actor::act(const Action& action) {
    if (action.kind == Action::Kind::kUpdateKeys) {
        (void)host_.endpoint().update_keys(transfer_.connection());
        return;
    }
    ++moves_;
    const Address to = host_address(static_cast<std::uint8_t>(200 + moves_), 50'000);
    host_.add_address(to);
    const auto mode = action.kind == Action::Kind::kMigrateAtOnce ? MigrationMode::kAtOnce
                                                                  : MigrationMode::kWhenValidated;
    (void)host_.endpoint().migrate(transfer_.connection(), to, mode);
}

void World::start_qlog() {
    const char* directory = std::getenv("STOQ_SIM_QLOG");
    if (directory == nullptr) return;
    qlog_ = std::make_unique<observe::QlogDirectory>(directory);
    client_host_.endpoint().set_event_sink(qlog_.get());
    server_host_.endpoint().set_event_sink(qlog_.get());
}

void World::start() {
    listen();
    ClientConfig config = client_config(scenario_.client);
    if (scenario_.early) resume(config);
    connect(config);
}

void World::resume(ClientConfig& config) {
    static const auto credentials = [] {
        Credentials early = *shared_client_credentials();
        early.early_data = true;
        return std::make_shared<const Credentials>(early);
    }();
    config.credentials = credentials;
    config.ticket = first_ticket(client_host_, server_host_, config);
    if (config.ticket.empty()) std::abort();
}

void World::start(const ClientConfig& config) {
    listen();
    connect(config);
}

void World::listen() {
    ServerConfig listening = server_config(scenario_.server);
    listening.credentials.early_data = scenario_.early.has_value();
    if (!server_host_.endpoint().listen(listening)) std::abort();
}

void World::connect(const ClientConfig& config) {
    client_connection_ = client_host_.endpoint().connect(config, simulation_.now()).value();
}

void World::schedule_rebindings() {
    std::uint16_t number = 0;
    for (const Rebinding& rebinding : scenario_.rebindings) {
        ++number;
        const auto host = static_cast<std::uint8_t>(rebinding.address ? 100 + number : 1);
        nat_.rebind(simulation_.now() + rebinding.after,
                    host_address(host, static_cast<std::uint16_t>(50'000 + number)));
    }
}

bool World::run_transfer() {
    const auto stop = [this] {
        return !failure().empty() || client_.closed().has_value() || server_.closed().has_value();
    };
    run([&] { return both_established() || stop(); });
    if (stop() || !both_established()) return false;
    schedule_rebindings();
    const auto complete = [this] { return client_.complete() && server_.complete(); };
    run([&] { return complete() || stop(); });
    return complete() && failure().empty();
}

bool World::run_close(std::uint64_t code, std::string_view reason) {
    if (!client_host_.endpoint().close(client_connection_, code, reason)) return false;
    return run([this] { return both_closed(); });
}

std::string World::failure() const {
    if (!simulation_.failure().empty()) return simulation_.failure();
    return client_.failure().empty() ? server_.failure() : client_.failure();
}

std::string World::describe() const {
    std::ostringstream out;
    const Duration since = simulation_.now() - Simulation::kStart;
    out << "at " << milliseconds(since) << " ms: " << failure() << "\n  " << client_.progress()
        << "\n  " << server_.progress();
    for (Host* host : {&client_host_, &server_host_}) {
        const EndpointStatistics counts = host->endpoint().statistics();
        out << "\n  endpoint: received " << counts.datagrams_received << ", sent "
            << counts.datagrams_sent << ", dropped " << counts.datagrams_dropped << ", connections "
            << counts.connections_now << ", next timeout "
            << (host->endpoint().next_timeout() == kNever
                    ? -1
                    : milliseconds(host->endpoint().next_timeout() - Simulation::kStart));
    }
    for (const auto& [host, side] :
         {std::pair{&client_host_, &client_}, std::pair{&server_host_, &server_}}) {
        const auto counts = host->endpoint().statistics(side->connection());
        if (!counts) continue;
        out << "\n  connection: rtt " << milliseconds(counts->smoothed_rtt) << " ms, window "
            << counts->congestion_window << ", in flight " << counts->bytes_in_flight
            << ", datagram " << counts->datagram_size << ", sent " << counts->packets_sent
            << ", received " << counts->packets_received << ", lost " << counts->packets_lost
            << ", dropped " << counts->packets_dropped << ", probes " << counts->probe_timeouts;
    }
    return out.str();
}

namespace {

// Whether it is the path's doing that the connection did not come to its end.
bool is_explained(const Scenario& scenario, const World& world, const Transfer& client) {
    if (!client.closed() || !world.failure().empty()) return false;
    const CloseKind kind = client.closed()->kind;
    const bool timed_out = kind == CloseKind::kHandshakeTimeout || kind == CloseKind::kIdleTimeout;
    // Datagrams of 1200 bytes do not fit.
    const bool too_narrow = scenario.up.mtu < 1200 || scenario.down.mtu < 1200;
    if (too_narrow) return timed_out;
    const bool cut = scenario.silence &&
                     scenario.silence->until - scenario.silence->from > std::chrono::minutes(10);
    return cut && timed_out;
}

bool ends_well(const CloseInfo& server) {
    switch (server.kind) {
        case CloseKind::kPeerApplication: return server.code == 42 && server.phrase == "done";
        // The client's last words were lost.
        case CloseKind::kIdleTimeout:
        case CloseKind::kStatelessReset: return true;
        default: return false;
    }
}

std::string check_end(const Scenario& scenario, World& world) {
    const Settings& client = scenario.client;
    if (!world.run_close(42, "done")) return "the end was not told to both sides";
    const CloseInfo& told = *world.client().closed();
    if (told.kind != CloseKind::kLocalApplication || told.code != 42) {
        return "the client was told " + to_string(told);
    }
    if (!ends_well(*world.server().closed())) {
        return "the server was told " + to_string(*world.server().closed());
    }
    world.simulation().run_for(3 * std::max(client.idle_timeout, scenario.server.idle_timeout));
    for (Host* host : {&world.client_host(), &world.server_host()}) {
        const EndpointStatistics counts = host->endpoint().statistics();
        if (counts.connections_now != 0) return "a connection was not forgotten";
        if (counts.half_open_now != 0) return "a half-open connection is still counted";
        if (counts.receive_budget_used != 0) return "receive budget is still in use";
    }
    return {};
}

}  // namespace

std::string check(const Scenario& scenario) {
    World world(scenario);
    world.start();
    std::string wrong;
    if (!world.run_transfer()) {
        if (world.failure().empty()) world.run([&] { return world.both_closed(); });
        if (is_explained(scenario, world, world.client())) return {};
        wrong = "the transfer was not completed";
    } else {
        wrong = check_end(scenario, world);
    }
    if (wrong.empty()) return {};
    return wrong + "\n  " + to_string(scenario) + "\n  " + world.describe();
}

std::size_t wanted_runs(std::size_t usual) {
    const char* text = std::getenv("STOQ_SIM_RUNS");
    return text == nullptr ? usual : std::strtoull(text, nullptr, 10);
}

std::optional<std::uint64_t> wanted_seed() {
    const char* text = std::getenv("STOQ_SIM_SEED");
    if (text == nullptr) return std::nullopt;
    return std::strtoull(text, nullptr, 10);
}

}  // namespace stoq::sim
