// Decoding the frames of an opened packet.
#pragma once

#include "base/bytes.h"
#include "stoq/error.h"
#include "wire/frame.h"
#include "wire/packet_type.h"

namespace stoq::wire {

// The next frame of a packet of type `packet`; the reader must not be empty. A run of PADDING comes
// back as one frame. Checked here: all that the frame's own bytes and the packet's type can tell
// (RFC 9000 sections 12.4, 12.5 and 19). Not checked: what depends on the role of the sender
// (FrameRule::server_only) or the state of the connection. After an error the reader's position
// means nothing.
TransportResult<Frame> decode_frame(ByteReader& reader, PacketType packet);

// The only frame of a payload that is a STREAM frame with an offset and without a length, and so
// reaches to the end. Nothing when it is another, or is wrong: decode_frame() says what.
std::optional<StreamFrame> decode_filling_stream(ByteView payload);

}  // namespace stoq::wire
