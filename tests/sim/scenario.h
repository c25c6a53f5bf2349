// A whole simulated exchange as one value that can be printed, repeated, and drawn from a seed.
#pragma once

#include <optional>
#include <string>

#include "observe/qlog_directory.h"
#include "sim/elements.h"
#include "sim/transfer.h"

namespace stoq::sim {

// One direction of the path between client and server.
struct LinkSettings {
    Duration delay = std::chrono::milliseconds(10);
    Duration jitter{};
    double reorder = 0;
    Duration reorder_by = std::chrono::milliseconds(5);
    std::uint64_t bits_per_second = 0;  // 0: no bottleneck
    std::uint64_t queue_bytes = 0;
    std::uint64_t mark_above = 0;  // 0: no ECN marks
    double loss = 0;
    double burst_enter = 0;
    double burst_leave = 1;
    double duplication = 0;
    double corruption = 0;
    std::size_t mtu = 65'507;
    // Times are counted from the start.
    std::optional<std::pair<Duration, std::size_t>> narrows{};  // when, and to what
    bool bleaches = false;                                      // clears ECN fields
    std::optional<std::pair<Duration, Duration>> storm{};       // marks everything, from, until
};

// Nothing passes in either direction; times are counted from the start.
struct Silence {
    Duration from{};
    Duration until{};
};

// The client's address outside changes this long after the handshake.
struct Rebinding {
    Duration after{};
    bool address = false;  // and not only the port
};

// One of the two does something with the connection, this long after its handshake.
struct Action {
    enum class Kind : std::uint8_t { kUpdateKeys, kMigrate, kMigrateAtOnce };
    Duration after{};
    Kind kind = Kind::kUpdateKeys;
};

// The client resumes an earlier connection, and begins its transfer in 0-RTT packets.
struct EarlyStart {
    bool rejected = false;  // by a server that cannot remember it
    // Every datagram of the client's first moments comes again, so much later.
    std::optional<Duration> replayed_after{};
};

struct Scenario {
    std::uint64_t seed = 1;
    LinkSettings up;    // client to server
    LinkSettings down;  // server to client
    std::optional<Silence> silence;
    std::vector<Rebinding> rebindings;
    std::optional<EarlyStart> early;
    // In the order of time.
    std::vector<Action> client_actions;
    std::vector<Action> server_actions;
    Settings client;
    Settings server;
    EndpointSettings client_endpoint;
    EndpointSettings server_endpoint;
    TransferPlan plan;
    std::size_t max_datagrams = 16;
    Duration receive_interval{};
    Duration limit = std::chrono::hours(6);
};

// Everything that matters, in one line, with the way to repeat it.
std::string to_string(const Scenario& scenario);

// A scenario with nothing special about it: a good path, one stream of `bytes` each way.
Scenario plain_scenario(std::uint64_t seed, std::uint64_t bytes);
// Anything.
Scenario random_scenario(std::uint64_t seed);

std::unique_ptr<Pipe> make_pipe(const LinkSettings& settings, std::uint64_t seed);

Address client_address();
Address server_address();
ClientConfig client_config(const Settings& settings);
ServerConfig server_config(const Settings& settings);

// The application of one side, and what its scenario has it do besides.
class Actor final : public Application {
public:
    Actor(Host& host, Transfer& transfer, const std::vector<Action>& actions)
        : host_(host), transfer_(transfer), actions_(actions) {}

    void on_event(const Event& event, Instant now) override;
    bool pump(Instant now) override;
    Instant next_wake() const override;

private:
    void act(const Action& action);

    Host& host_;
    Transfer& transfer_;
    const std::vector<Action>& actions_;
    std::optional<Instant> begun_;
    std::size_t done_ = 0;
    std::uint16_t moves_ = 0;
};

// A client and a server at both ends of a path, with an application on each.
class World {
public:
    explicit World(const Scenario& scenario);

    // Connects the client.
    void start();
    void start(const ClientConfig& config);
    // Runs until both sides have done their part of the plan.
    bool run_transfer();
    // The client closes; runs until both sides are told that it is over.
    bool run_close(std::uint64_t code, std::string_view reason);
    bool run(const std::function<bool()>& done) { return simulation_.run(done, scenario_.limit); }
    bool both_established() const { return client_.established() && server_.established(); }
    bool both_closed() const { return client_.closed() && server_.closed(); }

    Simulation& simulation() { return simulation_; }
    Host& client_host() { return client_host_; }
    Host& server_host() { return server_host_; }
    Transfer& client() { return client_; }
    Transfer& server() { return server_; }
    Nat& nat() { return nat_; }
    ConnectionHandle client_connection() const { return client_connection_; }
    // The first thing that went wrong anywhere; empty when nothing did.
    std::string failure() const;
    // Where everything stands, for messages.
    std::string describe() const;

private:
    void listen();
    void connect(const ClientConfig& config);
    void resume(ClientConfig& config);
    void schedule_rebindings();
    void start_qlog();

    Scenario scenario_;
    std::unique_ptr<observe::QlogDirectory> qlog_;  // where STOQ_SIM_QLOG says
    Simulation simulation_;
    Host& client_host_;
    Host& server_host_;
    Nat nat_;
    Transfer client_;
    Transfer server_;
    Actor client_actor_;
    Actor server_actor_;
    ConnectionHandle client_connection_;
};

// Runs the whole: handshake, transfer, close. Empty when all went well, or when the connection
// ended as the scenario explains; otherwise what is wrong.
std::string check(const Scenario& scenario);

// STOQ_SIM_RUNS: how many runs instead of `usual`.
std::size_t wanted_runs(std::size_t usual);
// STOQ_SIM_SEED: the only seed to run.
std::optional<std::uint64_t> wanted_seed();

}  // namespace stoq::sim
