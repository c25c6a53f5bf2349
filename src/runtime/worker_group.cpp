#include "runtime/worker_group.h"

#include <algorithm>
#include <utility>

#include "io/system_random.h"
#include "path/worker_ids.h"
#include "tls/strike_register.h"

namespace stoq {

namespace {

std::unexpected<RuntimeError> refusal(std::string text) {
    return std::unexpected(
        RuntimeError{.api = ApiError::kInvalidArgument, .text = std::move(text)});
}

std::unexpected<RuntimeError> failure(std::error_code error, std::string text) {
    return std::unexpected(RuntimeError{.system = error, .text = std::move(text)});
}

}  // namespace

RuntimeResult<std::shared_ptr<WorkerGroup>> WorkerGroup::create(
    const WorkerGroupSettings& settings) {
    if (settings.count == 0 || settings.count > kMaxWorkers) {
        return refusal("cannot make a group of so many workers");
    }
    std::optional<runtime::Predecessor> predecessor;
    if (!settings.takeover_path.empty()) {
        auto found = runtime::Predecessor::find(settings.takeover_path);
        if (!found) return failure(found.error(), "cannot ask " + settings.takeover_path);
        predecessor = std::move(*found);
    }
    if (predecessor && settings.persistent_key.is_set() &&
        predecessor->offer().persistent_key != settings.persistent_key) {
        return refusal("the process that has the port has another persistent key");
    }
    return std::shared_ptr<WorkerGroup>(
        new WorkerGroup(std::make_unique<Implementation>(settings, std::move(predecessor))));
}

WorkerGroup::WorkerGroup(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
WorkerGroup::~WorkerGroup() = default;

WorkerGroupReport WorkerGroup::report() const {
    return implementation_->report();
}

void WorkerGroup::set_taken_handler(std::function<void(bool may_finish)> handler) {
    implementation_->set_taken_handler(std::move(handler));
}

RuntimeResult<void> WorkerGroup::take_over() {
    return implementation_->take_over();
}

WorkerGroup::Implementation::Implementation(const WorkerGroupSettings& settings,
                                            std::optional<runtime::Predecessor> predecessor)
    : settings_(settings), inboxes_(settings.count), predecessor_(std::move(predecessor)) {
    io::SystemRandom random;
    strikes_ = std::make_shared<tls::StrikeRegister>(settings.early_data_register, random);
    if (predecessor_) {
        const runtime::Offer& offer = predecessor_->offer();
        settings_.persistent_key = offer.persistent_key;
        // The half of the numbers that the predecessor does not use.
        first_ = offer.first < kMaxWorkers ? kMaxWorkers : 0;
    } else if (!settings_.persistent_key.is_set()) {
        random.fill(settings_.persistent_key);
    }
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
    runtime::SharedPort& port = port_of(address, socket, id_length);
    if (!port.selector) return;
    const auto added = port.selector->add(static_cast<std::uint8_t>(first_ + index), socket);
    if (added) return;
    note_refusal(added.error());
    port.selector.reset();
}

runtime::SharedPort& WorkerGroup::Implementation::port_of(const Address& address, int socket,
                                                          std::size_t id_length) {
    const auto known = std::ranges::find(ports_, address, &runtime::SharedPort::address);
    if (known != ports_.end()) return *known;
    runtime::SharedPort& port = ports_.emplace_back(runtime::SharedPort{address, std::nullopt});
    if (!settings_.kernel_selection) return port;
    port.selector = inherit(address, id_length);
    if (!port.selector) port.selector = load(socket, id_length);
    return port;
}

StoqSelection WorkerGroup::Implementation::selection(std::size_t id_length) const {
    return {.key = path::worker_key(settings_.persistent_key),
            .id_length = static_cast<std::uint32_t>(id_length),
            .first = first_,
            .count = settings_.count};
}

// The predecessor's program, which our sockets came under when they were bound. One that looks for
// connection IDs of another length cannot serve both.
std::optional<io::PortSelector> WorkerGroup::Implementation::inherit(const Address& address,
                                                                     std::size_t id_length) {
    if (!predecessor_) return std::nullopt;
    auto& ports = predecessor_->offer().ports;
    const auto port = std::ranges::find(ports, address, &runtime::SharedPort::address);
    if (port == ports.end() || !port->selector) return std::nullopt;
    const auto present = port->selector->selection();
    if (!present || present->id_length != id_length) return std::nullopt;
    return std::exchange(port->selector, std::nullopt);
}

std::optional<io::PortSelector> WorkerGroup::Implementation::load(int socket,
                                                                  std::size_t id_length) {
    auto made = io::PortSelector::create(selection(id_length));
    if (!made) {
        note_refusal(made.error());
        return std::nullopt;
    }
    if (const auto attached = made->attach(socket); !attached) {
        note_refusal(attached.error());
        return std::nullopt;
    }
    return std::move(*made);
}

void WorkerGroup::Implementation::set_taken_handler(std::function<void(bool)> handler) {
    const std::lock_guard lock(taken_mutex_);
    taken_ = std::move(handler);
}

RuntimeResult<void> WorkerGroup::Implementation::take_over() {
    const std::lock_guard lock(mutex_);
    if (settings_.takeover_path.empty()) return refusal("there is no takeover_path");
    if (predecessor_) {
        const auto told = predecessor_->tell_taken(select_own_workers());
        // One that has gone meanwhile need not be told.
        predecessor_.reset();
        if (!told && told.error() != std::errc::broken_pipe) {
            return failure(told.error(), "cannot tell the process that had the port");
        }
    }
    auto watch = runtime::SuccessorWatch::start(
        settings_.takeover_path,
        {.with_offer =
             [this](const std::function<void(const runtime::Offer&)>& use) {
                 const std::lock_guard offer_lock(mutex_);
                 runtime::Offer offer{.persistent_key = settings_.persistent_key,
                                      .first = first_,
                                      .count = settings_.count,
                                      .ports = std::move(ports_)};
                 use(offer);
                 ports_ = std::move(offer.ports);
             },
         .taken =
             [this](bool may_finish) {
                 const std::lock_guard taken_lock(taken_mutex_);
                 if (taken_) taken_(may_finish);
             },
         .delayed = [this] { takeover_delays_.fetch_add(1, std::memory_order_relaxed); }});
    if (!watch) return failure(watch.error(), "cannot listen at " + settings_.takeover_path);
    watch_ = std::move(*watch);
    return {};
}

// New connections are our workers' from now on. Whether the kernel tells those of the predecessor
// apart, at each of its ports.
bool WorkerGroup::Implementation::select_own_workers() {
    bool all = !ports_.empty();
    for (runtime::SharedPort& port : ports_) {
        const auto present = port.selector ? port.selector->selection()
                                           : std::unexpected(std::make_error_code(std::errc{}));
        all = all && present && port.selector->select(selection(present->id_length));
    }
    // What is left of its ports we do not listen on: they would be nobody's.
    for (const runtime::SharedPort& port : predecessor_->offer().ports) {
        all = all && std::ranges::find(ports_, port.address, &runtime::SharedPort::address) !=
                         ports_.end();
    }
    return all;
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
    report.kernel_selection = !ports_.empty() && std::ranges::all_of(ports_, [](const auto& port) {
        return port.selector.has_value();
    });
    report.hint = hint_;
    report.handed_over = handed_over_.load(std::memory_order_relaxed);
    report.hand_over_drops = drops_.load(std::memory_order_relaxed);
    report.takeover_delays = takeover_delays_.load(std::memory_order_relaxed);
    return report;
}

}  // namespace stoq
