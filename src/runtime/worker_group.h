// What is behind stoq::WorkerGroup: the workers' inboxes, and the ports' programs.
#pragma once

#include <deque>
#include <mutex>
#include <vector>

#include "io/udp/port_selector.h"
#include "runtime/worker_inbox.h"
#include "stoq/endpoint.h"
#include "stoq/workers.h"

namespace stoq {

class WorkerGroup::Implementation {
public:
    explicit Implementation(const WorkerGroupSettings& settings);

    // What the endpoint of worker `index` needs; nothing when there is no such worker.
    std::optional<WorkerSettings> worker(std::uint8_t index) const;
    const std::array<std::uint8_t, 32>& persistent_key() const { return settings_.persistent_key; }

    // A socket that worker `index` listens on, and how long connection IDs are.
    void add_socket(std::uint8_t index, const Address& address, int socket, std::size_t id_length);
    runtime::WorkerInbox& inbox(std::uint8_t index) { return inboxes_[index]; }
    void hand_over(std::span<const ForeignDatagram> datagrams);

    WorkerGroupReport report() const;

private:
    // A port, and the program that serves it; none when it was refused.
    struct Port {
        Address address;
        std::optional<io::PortSelector> selector;
    };

    Port& port_of(const Address& address, int socket, std::size_t id_length);
    void note_refusal(std::error_code error);

    WorkerGroupSettings settings_;
    std::uint8_t first_ = 0;
    std::deque<runtime::WorkerInbox> inboxes_;
    mutable std::mutex mutex_;  // of what follows
    std::vector<Port> ports_;
    std::string hint_;
    std::atomic<std::uint64_t> handed_over_ = 0;
    std::atomic<std::uint64_t> drops_ = 0;
};

}  // namespace stoq
