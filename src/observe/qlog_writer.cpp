#include "observe/qlog_writer.h"

#include <variant>

#include "observe/json_writer.h"
#include "observe/qlog_events.h"
#include "observe/qlog_names.h"

namespace stoq::observe {
namespace {

constexpr char kRecordSeparator = 0x1e;

}  // namespace

void QlogWriter::on_event(const EventContext& context, const Event& event) {
    if (!started_) write_header(context);
    buffer_ += kRecordSeparator;
    JsonWriter json(buffer_);
    json.begin_object();
    json.field("time", context.now - start_);
    qlog::write_event(json, event);
    json.end_object();
    buffer_ += '\n';
    // Whoever reads along wants to see the end of a connection at once.
    if (buffer_.size() >= kBufferSize || std::holds_alternative<ConnectionClosed>(event)) flush();
}

void QlogWriter::write_header(const EventContext& context) {
    started_ = true;
    start_ = context.now;
    buffer_ += kRecordSeparator;
    JsonWriter json(buffer_);
    json.begin_object();
    json.field("file_schema", "urn:ietf:params:qlog:file:sequential");
    json.field("serialization_format", "application/qlog+json-seq");
    json.field("title", "STOQ");
    json.begin_object("trace");
    json.begin_object("vantage_point");
    json.field("name", "stoq");
    json.field("type", qlog::name_of(context.role));
    json.end_object();
    json.begin_object("common_fields");
    json.field("group_id", context.connection);
    json.field("time_format", "relative_to_epoch");
    json.begin_object("reference_time");
    json.field("clock_type", "monotonic");
    json.field("epoch", "unknown");
    json.end_object();
    json.end_object();
    json.begin_array("event_schemas");
    json.text(qlog::kQuicEventSchema);
    json.text(qlog::kStoqEventSchema);
    json.end_array();
    json.end_object();
    json.end_object();
    buffer_ += '\n';
}

void QlogWriter::flush() {
    if (buffer_.empty()) return;
    out_.write(buffer_);
    buffer_.clear();
}

}  // namespace stoq::observe
