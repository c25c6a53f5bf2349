// What a StreamSet tells the application, by polling.
#pragma once

#include <cstdint>

#include "stoq/types.h"

namespace stoq::streams {

enum class StreamEventKind : std::uint8_t {
    kOpened,            // the peer opened `stream`
    kReadable,          // bytes or the end; again only after everything was consumed
    kWritable,          // write() took less than offered before; now it takes more
    kResetReceived,     // RESET_STREAM with `code`
    kStopReceived,      // STOP_SENDING with `code`; the stream is reset in answer
    kAllAcknowledged,   // everything written, and the end
    kStreamsAvailable,  // open() was refused before; now it can succeed for `directionality`
};

struct StreamEvent {
    StreamEventKind kind = StreamEventKind::kOpened;
    Directionality directionality = Directionality::kBidirectional;
    StreamId stream;
    std::uint64_t code = 0;
};

}  // namespace stoq::streams
