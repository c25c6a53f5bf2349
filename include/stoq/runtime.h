// Runtime: an Endpoint, its UDP sockets, a clock and the loop that joins them.
//
// The second of three floors: endpoint.h is below, async.h above. A server:
//
//     auto runtime = stoq::Runtime::create();
//     (*runtime)->set_event_handler([&](const stoq::Event& event) { ... });
//     auto address = (*runtime)->listen({.address = "[::]:4433", .credentials = credentials});
//     (*runtime)->run();
//
// A client calls connect() instead of, or besides, listen(). The event handler reads, writes, opens
// and closes through endpoint(); what it leaves to send goes out in the same turn.
//
// Threads: a runtime belongs to the thread that runs it; only post() and stop() may be called from
// elsewhere. Runtimes share nothing but what stoq/workers.h hands from one to the other, so a
// server may run one per core on one port.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "stoq/endpoint.h"
#include "stoq/error.h"
#include "stoq/event.h"
#include "stoq/identity.h"
#include "stoq/path_memory.h"
#include "stoq/settings.h"
#include "stoq/types.h"

namespace stoq {

class WorkerGroup;

// What the system or the endpoint refused, and what was attempted.
struct RuntimeError {
    std::error_code system{};       // set when a system call failed
    std::optional<ApiError> api{};  // set when the endpoint refused
    std::string text{};             // what was attempted: "cannot bind [::]:4433"

    // One line for people: "cannot bind [::]:4433: Address already in use".
    std::string message() const;
};

template <typename T>
using RuntimeResult = Result<T, RuntimeError>;

// The addresses of `host`, a name or an address literal, in the system's order of preference, all
// with `port`. Waits for the resolver; call it before run(), or from another thread.
// @error whatever the resolver says, in a category of its own, or a system error.
SystemResult<std::vector<Address>> resolve(const std::string& host, std::uint16_t port);

// "example.org:443", "192.0.2.1:443" or "[2001:db8::1]:443" in two.
struct HostAndPort {
    std::string host;  // without brackets
    std::uint16_t port = 0;
};
// Nothing when the port is missing or no number. With `default_port`, it may be missing.
std::optional<HostAndPort> split_host_and_port(std::string_view text,
                                               std::optional<std::uint16_t> default_port = {});

struct RuntimeSettings {
    EndpointSettings endpoint{};
    // Socket buffers to ask the system for, in bytes. It may grant less (see datapath_report()).
    std::size_t receive_buffer = std::size_t{8} << 20;
    std::size_t send_buffer = std::size_t{4} << 20;
    // Trains of datagrams per system call (UDP_SEGMENT, UDP_GRO), where the system has them.
    bool segmentation_offload = true;
    bool receive_coalescing = true;
    // Several runtimes, one per thread, that listen on one port (stoq/workers.h), and which of them
    // this is, from 0. Its persistent_key is that of all their endpoints.
    std::shared_ptr<WorkerGroup> group{};
    std::uint8_t worker = 0;
    // Where connect() sends from. Empty: any address, IPv6 and IPv4, and a port that the system
    // chooses; and the listening socket if there is one.
    Address client_address{};
    // A directory, which must exist, that gets a qlog file per connection. Empty: no qlog.
    std::string qlog_directory{};
    // Of the loop's time, what new handshakes get while data flows, above 0; the rest of them
    // waits. 1: they are served as they come, and a flood of them slows connections down.
    double handshake_share = 0.15;
    // Looks for work this long before it sleeps, where work has lately come as soon: shorter
    // latency, paid for with processor time.
    Duration spin = Duration::zero();
};

// Where and as whom to accept connections.
struct ListenConfig {
    // "host:port"; "[::]:4433" serves IPv6 and IPv4. Port 0: the system chooses.
    std::string address = "[::]:4433";
    Credentials credentials{};
    Settings settings{};
};

// Where and how to connect.
struct ConnectConfig {
    // "host:port", resolved here, of which the first address is used. Not looked at when `remote`
    // is set.
    std::string address{};
    Address remote{};
    // The name that the certificate must carry. Empty: the host of `address`.
    std::string server_name{};
    // Share one between connections: what TLS needs is then made ready once.
    std::shared_ptr<const Credentials> credentials{};
    Settings settings{};
    // An address token of an earlier connection (Endpoint::address_token), or empty.
    std::string token{};
    // A ticket of an earlier connection (ClientConfig::ticket), or empty.
    std::vector<std::uint8_t> ticket{};
    // What an earlier connection learned of the path (ClientConfig::path_memory).
    std::optional<PathMemory> path_memory{};
};

// What the sockets are granted and have done, all together.
struct DatapathReport {
    bool segmentation_offload = false;
    bool receive_coalescing = false;
    bool ecn = false;
    std::size_t receive_buffer = 0;  // bytes granted, of the smallest
    std::size_t send_buffer = 0;
    // What to do about buffers that are smaller than asked for: one line, else empty.
    std::string buffer_hint{};
    std::uint64_t received_datagrams = 0;
    std::uint64_t received_bytes = 0;
    std::uint64_t receive_calls = 0;
    std::uint64_t sent_datagrams = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t send_calls = 0;
    std::uint64_t send_errors = 0;
    std::uint64_t receive_buffer_drops = 0;  // the reader was too slow
};

class Runtime {
public:
    // Called for every event, inside of run() and run_once(). It may call everything but these two
    // and set_event_handler().
    using EventHandler = std::move_only_function<void(const Event& event)>;
    using Task = std::move_only_function<void()>;
    // Names a timer; 0 names none.
    using TimerId = std::uint64_t;

