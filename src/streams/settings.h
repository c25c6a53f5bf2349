// What a StreamSet is configured with, and what it knows of the peer's limits.
#pragma once

#include <cstdint>

namespace stoq::streams {

// Sizes in bytes. The initial values are those that we advertise in our transport parameters.
struct StreamSettings {
    std::uint64_t initial_stream_window = 1024 * 1024;
    std::uint64_t max_stream_window = 32 * 1024 * 1024;
    std::uint64_t initial_connection_window = 2 * 1024 * 1024;
    std::uint64_t max_connection_window = 48 * 1024 * 1024;
    // Streams that the peer may have open at once.
    std::uint64_t max_bidirectional_streams = 100;
    std::uint64_t max_unidirectional_streams = 100;
    // Bytes written and not yet acknowledged: of one stream, which grows with the congestion
    // window, and of all together, or of one when that has grown beyond it.
    std::uint64_t initial_send_buffer_per_stream = 4 * 1024 * 1024;
    std::uint64_t max_send_buffer_per_stream = 32 * 1024 * 1024;
    std::uint64_t send_buffer_per_connection = 16 * 1024 * 1024;
    // Of one stream whatever the others hold: a stream that fills all of the room, again and again,
    // must not keep the answer to a request waiting.
    std::uint64_t send_buffer_reserved_per_stream = 16 * 1024;
};

// The peer's transport parameters `initial_max_*` (RFC 9000 section 18.2), as the peer sent them:
// "local" and "remote" are seen from the peer.
struct PeerLimits {
    std::uint64_t max_data = 0;
    std::uint64_t max_stream_data_bidi_local = 0;
    std::uint64_t max_stream_data_bidi_remote = 0;
    std::uint64_t max_stream_data_uni = 0;
    std::uint64_t max_streams_bidi = 0;
    std::uint64_t max_streams_uni = 0;
    bool reset_stream_at = false;  // RESET_STREAM_AT may be sent
};

}  // namespace stoq::streams
