#include "observe/qlog_parameters.h"

#include <string>

namespace stoq::observe::qlog {
namespace {

// Without the port, which is a field of its own, and the brackets of to_string().
std::string ip_text(const Address& address) {
    std::string text = to_string(address);
    text.resize(text.rfind(':'));
    if (!text.empty() && text.front() == '[') text = text.substr(1, text.size() - 2);
    return text;
}

void connection_id(JsonWriter& json, std::string_view name,
                   const std::optional<wire::ConnectionId>& id) {
    if (id) json.field(name, id->view());
}

void preferred_address(JsonWriter& json, const wire::PreferredAddress& preferred) {
    json.begin_object("preferred_address");
    write_endpoint(json, preferred.ipv4, {});
    write_endpoint(json, preferred.ipv6, {});
    json.field("connection_id", preferred.connection_id.view());
    json.end_object();
}

}  // namespace

void write_parameters(JsonWriter& json, const wire::TransportParameters& p) {
    connection_id(json, "original_destination_connection_id", p.original_destination_connection_id);
    connection_id(json, "initial_source_connection_id", p.initial_source_connection_id);
    connection_id(json, "retry_source_connection_id", p.retry_source_connection_id);
    json.field("disable_active_migration", p.disable_active_migration);
    json.field("max_idle_timeout", p.max_idle_timeout_ms);
    json.field("max_udp_payload_size", p.max_udp_payload_size);
    json.field("ack_delay_exponent", p.ack_delay_exponent);
    json.field("max_ack_delay", p.max_ack_delay_ms);
    json.field("active_connection_id_limit", p.active_connection_id_limit);
    json.field("initial_max_data", p.initial_max_data);
    json.field("initial_max_stream_data_bidi_local", p.initial_max_stream_data_bidi_local);
    json.field("initial_max_stream_data_bidi_remote", p.initial_max_stream_data_bidi_remote);
    json.field("initial_max_stream_data_uni", p.initial_max_stream_data_uni);
    json.field("initial_max_streams_bidi", p.initial_max_streams_bidi);
    json.field("initial_max_streams_uni", p.initial_max_streams_uni);
    if (p.preferred_address) preferred_address(json, *p.preferred_address);
    json.field("max_datagram_frame_size", p.max_datagram_frame_size);
    json.field("grease_quic_bit", p.grease_quic_bit);
    if (p.reset_stream_at) json.field("reset_stream_at", true);
    if (p.min_ack_delay_us) json.field("min_ack_delay", *p.min_ack_delay_us);
}

void write_endpoint(JsonWriter& json, const Address& address, ByteView id) {
    if (address.family != Address::Family::kNone) {
        const bool v4 = address.family == Address::Family::kIpv4;
        json.field(v4 ? "ip_v4" : "ip_v6", ip_text(address));
        json.field(v4 ? "port_v4" : "port_v6", std::uint64_t{address.port});
    }
    if (id.empty()) return;
    json.begin_array("connection_ids");
    json.hex(id);
    json.end_array();
}

}  // namespace stoq::observe::qlog