    static RuntimeResult<std::unique_ptr<Runtime>> create(const RuntimeSettings& settings = {});
    // Connections that are open are dropped in silence: close_all() and drain() first.
    ~Runtime();
    Runtime(const Runtime&) = delete;
    Runtime& operator=(const Runtime&) = delete;

    void set_event_handler(EventHandler handler);

    // Binds a socket and accepts connections; returns the address it got, with the port. May be
    // called for several addresses; the configuration given last is that of all new connections.
    RuntimeResult<Address> listen(const ListenConfig& config);
    // Endpoint::replace_credentials: new connections see another identity, trust or policy; those
    // that exist go on.
    RuntimeResult<void> replace_credentials(const Credentials& credentials);
    // Starts a handshake; ConnectionEstablished or ConnectionClosed follows. Binds a socket when
    // there is none yet that reaches the address.
    RuntimeResult<ConnectionHandle> connect(const ConnectConfig& config);

    // Client: moves a connection to another local address, of which it binds a socket (port 0: any
    // port). See Endpoint::migrate().
    // @error what that says, or the system about the socket.
    RuntimeResult<void> migrate(ConnectionHandle connection, const Address& local,
                                MigrationMode mode = MigrationMode::kWhenValidated);

    // For everything about connections and streams: open_stream, write, peek, consume, close, info
    // ... Calls made outside of the handler take effect with the next turn. Leave receive(),
    // settle(), transmit(), on_timeout(), poll_event() and set_event_sink() to the runtime.
    Endpoint& endpoint();
    const Endpoint& endpoint() const;
    Instant now() const;

    // --- The loop ---

    // Turns until stop().
    void run();
    // One turn: receives a batch, handles events, timers and posted tasks, and sends. When there
    // was nothing of all that, sleeps until there is, for `max_wait` at most (zero: does not sleep;
    // Duration::max(): for ever), and returns. Work per turn is bounded.
    // Returns true when there was work: then turn again before sleeping elsewhere.
    bool run_once(Duration max_wait);
    // Ends the present run(), or the next one if none is in progress. From any thread, or from a
    // signal handler.
    void stop();
    // Runs `task` in the loop. From any thread.
    void post(Task task);
    // Runs `task` once, in the loop, when `delay` is over.
    TimerId after(Duration delay, Task task);
    // Forgets a timer that has not run yet.
    void cancel(TimerId timer);

    // Closes every connection with an application error code.
    void close_all(std::uint64_t code, std::string_view reason = {});
    // Turns until no connection is open and what had to be sent is sent, for `limit` at most.
    // True when that was reached.
    bool drain(Duration limit);

    // --- Under somebody else's loop ---

    // A descriptor that becomes readable when run_once() has something to do, except for timers.
    // Watch it, level-triggered, for reading; after it was ready, when next_timeout() has come and
    // after calls to this or to endpoint() outside of a turn, call run_once(Duration::zero()) until
    // it returns false. -1 when the system has no descriptor or watch left.
    int native_handle();
    // When run_once() wants to be called at the latest; kNever when nothing waits for time.
    Instant next_timeout() const;

    DatapathReport datapath_report() const;

private:
    class Implementation;
    explicit Runtime(std::unique_ptr<Implementation> implementation);

    std::unique_ptr<Implementation> implementation_;
};

}  // namespace stoq
