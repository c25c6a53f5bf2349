// What is behind stoq::Runtime.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "io/system_random.h"
#include "observe/qlog_directory.h"
#include "runtime/handshake_share.h"
#include "runtime/sockets.h"
#include "runtime/spinning.h"
#include "runtime/timers.h"
#include "runtime/worker_inbox.h"
#include "stoq/runtime.h"

namespace stoq {

class Runtime::Implementation {
public:
    static RuntimeResult<std::unique_ptr<Implementation>> create(const RuntimeSettings& settings);
    Implementation(const RuntimeSettings& settings, io::Waker waker);
    ~Implementation();

    RuntimeResult<Address> listen(const ListenConfig& config);
    RuntimeResult<void> replace_credentials(const Credentials& credentials);
    RuntimeResult<ConnectionHandle> connect(const ConnectConfig& config);
    RuntimeResult<void> migrate(ConnectionHandle connection, const Address& local,
                                MigrationMode mode);
    DatapathReport datapath_report() const;

    // loop.cpp
    void run();
    bool run_once(Duration max_wait);
    bool drain(Duration limit);
    void stop();
    void post(Task task);
    Instant next_timeout() const;

    Endpoint& endpoint() { return *endpoint_; }
    runtime::Sockets& sockets() { return sockets_; }
    runtime::Timers& timers() { return timers_; }
    void set_event_handler(EventHandler handler) { handler_ = std::move(handler); }

private:
    // A connection whose end has not been told yet.
    struct OpenConnection {
        ConnectionHandle handle{};
        bool open = false;
        bool connecting = false;  // by connect(), and not established
    };

    bool join_group();
    io::UdpSettings udp_settings(const Address& local) const;
    io::UdpSettings listening(const Address& local) const;
    SystemResult<Address> bind(const std::vector<Address>& candidates);

    // Each returns whether there was something to do.
    bool receive();
    bool receive_from_workers();
    void hand_over();
    bool admit_handshakes();
    bool run_timers(bool of_endpoint);
    bool run_posted();
    bool dispatch_events();
    bool transmit();
    bool report_unreachable();
    bool sleep(Duration max_wait);

    bool settle();

    OpenConnection& tracked(ConnectionHandle handle);
    void track(const Event& event);
    void track_open(ConnectionHandle handle, bool connecting);
    void track_closed(ConnectionHandle handle);

    RuntimeSettings settings_;
    io::SystemRandom random_;
    // Before the endpoint, whose last events it takes.
    std::unique_ptr<observe::QlogDirectory> qlog_;
    std::optional<Endpoint> endpoint_;  // engaged from create() on
    runtime::Sockets sockets_;
    runtime::Timers timers_;
    runtime::HandshakeShare handshakes_;
    std::uint64_t data_bytes_ = 0;  // that handshakes_ knows of
    runtime::Spinning spinning_;
    runtime::WorkerInbox* inbox_ = nullptr;  // the group's, as this worker of it
    EventHandler handler_;
    std::vector<OpenConnection> open_;  // by the handle's index
    bool events_left_ = false;          // for the next turn, which receives no more before
    bool sent_ = false;                 // something, in the last turn
    std::size_t open_count_ = 0;
    std::size_t connecting_count_ = 0;
    std::atomic<bool> stop_ = false;
    std::atomic<bool> posted_any_ = false;
    std::mutex posted_mutex_;
    std::vector<Task> posted_;
};

}  // namespace stoq
