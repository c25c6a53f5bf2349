#include "runtime/implementation.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/try.h"
#include "io/clock.h"
#include "runtime/worker_group.h"

namespace stoq {
namespace {

RuntimeError system_error(std::error_code code, std::string text) {
    return {.system = code, .text = std::move(text)};
}

RuntimeError api_error(ApiError error, std::string text) {
    return {.api = error, .text = std::move(text)};
}

// With the reason, where credentials are to blame.
RuntimeError refused(ApiError error, std::string text, Role role, const Credentials& credentials) {
    if (error != ApiError::kCredentials) return api_error(error, std::move(text));
    const auto checked = check_credentials(role, credentials);
    if (!checked) text.append(": ").append(checked.error().message());
    return api_error(error, std::move(text));
}

// The addresses that `text`, "host:port", means.
RuntimeResult<std::vector<Address>> addresses_of(std::string_view text) {
    const auto parts = split_host_and_port(text);
    if (!parts) {
        return std::unexpected(api_error(ApiError::kInvalidArgument,
                                         "\"" + std::string(text) + "\" is not host:port"));
    }
    auto addresses = resolve(parts->host, parts->port);
    if (addresses) return std::move(*addresses);
    return std::unexpected(system_error(addresses.error(), "cannot resolve " + parts->host));
}

Address any_of(Address::Family family) {
    Address address;
    address.family = family;
    return address;
}

// The name that the certificate has to carry when the caller gave none.
std::string name_of(const ConnectConfig& config, const Address& remote) {
    if (!config.server_name.empty()) return config.server_name;
    const bool named = config.remote.family == Address::Family::kNone;
    const auto parts = split_host_and_port(named ? config.address : to_string(remote));
    return parts ? parts->host : std::string();
}

}  // namespace

RuntimeResult<std::unique_ptr<Runtime::Implementation>> Runtime::Implementation::create(
    const RuntimeSettings& settings) {
    auto waker = io::Waker::create();
    if (!waker) return std::unexpected(system_error(waker.error(), "cannot create an eventfd"));
    auto made = std::make_unique<Implementation>(settings, std::move(*waker));
    if (settings.group && !made->join_group()) {
        return std::unexpected(
            api_error(ApiError::kInvalidArgument, "cannot be that worker of the group"));
    }
    made->settings_.endpoint.clock_origin = io::unix_origin();
    auto endpoint = Endpoint::create(made->settings_.endpoint, made->random_);
    if (!endpoint) return std::unexpected(api_error(endpoint.error(), "cannot create an endpoint"));
    made->endpoint_.emplace(std::move(*endpoint));
    if (settings.qlog_directory.empty()) return made;
    std::error_code error;
    if (!std::filesystem::is_directory(settings.qlog_directory, error)) {
        if (!error) error = std::make_error_code(std::errc::not_a_directory);
        return std::unexpected(system_error(error, "cannot use " + settings.qlog_directory));
    }
    made->qlog_ = std::make_unique<observe::QlogDirectory>(settings.qlog_directory);
    made->endpoint_->set_event_sink(made->qlog_.get());
    return made;
}

Runtime::Implementation::Implementation(const RuntimeSettings& settings, io::Waker waker)
    : settings_(settings),
      sockets_(std::move(waker)),
      handshakes_(settings.handshake_share),
      spinning_(settings.spin) {}

Runtime::Implementation::~Implementation() {
    if (inbox_ != nullptr) inbox_->close();
}

// False when there is no such worker, or another runtime is it.
bool Runtime::Implementation::join_group() {
    WorkerGroup::Implementation& group = *settings_.group->implementation_;
    settings_.endpoint.worker = group.worker(settings_.worker);
    settings_.endpoint.persistent_key = group.persistent_key();
    if (settings_.endpoint.early_data_register > 0) {
        settings_.endpoint.shared_register = group.strikes();
    }
    if (!settings_.endpoint.worker) return false;
    runtime::WorkerInbox& inbox = group.inbox(settings_.worker);
    if (!inbox.open(sockets_.waker())) return false;
    inbox_ = &inbox;
    return true;
}

io::UdpSettings Runtime::Implementation::udp_settings(const Address& local) const {
    io::UdpSettings udp;
    udp.local = local;
    udp.segmentation_offload = settings_.segmentation_offload;
    udp.receive_coalescing = settings_.receive_coalescing;
    udp.receive_buffer = settings_.receive_buffer;
    udp.send_buffer = settings_.send_buffer;
    return udp;
}

// The first of the addresses that is one of this machine's. Without IPv6, any address of that
// family means any of IPv4.
SystemResult<Address> Runtime::Implementation::bind(const std::vector<Address>& candidates) {
    SystemResult<Address> bound =
        std::unexpected(std::make_error_code(std::errc::address_not_available));
    for (const Address& candidate : candidates) {
        bound = sockets_.open(listening(candidate), false);
        if (bound) break;
        Address any = any_of(Address::Family::kIpv6);
        any.port = candidate.port;
        if (candidate != any || bound.error() != std::errc::address_family_not_supported) continue;
        any.family = Address::Family::kIpv4;
        bound = sockets_.open(listening(any), false);
        if (bound) break;
    }
    return bound;
}

io::UdpSettings Runtime::Implementation::listening(const Address& local) const {
    io::UdpSettings udp = udp_settings(local);
    udp.reuse_port = settings_.group != nullptr;
    return udp;
}

RuntimeResult<Address> Runtime::Implementation::listen(const ListenConfig& config) {
    const auto candidates = STOQ_TRY(addresses_of(config.address));
    const auto bound = bind(candidates);
    if (!bound)
        return std::unexpected(system_error(bound.error(), "cannot bind " + config.address));
    const auto accepted = endpoint_->listen({config.credentials, config.settings});
    if (!accepted) {
        sockets_.close_last();
        return std::unexpected(
            refused(accepted.error(), "cannot listen", Role::kServer, config.credentials));
    }
    if (settings_.group) {
        settings_.group->implementation_->add_socket(
            settings_.worker, *bound, sockets_.all().back().datapath->native_handle(),
            endpoint_->connection_id_length());
    }
    return *bound;
}

RuntimeResult<void> Runtime::Implementation::replace_credentials(const Credentials& credentials) {
    const auto replaced = endpoint_->replace_credentials(credentials);
    if (replaced) return {};
    return std::unexpected(
        refused(replaced.error(), "cannot replace the credentials", Role::kServer, credentials));
}

RuntimeResult<ConnectionHandle> Runtime::Implementation::connect(const ConnectConfig& config) {
    Address remote = config.remote;
    if (remote.family == Address::Family::kNone) {
        remote = STOQ_TRY(addresses_of(config.address)).front();
    }
    if (!sockets_.reaches(remote)) {
        const bool given = settings_.client_address.family != Address::Family::kNone;
        const Address local = given ? settings_.client_address : any_of(remote.family);
        const auto bound = sockets_.open(udp_settings(local), true);
        if (!bound) {
            return std::unexpected(system_error(bound.error(), "cannot bind " + to_string(local)));
        }
    }
    const ClientConfig client{.remote = remote,
                              .local = {},
                              .server_name = name_of(config, remote),
                              .credentials = config.credentials,
                              .settings = config.settings,
                              .token = config.token,
                              .ticket = config.ticket,
                              .path_memory = config.path_memory};
    const auto handle = endpoint_->connect(client, io::now());
    if (!handle) {
        const std::string text = "cannot connect to " + to_string(remote);
        return std::unexpected(
            config.credentials == nullptr
                ? api_error(handle.error(), text)
                : refused(handle.error(), text, Role::kClient, *config.credentials));
    }
    track_open(*handle, true);
    return *handle;
}

// Sockets that connections have left stay open: there is no telling what still arrives there.
RuntimeResult<void> Runtime::Implementation::migrate(ConnectionHandle connection,
                                                     const Address& local, MigrationMode mode) {
    const auto bound = sockets_.open(udp_settings(local), false);
    if (!bound) {
        return std::unexpected(system_error(bound.error(), "cannot bind " + to_string(local)));
    }
    const auto begun = endpoint_->migrate(connection, *bound, mode);
    if (begun) {
        sockets_.on_moving(
            connection, endpoint_->info(connection)->local.port,
            [&](ConnectionHandle mover) { return endpoint_->info(mover).has_value(); });
        return {};
    }
    sockets_.close_last();
    return std::unexpected(api_error(begun.error(), "cannot migrate to " + to_string(local)));
}

DatapathReport Runtime::Implementation::datapath_report() const {
    DatapathReport report;
    for (const runtime::Sockets::Socket& socket : sockets_.all()) {
        const io::DatapathCapabilities& has = socket.datapath->capabilities();
        const io::DatapathCounters& counts = socket.datapath->counters();
        const bool first = &socket == &sockets_.all().front();
        report.segmentation_offload |= has.segmentation_offload;
        report.receive_coalescing |= has.receive_coalescing;
        report.ecn |= has.ecn;
        if (first || has.receive_buffer < report.receive_buffer) {
            report.receive_buffer = has.receive_buffer;
        }
        if (first || has.send_buffer < report.send_buffer) report.send_buffer = has.send_buffer;
        if (report.buffer_hint.empty()) report.buffer_hint = has.buffer_hint;
        report.received_datagrams += counts.received_datagrams;
        report.received_bytes += counts.received_bytes;
        report.receive_calls += counts.receive_calls;
        report.sent_datagrams += counts.sent_datagrams;
        report.sent_bytes += counts.sent_bytes;
        report.send_calls += counts.send_calls;
        report.send_errors += counts.send_errors;
        report.receive_buffer_drops += counts.receive_buffer_drops;
    }
    return report;
}

}  // namespace stoq
