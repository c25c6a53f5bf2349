// WorkerGroup: several runtimes, one per thread, that serve one port together.
//
//     auto group = stoq::WorkerGroup::create({.count = 4});
//     // in each of four threads:
//     stoq::RuntimeSettings settings;
//     settings.group = *group;
//     settings.worker = i;                       // 0 to 3, each once
//     auto runtime = stoq::Runtime::create(settings);
//     (*runtime)->listen({.address = "[::]:4433", .credentials = credentials});
//     (*runtime)->run();
//
// The kernel spreads new connections over the workers. From then on a connection's IDs name its
// worker, so that it stays there when the client's address changes: a program in the kernel chooses
// the socket by them (bpf/). Where no program may be loaded, the kernel goes by the addresses, and
// a worker hands what is not for it over to the right one, which costs a copy.
//
// A new process can take the port from a running one (takeover_path): it makes a group of its own,
// listens, and calls take_over().
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "stoq/runtime.h"

namespace stoq {

struct WorkerGroupSettings {
    std::uint8_t count = 1;  // 1 to kMaxWorkers
    // Of all endpoints of the group (EndpointSettings::persistent_key). All zero: a random one.
    PersistentKey persistent_key{};
    // Of all endpoints of the group together (EndpointSettings::early_data_register). One whose own
    // is 0 takes no 0-RTT data.
    std::size_t early_data_register = 32'768;
    // False: no program in the kernel, even where one may be loaded.
    bool kernel_selection = true;
    // The name of a Unix socket, by which a new process takes the port from this one, and by which
    // this one takes it from an old one that is there (take_over()). It belongs into a directory
    // that only this user may write to. Empty: neither.
    std::string takeover_path{};
};

struct WorkerGroupReport {
    // The kernel chooses by connection IDs, on all ports that the group listens on.
    bool kernel_selection = false;
    // Why not, and what to do about it: one line, else empty.
    std::string hint{};
    // Datagrams that went from worker to worker, and those that found a full inbox and are lost.
    std::uint64_t handed_over = 0;
    std::uint64_t hand_over_drops = 0;
    // Times that a process which came to take the port had to wait, because there was no file
    // descriptor for it. Tried again every 50 ms.
    std::uint64_t takeover_delays = 0;
};

// Outlives no runtime that belongs to it: they share it. Its functions may be called from any
// thread.
class WorkerGroup {
public:
    static constexpr std::uint8_t kMaxWorkers = 128;

    // With a takeover_path where an old process answers, its persistent_key is used.
    // @error kInvalidArgument (count, or another persistent_key than the old process'), or what the
    //        system says.
    static RuntimeResult<std::shared_ptr<WorkerGroup>> create(const WorkerGroupSettings& settings);
    ~WorkerGroup();
    WorkerGroup(const WorkerGroup&) = delete;
    WorkerGroup& operator=(const WorkerGroup&) = delete;

    // Called once, in a thread of the group, when another process has taken the port: no new
    // connection comes any more. `may_finish`: those that there are can go on (end the process when
    // they have ended); otherwise their datagrams would go to the new process, so end now, without
    // a word, and it resets them as soon as they send. Set it before take_over(); an empty one
    // waits for one that is being called.
    void set_taken_handler(std::function<void(bool may_finish)> handler);
    // Call it when all workers listen, if there is a takeover_path: new connections come here from
    // now on, and an old process is told so; a later one may take the port in turn.
    RuntimeResult<void> take_over();

    WorkerGroupReport report() const;

private:
    friend class Runtime;
    class Implementation;
    explicit WorkerGroup(std::unique_ptr<Implementation> implementation);

    std::unique_ptr<Implementation> implementation_;
};

}  // namespace stoq
