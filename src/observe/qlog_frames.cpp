#include "observe/qlog_frames.h"

#include <optional>

#include "base/bytes.h"
#include "observe/qlog_names.h"
#include "wire/frame.h"
#include "wire/frame_decode.h"

namespace stoq::observe::qlog {
namespace {

constexpr std::size_t kMaxFrames = 256;
constexpr std::size_t kMaxAckRanges = 256;

void length(JsonWriter& json, std::size_t bytes) {
    json.begin_object("raw");
    json.field("length", std::uint64_t{bytes});
    json.end_object();
}

void payload_length(JsonWriter& json, std::size_t bytes) {
    json.begin_object("raw");
    json.field("payload_length", std::uint64_t{bytes});
    json.end_object();
}

void application_error(JsonWriter& json, std::uint64_t code) {
    json.field("error", "unknown");
    json.field("error_code", code);
}

void path_data(JsonWriter& json, std::uint64_t data) {
    std::array<std::uint8_t, sizeof data> bytes{};
    store_big_endian(bytes.data(), data);
    json.field("data", ByteView(bytes));
}

std::string_view as_text(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// One overload for each frame: its type, then its fields.
void write(JsonWriter& json, const wire::PaddingFrame& frame) {
    json.field("frame_type", "padding");
    payload_length(json, frame.length);
}
void write(JsonWriter& json, const wire::PingFrame&) {
    json.field("frame_type", "ping");
}
void write(JsonWriter& json, const wire::AckFrame& frame) {
    json.field("frame_type", "ack");
    json.begin_array("acked_ranges");
    std::size_t count = 0;
    for (const wire::AckRange& range : frame.ranges) {
        if (++count > kMaxAckRanges) break;
        json.begin_array();
        json.number(range.smallest.value());
        if (range.largest != range.smallest) json.number(range.largest.value());
        json.end_array();
    }
    json.end_array();
    if (!frame.ecn) return;
    json.field("ect1", frame.ecn->ect1);
    json.field("ect0", frame.ecn->ect0);
    json.field("ce", frame.ecn->ce);
}
void write(JsonWriter& json, const wire::ResetStreamFrame& frame) {
    json.field("frame_type", "reset_stream");
    json.field("stream_id", frame.id.value());
    application_error(json, frame.error_code);
    json.field("final_size", frame.final_size);
}
void write(JsonWriter& json, const wire::ResetStreamAtFrame& frame) {
    json.field("frame_type", "reset_stream_at");
    json.field("stream_id", frame.id.value());
    application_error(json, frame.error_code);
    json.field("final_size", frame.final_size);
    json.field("reliable_size", frame.reliable_size);
}
void write(JsonWriter& json, const wire::StopSendingFrame& frame) {
    json.field("frame_type", "stop_sending");
    json.field("stream_id", frame.id.value());
    application_error(json, frame.error_code);
}
void write(JsonWriter& json, const wire::CryptoFrame& frame) {
    json.field("frame_type", "crypto");
    json.field("offset", frame.offset);
    length(json, frame.data.size());
}
void write(JsonWriter& json, const wire::NewTokenFrame& frame) {
    json.field("frame_type", "new_token");
    json.begin_object("token");
    json.field("type", "resumption");
    length(json, frame.token.size());
    json.end_object();
}
void write(JsonWriter& json, const wire::StreamFrame& frame) {
    json.field("frame_type", "stream");
    json.field("stream_id", frame.id.value());
    json.field("offset", frame.offset);
    if (frame.fin) json.field("fin", true);
    length(json, frame.data.size());
}
void write(JsonWriter& json, const wire::MaxDataFrame& frame) {
    json.field("frame_type", "max_data");
    json.field("maximum", frame.maximum);
}
void write(JsonWriter& json, const wire::MaxStreamDataFrame& frame) {
    json.field("frame_type", "max_stream_data");
    json.field("stream_id", frame.id.value());
    json.field("maximum", frame.maximum);
}
void write(JsonWriter& json, const wire::MaxStreamsFrame& frame) {
    json.field("frame_type", "max_streams");
    json.field("stream_type", name_of(frame.directionality));
    json.field("maximum", frame.maximum);
}
void write(JsonWriter& json, const wire::DataBlockedFrame& frame) {
    json.field("frame_type", "data_blocked");
    json.field("limit", frame.limit);
}
void write(JsonWriter& json, const wire::StreamDataBlockedFrame& frame) {
    json.field("frame_type", "stream_data_blocked");
    json.field("stream_id", frame.id.value());
    json.field("limit", frame.limit);
}
void write(JsonWriter& json, const wire::StreamsBlockedFrame& frame) {
    json.field("frame_type", "streams_blocked");
    json.field("stream_type", name_of(frame.directionality));
    json.field("limit", frame.limit);
}
void write(JsonWriter& json, const wire::NewConnectionIdFrame& frame) {
    json.field("frame_type", "new_connection_id");
    json.field("sequence_number", frame.sequence_number);
    json.field("retire_prior_to", frame.retire_prior_to);
    json.field("connection_id", frame.connection_id.view());
}
void write(JsonWriter& json, const wire::RetireConnectionIdFrame& frame) {
    json.field("frame_type", "retire_connection_id");
    json.field("sequence_number", frame.sequence_number);
}
void write(JsonWriter& json, const wire::PathChallengeFrame& frame) {
    json.field("frame_type", "path_challenge");
    path_data(json, frame.data);
}
void write(JsonWriter& json, const wire::PathResponseFrame& frame) {
    json.field("frame_type", "path_response");
    path_data(json, frame.data);
}
void write(JsonWriter& json, const wire::ConnectionCloseFrame& frame) {
    json.field("frame_type", "connection_close");
    json.field("error_space", frame.application ? "application" : "transport");
    if (frame.application) {
        application_error(json, frame.error_code);
    } else {
        json.field("error", transport_error_name(frame.error_code));
        json.field("error_code", frame.error_code);
        json.field("trigger_frame_type", frame.frame_type);
    }
    json.field("reason", as_text(frame.reason));
}
void write(JsonWriter& json, const wire::HandshakeDoneFrame&) {
    json.field("frame_type", "handshake_done");
}
void write(JsonWriter& json, const wire::DatagramFrame& frame) {
    json.field("frame_type", "datagram");
    length(json, frame.data.size());
}
void write(JsonWriter& json, const wire::AckFrequencyFrame& frame) {
    json.field("frame_type", "ack_frequency");
    json.field("sequence_number", frame.sequence_number);
    json.field("ack_eliciting_threshold", frame.ack_eliciting_threshold);
    json.field("requested_max_ack_delay", frame.requested_max_ack_delay);
    json.field("reordering_threshold", frame.reordering_threshold);
}
void write(JsonWriter& json, const wire::ImmediateAckFrame&) {
    json.field("frame_type", "immediate_ack");
}

std::optional<wire::PacketType> wire_type_of(PacketType type) {
    switch (type) {
        case PacketType::kInitial: return wire::PacketType::kInitial;
        case PacketType::kZeroRtt: return wire::PacketType::kZeroRtt;
        case PacketType::kHandshake: return wire::PacketType::kHandshake;
        case PacketType::kOneRtt: return wire::PacketType::kOneRtt;
        default: return std::nullopt;
    }
}

}  // namespace

void write_frames(JsonWriter& json, ByteView payload, PacketType type) {
    const auto packet = wire_type_of(type);
    if (!packet) return;
    json.begin_array("frames");
    ByteReader reader(payload);
    for (std::size_t count = 0; count < kMaxFrames && !reader.empty(); ++count) {
        const std::uint8_t first_byte = *reader.position();
        const auto frame = wire::decode_frame(reader, *packet);
        json.begin_object();
        if (frame) {
            std::visit([&json](const auto& decoded) { write(json, decoded); }, *frame);
        } else {
            json.field("frame_type", "unknown");
            json.field("frame_type_bytes", std::uint64_t{first_byte});
        }
        json.end_object();
        if (!frame) break;
    }
    json.end_array();
}

}  // namespace stoq::observe::qlog
