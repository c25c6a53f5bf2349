// What is behind stoq::WorkerGroup: the workers' inboxes, and the ports' programs.
#pragma once

#include <deque>
#include <mutex>
#include <vector>

#include "io/udp/port_selector.h"
#include "runtime/takeover.h"
#include "runtime/worker_inbox.h"
#include "stoq/endpoint.h"
#include "stoq/workers.h"

namespace stoq {

class WorkerGroup::Implementation {
public:
    // `predecessor`: whose port will be taken.
    Implementation(const WorkerGroupSettings& settings,
                   std::optional<runtime::Predecessor> predecessor);

    // What the endpoint of worker `index` needs; nothing when there is no such worker.
    std::optional<WorkerSettings> worker(std::uint8_t index) const;
    const PersistentKey& persistent_key() const { return settings_.persistent_key; }
    const std::shared_ptr<tls::StrikeRegister>& strikes() const { return strikes_; }

    // A socket that worker `index` listens on, and how long connection IDs are.
    void add_socket(std::uint8_t index, const Address& address, int socket, std::size_t id_length);
    runtime::WorkerInbox& inbox(std::uint8_t index) { return inboxes_[index]; }
    void hand_over(std::span<const ForeignDatagram> datagrams);

    void set_taken_handler(std::function<void(bool)> handler);
    RuntimeResult<void> take_over();

    WorkerGroupReport report() const;

private:
    runtime::SharedPort& port_of(const Address& address, int socket, std::size_t id_length);
    StoqSelection selection(std::size_t id_length) const;
    std::optional<io::PortSelector> inherit(const Address& address, std::size_t id_length);
    std::optional<io::PortSelector> load(int socket, std::size_t id_length);
    bool select_own_workers();
    void note_refusal(std::error_code error);

    WorkerGroupSettings settings_;
    std::uint8_t first_ = 0;
    std::shared_ptr<tls::StrikeRegister> strikes_;
    std::deque<runtime::WorkerInbox> inboxes_;
    std::atomic<std::uint64_t> handed_over_ = 0;
    std::atomic<std::uint64_t> drops_ = 0;
    std::atomic<std::uint64_t> takeover_delays_ = 0;
    std::mutex taken_mutex_;
    std::function<void(bool)> taken_;
    mutable std::mutex mutex_;  // of what follows
    std::optional<runtime::Predecessor> predecessor_;
    std::vector<runtime::SharedPort> ports_;
    std::string hint_;
    // Last: its thread uses the others.
    std::unique_ptr<runtime::SuccessorWatch> watch_;
};

}  // namespace stoq
