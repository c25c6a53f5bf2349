#include "observe/qlog_events.h"

#include <array>
#include <limits>
#include <string>

#include "base/bytes.h"
#include "observe/qlog_frames.h"
#include "observe/qlog_names.h"
#include "observe/qlog_parameters.h"

namespace stoq::observe::qlog {
namespace {

// In the order of the alternatives of Event.
constexpr std::array<std::string_view, kEventTypeCount> kNames{
    "quic:connection_started",
    "quic:connection_state_updated",
    "quic:connection_closed",
    "quic:version_information",
    "quic:alpn_information",
    "stoq:security_negotiated",
    "quic:parameters_set",
    "quic:packet_received",
    "stoq:token_received",
    "quic:packet_sent",
    "quic:packet_received",
    "quic:packet_dropped",
    "quic:packet_buffered",
    "quic:packet_lost",
    "quic:recovery_metrics_updated",
    "quic:congestion_state_updated",
    "quic:key_updated",
    "quic:key_updated",
    "quic:key_discarded",
    "quic:tuple_assigned",
    "quic:migration_state_updated",
    "quic:mtu_updated",
    "quic:ecn_state_updated",
};

void raw_length(JsonWriter& json, std::size_t length) {
    json.begin_object("raw");
    json.field("length", std::uint64_t{length});
    json.end_object();
}

void header(JsonWriter& json, PacketType type, PacketNumber number) {
    json.begin_object("header");
    json.field("packet_type", name_of(type));
    json.field("packet_number", number.value());
    json.end_object();
}

void header(JsonWriter& json, PacketType type) {
    json.begin_object("header");
    json.field("packet_type", name_of(type));
    json.end_object();
}

// The first path of a connection is the one without a name.
void tuple(JsonWriter& json, std::uint64_t path) {
    json.field("tuple_id", path == 0 ? std::string() : std::to_string(path));
}

void version_field(JsonWriter& json, std::uint32_t version) {
    std::array<std::uint8_t, sizeof version> bytes{};
    store_big_endian(bytes.data(), version);
    json.hex(bytes);
}

void versions(JsonWriter& json, std::string_view name, std::span<const std::uint32_t> list) {
    if (list.empty()) return;
    json.begin_array(name);
    for (const std::uint32_t version : list) version_field(json, version);
    json.end_array();
}

void data(JsonWriter& json, const ConnectionStarted& event) {
    json.begin_object("local");
    write_endpoint(json, event.local, event.source_connection_id);
    json.end_object();
    json.begin_object("remote");
    write_endpoint(json, event.remote, event.destination_connection_id);
    json.end_object();
}

void data(JsonWriter& json, const ConnectionStateUpdated& event) {
    json.field("old", name_of(event.old_state));
    json.field("new", name_of(event.new_state));
}

void data(JsonWriter& json, const ConnectionClosed& event) {
    json.field("initiator", name_of(event.initiator));
    if (event.application_error) {
        json.field("application_error", "unknown");
    } else {
        json.field("connection_error", transport_error_name(event.error_code));
    }
    json.field("error_code", event.error_code);
    if (event.frame_type != 0) json.field("frame_type", event.frame_type);
    if (!event.reason.empty()) json.field("reason", event.reason);
    json.field("trigger", name_of(event.trigger));
}

void data(JsonWriter& json, const VersionInformation& event) {
    versions(json, "server_versions", event.server_versions);
    versions(json, "client_versions", event.client_versions);
    if (event.chosen_version == 0) return;
    json.key("chosen_version");
    version_field(json, event.chosen_version);
}

void data(JsonWriter& json, const AlpnInformation& event) {
    json.begin_object("chosen_alpn");
    json.field("string_value", event.chosen);
    json.end_object();
}

void data(JsonWriter& json, const SecurityNegotiated& event) {
    const auto text = [&json](std::string_view name, std::string_view value) {
        if (!value.empty()) json.field(name, value);
    };
    text("key_exchange_group", event.group);
    text("signature", event.signature);
    text("client_signature", event.client_signature);
    text("cipher_suite", event.cipher_suite);
    text("peer_certificate_type", name_of(event.peer_certificate_type));
    text("peer_chain", event.peer_chain);
    json.field("post_quantum_key_exchange", event.post_quantum_key_exchange);
    json.field("post_quantum_authentication", event.post_quantum_authentication);
    json.field("resumed", event.resumed);
}

void data(JsonWriter& json, const TransportParametersSet& event) {
    json.field("initiator", name_of(event.initiator));
    if (event.parameters != nullptr) write_parameters(json, *event.parameters);
}

void data(JsonWriter& json, const RetryReceived& event) {
    json.begin_object("header");
    json.field("packet_type", name_of(PacketType::kRetry));
    json.field("scid", event.source_connection_id);
    json.begin_object("token");
    json.field("type", "retry");
    raw_length(json, event.token_length);
    json.end_object();
    json.end_object();
}

void data(JsonWriter& json, const TokenReceived& event) {
    raw_length(json, event.length);
}

void data(JsonWriter& json, const PacketSent& event) {
    header(json, event.type, event.number);
    raw_length(json, event.length);
    if (!event.payload.empty()) write_frames(json, event.payload, event.type);
    if (event.is_mtu_probe) json.field("is_mtu_probe_packet", true);
    if (event.is_probe_timeout) json.field("trigger", "pto_probe");
}

void data(JsonWriter& json, const PacketReceived& event) {
    header(json, event.type, event.number);
    raw_length(json, event.length);
    if (!event.payload.empty()) write_frames(json, event.payload, event.type);
}

void data(JsonWriter& json, const PacketDropped& event) {
    header(json, event.type);
    raw_length(json, event.length);
    json.begin_object("details");
    json.field("reason", to_string(event.reason));
    json.end_object();
    json.field("trigger", trigger_of(event.reason));
}

void data(JsonWriter& json, const PacketBuffered& event) {
    header(json, event.type);
    raw_length(json, event.length);
    json.field("trigger", "keys_unavailable");
}

void data(JsonWriter& json, const PacketLost& event) {
    header(json, event.type, event.number);
    if (event.is_mtu_probe) json.field("is_mtu_probe_packet", true);
    json.field("trigger", name_of(event.trigger));
}

void data(JsonWriter& json, const MetricsUpdated& event) {
    json.field("min_rtt", event.min_rtt);
    json.field("smoothed_rtt", event.smoothed_rtt);
    json.field("latest_rtt", event.latest_rtt);
    json.field("rtt_variance", event.rtt_variation);
    json.field("pto_count", std::uint64_t{event.pto_count});
    json.field("congestion_window", event.congestion_window);
    json.field("bytes_in_flight", event.bytes_in_flight);
    if (event.slow_start_threshold != std::numeric_limits<std::uint64_t>::max()) {
        json.field("ssthresh", event.slow_start_threshold);
    }
    if (event.pacing_rate != 0) json.field("pacing_rate", event.pacing_rate);
}

void data(JsonWriter& json, const CongestionStateUpdated& event) {
    if (!event.old_state.empty()) json.field("old", event.old_state);
    json.field("new", event.new_state);
}

void data(JsonWriter& json, const KeyInstalled& event) {
    json.field("key_type", key_type_of(event.level, event.sender));
    json.field("trigger", name_of(KeyTrigger::kTls));
}

void data(JsonWriter& json, const KeyUpdated& event) {
    json.field("key_type", key_type_of(EncryptionLevel::kOneRtt, event.sender));
    json.field("key_phase", event.key_phase);
    json.field("trigger", name_of(event.trigger));
}

void data(JsonWriter& json, const KeyDiscarded& event) {
    json.field("key_type", key_type_of(event.level, event.sender));
    if (event.level == EncryptionLevel::kOneRtt) json.field("key_phase", event.key_phase);
}

void data(JsonWriter& json, const PathAssigned& event) {
    tuple(json, event.path);
    json.begin_object("tuple_remote");
    write_endpoint(json, event.remote, {});
    json.end_object();
    json.begin_object("tuple_local");
    write_endpoint(json, event.local, {});
    json.end_object();
}

void data(JsonWriter& json, const MigrationStateUpdated& event) {
    json.field("new", name_of(event.new_state));
    tuple(json, event.path);
}

void data(JsonWriter& json, const MtuUpdated& event) {
    json.field("old", std::uint64_t{event.old_size});
    json.field("new", std::uint64_t{event.new_size});
    json.field("done", event.done);
    if (event.black_hole) json.field("black_hole", true);
}

void data(JsonWriter& json, const EcnStateUpdated& event) {
    json.field("old", name_of(event.old_state));
    json.field("new", name_of(event.new_state));
}

}  // namespace

void write_event(JsonWriter& json, const Event& event) {
    json.field("name", kNames[event.index()]);
    json.begin_object("data");
    std::visit([&json](const auto& concrete) { data(json, concrete); }, event);
    json.end_object();
}

}  // namespace stoq::observe::qlog
