#include "connection/connection.h"

#include "base/instant_after.h"
#include "connection/early_data.h"
#include "connection/version_choice.h"
#include "wire/packet_number_codec.h"

namespace stoq::connection {
namespace {

constexpr std::uint8_t kAckDelayExponent = 3;

std::uint64_t milliseconds_of(Duration duration) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

streams::StreamSettings stream_settings(const Settings& settings) {
    return {.initial_stream_window = settings.initial_stream_window,
            .max_stream_window = settings.max_stream_window,
            .initial_connection_window = settings.initial_connection_window,
            .max_connection_window = settings.max_connection_window,
            .max_bidirectional_streams = settings.max_bidirectional_streams,
            .max_unidirectional_streams = settings.max_unidirectional_streams,
            .initial_send_buffer_per_stream = settings.initial_send_buffer_per_stream,
            .max_send_buffer_per_stream = settings.max_send_buffer_per_stream};
}

path::PathSettings path_settings(const Settings& settings) {
    return {.mtu = {.initial_size = settings.initial_datagram_size,
                    .max_size = settings.max_datagram_size},
            .ecn = settings.ecn};
}

congestion::ControllerSettings controller_settings(const Settings& settings, std::uint64_t seed) {
    return {.max_datagram_size = settings.initial_datagram_size,
            .initial_window_datagrams = settings.initial_congestion_window,
            .max_window = settings.max_congestion_window,
            .seed = seed};
}

std::unique_ptr<congestion::Controller> controller_for(const ConnectionConfig& config,
                                                       std::uint64_t seed) {
    return congestion::make_controller(
        config.settings.congestion, controller_settings(config.settings, seed), config.path_memory);
}

// Nobody may make us acknowledge sooner than what a timer is good for.
std::chrono::microseconds min_ack_delay(const Settings& settings) {
    constexpr Duration kShortest = std::chrono::milliseconds(1);
    return std::chrono::duration_cast<std::chrono::microseconds>(
        std::min(kShortest, settings.max_ack_delay));
}

wire::TransportParameters local_parameters(const ConnectionConfig& config,
                                           const path::ResetTokenKey& reset_key) {
    const Settings& settings = config.settings;
    wire::TransportParameters parameters;
    //= 9000-7.3-1
    parameters.initial_source_connection_id = config.source_id;
    if (config.role == Role::kServer) {
        //= 9000-7.3-1
        parameters.original_destination_connection_id = config.original_destination_id;
        parameters.retry_source_connection_id = config.retry_source_id;
        parameters.stateless_reset_token = reset_key.token_for(config.source_id);
    }
    //= 9369-4.1-4
    parameters.version_information = version_information(settings.versions, config.version);
    parameters.max_idle_timeout_ms = milliseconds_of(settings.idle_timeout);
    parameters.initial_max_data = settings.initial_connection_window;
    parameters.initial_max_stream_data_bidi_local = settings.initial_stream_window;
    parameters.initial_max_stream_data_bidi_remote = settings.initial_stream_window;
    parameters.initial_max_stream_data_uni = settings.initial_stream_window;
    parameters.initial_max_streams_bidi = settings.max_bidirectional_streams;
    parameters.initial_max_streams_uni = settings.max_unidirectional_streams;
    parameters.ack_delay_exponent = kAckDelayExponent;
    parameters.max_ack_delay_ms = milliseconds_of(settings.max_ack_delay);
    parameters.active_connection_id_limit =
        path::RemoteConnectionIds(settings.active_connection_id_limit).limit();
    parameters.disable_active_migration = settings.disable_active_migration;
    if (settings.ack_frequency) {
        parameters.min_ack_delay_us = static_cast<std::uint64_t>(min_ack_delay(settings).count());
    }
    parameters.max_datagram_frame_size = settings.max_datagram_frame_size;
    parameters.grease_quic_bit = settings.grease_quic_bit;
    parameters.reset_stream_at = settings.reset_stream_at;
    return parameters;
}

// What we say of ourselves, with a parameter that means nothing, so that peers which choke on
// unknown ones are found early (RFC 9000 section 18.1).
struct LocalParameters {
    wire::TransportParameters parameters;
    std::uint64_t reserved_id = 0;
    Role role = Role::kClient;

