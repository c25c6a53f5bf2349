#include "runtime/worker_group.h"

#include <algorithm>

#include "io/system_random.h"
#include "path/worker_ids.h"

namespace stoq {

RuntimeResult<std::shared_ptr<WorkerGroup>> WorkerGroup::create(
    const WorkerGroupSettings& settings) {
    if (settings.count == 0 || settings.count > kMaxWorkers) {
        return std::unexpected(RuntimeError{.api = ApiError::kInvalidArgument,
                                            .text = "cannot make a group of so many workers"});
    }
    return std::shared_ptr<WorkerGroup>(
        new WorkerGroup(std::make_unique<Implementation>(settings)));
}

WorkerGroup::WorkerGroup(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
WorkerGroup::~WorkerGroup() = default;

WorkerGroupReport WorkerGroup::report() const {
    return implementation_->report();
}

WorkerGroup::Implementation::Implementation(const WorkerGroupSettings& settings)
    : settings_(settings), inboxes_(settings.count) {
    auto& key = settings_.persistent_key;
    if (std::ranges::any_of(key, [](std::uint8_t byte) { return byte != 0; })) return;
    io::SystemRandom().fill(key);
}

std::optional<WorkerSettings> WorkerGroup::Implementation::worker(std::uint8_t index) const {
    if (index >= settings_.count) return std::nullopt;
    return WorkerSettings{.number = static_cast<std::uint8_t>(first_ + index),
                          .first = first_,
                          .count = settings_.count};
}

void WorkerGroup::Implementation::add_socket(std::uint8_t index, const Address& address, int socket,
                                             std::size_t id_length) {
    const std::lock_guard lock(mutex_);
    if (!settings_.kernel_selection) return;
    Port& port = port_of(address, socket, id_length);
    if (!port.selector) return;
    const auto added = port.selector->add(static_cast<std::uint8_t>(first_ + index), socket);
    if (added) return;
    note_refusal(added.error());
    port.selector.reset();
}

WorkerGroup::Implementation::Port& WorkerGroup::Implementation::port_of(const Address& address,
                                                                        int socket,
                                                                        std::size_t id_length) {
    const auto known = std::ranges::find(ports_, address, &Port::address);
    if (known != ports_.end()) return *known;
    Port& port = ports_.emplace_back(Port{address, std::nullopt});
    auto made = io::PortSelector::create({.key = path::worker_key(settings_.persistent_key),
                                          .id_length = static_cast<std::uint32_t>(id_length),
                                          .first = first_,
                                          .count = settings_.count});
    if (!made) {
        note_refusal(made.error());
    } else if (const auto attached = made->attach(socket); !attached) {
        note_refusal(attached.error());
    } else {
        port.selector = std::move(*made);
    }
    return port;
}

void WorkerGroup::Implementation::note_refusal(std::error_code error) {
    hint_ = "the kernel does not choose workers by connection ID (" + error.message() + "): ";
    hint_ += error == std::errc::function_not_supported
                 ? "build with libbpf, clang and bpftool (`make setup`)"
                 : "it needs root, or the capabilities CAP_BPF and CAP_NET_ADMIN";
}

void WorkerGroup::Implementation::hand_over(std::span<const ForeignDatagram> datagrams) {
    std::uint64_t dropped = 0;
    for (const ForeignDatagram& foreign : datagrams) {
        const auto index = static_cast<std::uint8_t>(foreign.worker - first_);
        dropped += inboxes_[index].push(foreign.datagram) ? 0 : 1;
    }
    handed_over_.fetch_add(datagrams.size() - dropped, std::memory_order_relaxed);
    drops_.fetch_add(dropped, std::memory_order_relaxed);
}

WorkerGroupReport WorkerGroup::Implementation::report() const {
    const std::lock_guard lock(mutex_);
    WorkerGroupReport report;
    report.kernel_selection = !ports_.empty() && std::ranges::all_of(ports_, [](const Port& port) {
        return port.selector.has_value();
    });
    report.hint = hint_;
    report.handed_over = handed_over_.load(std::memory_order_relaxed);
    report.hand_over_drops = drops_.load(std::memory_order_relaxed);
    return report;
}

}  // namespace stoq
