// Encoding frames into the room that is left in a packet.
//
// Every function returns false (or nothing), and leaves the writer as it was, when the frame does
// not fit or a value exceeds 2^62-1.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/interval_set.h"
#include "wire/frame.h"

namespace stoq::wire {

bool encode(ByteWriter& writer, const PaddingFrame& frame);
bool encode(ByteWriter& writer, const PingFrame& frame);
bool encode(ByteWriter& writer, const AckFrame& frame);
bool encode(ByteWriter& writer, const ResetStreamFrame& frame);
bool encode(ByteWriter& writer, const ResetStreamAtFrame& frame);
bool encode(ByteWriter& writer, const StopSendingFrame& frame);
bool encode(ByteWriter& writer, const CryptoFrame& frame);
bool encode(ByteWriter& writer, const NewTokenFrame& frame);
// With an explicit length; see encode_stream_header for sending from a buffer.
bool encode(ByteWriter& writer, const StreamFrame& frame);
bool encode(ByteWriter& writer, const MaxDataFrame& frame);
bool encode(ByteWriter& writer, const MaxStreamDataFrame& frame);
bool encode(ByteWriter& writer, const MaxStreamsFrame& frame);
bool encode(ByteWriter& writer, const DataBlockedFrame& frame);
bool encode(ByteWriter& writer, const StreamDataBlockedFrame& frame);
bool encode(ByteWriter& writer, const StreamsBlockedFrame& frame);
bool encode(ByteWriter& writer, const NewConnectionIdFrame& frame);
bool encode(ByteWriter& writer, const RetireConnectionIdFrame& frame);
bool encode(ByteWriter& writer, const PathChallengeFrame& frame);
bool encode(ByteWriter& writer, const PathResponseFrame& frame);
// A reason that does not fit is cut to what does.
bool encode(ByteWriter& writer, const ConnectionCloseFrame& frame);
bool encode(ByteWriter& writer, const HandshakeDoneFrame& frame);
// With an explicit length.
bool encode(ByteWriter& writer, const DatagramFrame& frame);
bool encode(ByteWriter& writer, const AckFrequencyFrame& frame);
bool encode(ByteWriter& writer, const ImmediateAckFrame& frame);
bool encode(ByteWriter& writer, const Frame& frame);

// An ACK frame of as many of the highest ranges as fit. `ascending` are half-open intervals of
// packet numbers, as IntervalSet keeps them; `ecn` may be null. Returns how many ranges were
// written; 0 means that nothing was.
std::size_t encode_ack(ByteWriter& writer, std::span<const Interval> ascending,
                       std::uint64_t ack_delay, const EcnCounts* ecn);

struct StreamFrameRequest {
    StreamId id;
    std::uint64_t offset = 0;
    std::uint64_t available = 0;   // bytes that could be sent from `offset`
    bool fin = false;              // the stream ends behind the last available byte
    bool may_fill_packet = false;  // no frame follows, so that a frame that reaches the end of the
                                   // room may go without its Length field
};

struct StreamFrameLayout {
    std::size_t data_length = 0;
    bool fin = false;  // was asked for, and everything available fits
};

// Writes a STREAM frame up to where its data begins. The caller then appends exactly `data_length`
// bytes, for which the room is there. Nothing when not even one byte (or, without data, the FIN)
// fits.
std::optional<StreamFrameLayout> encode_stream_header(ByteWriter& writer,
                                                      const StreamFrameRequest& request);

// The same for CRYPTO: returns how many of the `available` bytes at `offset` must follow.
std::optional<std::size_t> encode_crypto_header(ByteWriter& writer, std::uint64_t offset,
                                                std::uint64_t available);

}  // namespace stoq::wire