    std::vector<std::uint8_t> encoded() const {
        std::vector<std::uint8_t> bytes(512);
        ByteWriter writer(bytes);
        const wire::ReservedParameter reserved{reserved_id, {}};
        STOQ_CHECK(wire::encode_transport_parameters(writer, parameters, role, &reserved));
        bytes.resize(writer.written());
        return bytes;
    }
};

// What a server adds, if it has an address that it prefers: its connection ID is made here.
std::optional<wire::PreferredAddress> preferred_address(const ConnectionConfig& config,
                                                        const SharedResources& shared) {
    wire::PreferredAddress preferred;
    for (const Address& address : config.settings.preferred_addresses) {
        if (address.family == Address::Family::kIpv4) preferred.ipv4 = address;
        if (address.family == Address::Family::kIpv6) preferred.ipv6 = address;
    }
    const bool any = preferred.ipv4.family != Address::Family::kNone ||
                     preferred.ipv6.family != Address::Family::kNone;
    if (!any || config.role == Role::kClient) return std::nullopt;
    preferred.connection_id = shared.ids.generator.generate(shared.ids.random);
    preferred.stateless_reset_token = shared.ids.reset_key.token_for(preferred.connection_id);
    return preferred;
}

LocalParameters make_local_parameters(const ConnectionConfig& config,
                                      const SharedResources& shared) {
    const auto random = static_cast<std::uint32_t>(shared.ids.random.next_uint64());
    LocalParameters local{local_parameters(config, shared.ids.reset_key),
                          wire::reserved_parameter_id(random & 0x00ff'ffff), config.role};
    // A version that means nothing, for the same reason (RFC 9368 section 3).
    local.parameters.version_information->add_available(wire::reserved_version(random));
    //= 9000-9.6.1-1
    local.parameters.preferred_address = preferred_address(config, shared);
    return local;
}

// A server says which version it chose when it has read the client's parameters. Those that are
// wrong are refused elsewhere.
std::vector<std::uint8_t> answer_to(ByteView client, LocalParameters local,
                                    const std::array<QuicVersion, 2>& versions) {
    const auto decoded = wire::decode_transport_parameters(client, Role::kClient);
    if (decoded && decoded->version_information) {
        const std::uint32_t original = local.parameters.version_information->chosen;
        local.parameters.version_information->chosen =
            compatible_version(versions, original, *decoded->version_information);
    }
    return local.encoded();
}

}  // namespace

std::optional<PathMemory> Connection::path_memory() const {
    return congestion::path_memory(controller_->window(), recovery_.rtt().min(),
                                   controller_settings(config_.settings, 0));
}

ApiResult<std::unique_ptr<Connection>> Connection::create(const ConnectionConfig& config,
                                                          SharedResources& shared, Instant now) {
    const LocalParameters local = make_local_parameters(config, shared);
    tls::ParametersAnswer answer;
    if (config.role == Role::kServer) {
        answer = [local, versions = config.settings.versions](ByteView client) {
            return answer_to(client, local, versions);
        };
    }
    const std::vector<std::uint8_t> parameters = local.encoded();
    auto session = tls::Session::create(
        config.tls, {.server_name = config.server_name,
                     .local_transport_parameters = parameters,
                     .answer = std::move(answer),
                     .ticket = ticket_for_version(config.version, config.ticket),
                     .alpn = {},
                     .early_data_limits = early_data_limits(local.parameters),
                     .strikes = shared.strikes});
    if (!session) return std::unexpected(session.error());
    std::unique_ptr<Connection> made(new Connection(config, shared, std::move(*session), now));
    if (const auto& preferred = local.parameters.preferred_address) {
        made->ids_.local.add_preferred_address(preferred->connection_id,
                                               preferred->stateless_reset_token);
    }
    made->begin_early_data(now);
    return made;
}

Connection::Connection(const ConnectionConfig& config, SharedResources& shared,
                       std::unique_ptr<tls::Session> session, Instant now)
    : config_(config),
      shared_(shared),
      observer_(config.sink, config.original_destination_id.view(), config.role),
      handshake_(std::move(session), shared.streams.blocks),
      keyring_({.version = &protection::constants_of(config.version), .limits = {}}),
      trackers_{recovery::AckTracker(PacketNumberSpace::kInitial),
                recovery::AckTracker(PacketNumberSpace::kHandshake),
                recovery::AckTracker(PacketNumberSpace::kApplication)},
      recovery_({.role = config.role,
                 .initial_rtt = config.settings.initial_rtt,
                 .list_losses = config.sink != nullptr}),
      controller_(controller_for(config, shared.ids.random.next_uint64())),
      pacer_(config.settings.initial_datagram_size),
      streams_(config.role, stream_settings(config.settings), shared.streams),
      ids_{path::LocalConnectionIds(config.source_id),
           path::RemoteConnectionIds(config.settings.active_connection_id_limit)},
      paths_(config.role, config.addresses, path_settings(config.settings)),
      held_{.packets = {},
            .datagrams = extensions::DatagramReceiver(config.settings.max_datagram_frame_size,
                                                      config.settings.datagram_receive_queue)},
      pending_{.datagrams = extensions::DatagramSender(config.settings.datagram_send_queue)} {
    tokens_.initial = config.token;
    status_.versions.current = config.version;
    //= 9000-7.2-2
    //= 9000-7.2-5
    ids_.remote.set_handshake_id(config.remote_id);
    if (auto* const made = std::exchange(config_.initial_keys, nullptr)) {
        keyring_.install_initial(config.initial_destination_id.view(), std::move(*made));
    } else {
        keyring_.install_initial(config.role, config.initial_destination_id.view());
    }
    tracker(PacketNumberSpace::kApplication)
        .set_policy(config.settings.max_ack_delay, config.settings.ack_eliciting_threshold);
    if (config.settings.ack_frequency) held_.ack_frequency.enable(min_ack_delay(config.settings));
    if (config.settings.disable_active_migration) {
        paths_.disable_migration(config.settings.preferred_addresses);
    }
    if (config.address_validated) paths_.on_handshake_address_validated();
    timers_.handshake = instant_after(now, config.settings.handshake_timeout);
    restart_idle_timer(now);
    observer_.emit(
        now, observe::ConnectionStarted{.local = config.addresses.local,
                                        .remote = config.addresses.remote,
                                        .source_connection_id = config_.source_id.view(),
                                        .destination_connection_id = config_.remote_id.view()});
}

Connection::~Connection() = default;

void Connection::settle() {
    streams_.settle();
    held_.datagrams.settle();
    if (!status_.confirmed || config_.role == Role::kClient) handshake_.settle();
}

void Connection::send_new_token(std::string token) {
    tokens_.to_send = std::move(token);
    pending_.new_token = !tokens_.to_send.empty();
}

}  // namespace stoq::connection
