// Events as the qlog QUIC event schema describes them.
#pragma once

#include <string_view>

#include "observe/events.h"
#include "observe/json_writer.h"

namespace stoq::observe::qlog {

// The schemas whose events write_event() produces. Events that the QUIC schema does not have are
// in the namespace "stoq".
inline constexpr std::string_view kQuicEventSchema = "urn:ietf:params:qlog:events:quic-13";
inline constexpr std::string_view kStoqEventSchema =
    "urn:uuid:2b0c8f5e-6d1a-4f0e-9c37-7a5d2e9b4c61";

// Appends the fields "name" and "data" of an event to the object that is open.
void write_event(JsonWriter& json, const Event& event);

}  // namespace stoq::observe::qlog
