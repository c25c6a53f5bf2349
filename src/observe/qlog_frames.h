// The frames of a packet as qlog describes them.
#pragma once

#include "observe/events.h"
#include "observe/json_writer.h"

namespace stoq::observe::qlog {

// Appends the field "frames". Data of streams, tokens and reset tokens are left out; frames beyond
// a bound, which no ordinary packet reaches, are too.
void write_frames(JsonWriter& json, ByteView payload, PacketType type);

}  // namespace stoq::observe::qlog
