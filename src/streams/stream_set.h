// StreamSet: all streams of one connection (RFC 9000 sections 2, 3, 4 and the parts of 13.3 and 19
// that are about streams).
//
// The connection hands in decoded frames, acknowledgements and losses, and lets the set fill
// packets. The application's calls come through the connection. What happened is polled.
//
// A stream is forgotten when both of its parts are in a terminal state and the application was
// told everything; its number is never used again, and late frames for it are ignored.
#pragma once

#include <array>
#include <optional>

#include "streams/send_scheduler.h"
#include "streams/stream_events.h"
#include "streams/stream_table.h"
#include "wire/frame.h"
#include "wire/payload_writer.h"

namespace stoq::streams {

// New bytes of one stream, which write_stream_frames() would send next, and nothing but them.
struct StreamRun {
    Stream* stream = nullptr;
    StreamId id;
    std::uint64_t offset = 0;
    std::uint64_t available = 0;  // that both windows let go
};

class StreamSet {
public:
    // `resources` has to outlive the set.
    StreamSet(Role role, const StreamSettings& settings, StreamResources& resources);
    ~StreamSet();
    StreamSet(const StreamSet&) = delete;
    StreamSet& operator=(const StreamSet&) = delete;

    // --- What the peer allows ---
    // Remembered values for 0-RTT first, the handshake's later: limits only ever rise. That the
    // handshake's are not smaller (section 7.4.1) is for the caller to check.
    void set_peer_limits(const PeerLimits& limits);
    // Nothing of what was sent counts, and remembered limits are void. Call before the handshake's
    // set_peer_limits(), and do not report 0-RTT packets as lost or acknowledged afterwards.
    void on_zero_rtt_rejected();
    // The smoothed round-trip time, for tuning receive windows.
    void on_rtt(Duration smoothed) { rtt_ = smoothed; }
    // What may be in flight, for tuning send buffers.
    void on_congestion_window(std::uint64_t bytes);

    // --- Frames from the peer (stream_set_frames.cpp) ---
    // Errors are those of RFC 9000 sections 4 and 19. `frame.data` stays borrowed until settle().
    TransportResult<void> on_stream(const wire::StreamFrame& frame, Instant now);
    TransportResult<void> on_reset_stream(const wire::ResetStreamFrame& frame, Instant now);
    TransportResult<void> on_reset_stream_at(const wire::ResetStreamAtFrame& frame, Instant now);
    TransportResult<void> on_stop_sending(const wire::StopSendingFrame& frame);
    void on_max_data(const wire::MaxDataFrame& frame);
    TransportResult<void> on_max_stream_data(const wire::MaxStreamDataFrame& frame);
    void on_max_streams(const wire::MaxStreamsFrame& frame);
    void on_data_blocked(const wire::DataBlockedFrame& frame);
    TransportResult<void> on_stream_data_blocked(const wire::StreamDataBlockedFrame& frame);
    void on_streams_blocked(const wire::StreamsBlockedFrame& frame);

    // Copies what is unread out of borrowed datagrams. Once per received batch.
    void settle();

    // --- The application (stream_set_application.cpp) ---
    // Every call with a stream: @error kUnknownStream when it is not open or was forgotten,
    // kWrongDirection when it lacks the part.
    //
    // @error kStreamLimit: kStreamsAvailable follows.
    ApiResult<StreamId> open(Directionality directionality);
    // Copies; returns how many bytes were taken. Fewer than given: kWritable follows.
    // @error kStreamFinished, kStreamReset.
    ApiResult<std::size_t> write(StreamId id, ByteView bytes);
    // Keeps a reference; takes all or nothing. 0: kWritable follows.
    ApiResult<std::size_t> write(StreamId id, SharedBytes bytes);
    // @error kStreamFinished, kStreamReset.
    ApiResult<void> finish(StreamId id);
    // Codes are at most 2^62-1, or @error kInvalidArgument.
    ApiResult<void> reset(StreamId id, std::uint64_t code);
    // The first `reliable_size` bytes are still delivered.
    // @error kNotSupported by the peer; kInvalidArgument when fewer bytes were written, or fewer
    // were promised by an earlier call.
    ApiResult<void> reset_at(StreamId id, std::uint64_t code, std::uint64_t reliable_size);
    // @error kStreamReset. A view without bytes that is finished counts as read.
    ApiResult<ReadView> peek(StreamId id);
    ApiResult<ReadPieces> peek(StreamId id, std::span<ByteView> into);
    // @error kInvalidArgument when fewer bytes are readable; kStreamReset.
    ApiResult<void> consume(StreamId id, std::size_t length);
    ApiResult<void> stop_sending(StreamId id, std::uint64_t code);
    // Lower urgency goes first; a new stream has 3 and is incremental, so that none starves.
    // @error kInvalidArgument when urgency exceeds 7.
    ApiResult<void> set_priority(StreamId id, std::uint8_t urgency, bool incremental);

    std::optional<StreamEvent> poll_event();
    // poll_event() has something to tell about a stream.
    bool has_notices() const { return !notices_.empty(); }

    // --- Packets (stream_set_packets.cpp) ---
    // There is something to write into a packet.
    bool has_pending() const;
    // Among it, frames that are not about one stream.
    bool has_connection_frames() const { return !connection_controls_.empty(); }
    // The urgency of what write_stream_frames() would write first; kLowestUrgency when there is
    // nothing.
    std::uint8_t first_urgency() const { return scheduler_.first_urgency(); }
    // Flow control, resets and the like. False when some did not fit.
    bool write_control_frames(wire::PayloadWriter& writer);
    // Fills the rest of the packet, so call it last: a STREAM frame may go without a length. True
    // when at least one frame was written.
    bool write_stream_frames(wire::PayloadWriter& writer);

    // The stream that alone fills the next packets, for a caller that writes their frames itself;
    // nothing when other frames of ours wait.
    std::optional<StreamRun> next_run() const;
    // Bytes of a run: where they lie until they are acknowledged, or nothing and copied to `out`,
    // when they are not in one piece.
    ByteView view_or_copy(const StreamRun& run, std::uint64_t offset, Bytes out) const {
        return run.stream->send.view_or_copy(offset, out);
    }
    // `length` bytes from the begin of the run went into frames without an end; less than all.
    void on_run_written(const StreamRun& run, std::uint64_t length);

    // For the kinds kStream to kStreamsBlocked of SentFrame; others are ignored.
    void on_acked(const wire::SentFrame& frame);
    void on_lost(const wire::SentFrame& frame);

    // Says again where flow control blocks us; true when it does. For a sender with nothing in
    // flight, now and then, so that the connection is not taken for idle (section 4.1).
    bool repeat_blocked_signals();

    // --- Figures ---
    // open() was refused for want of credit, and the application waits for it.
    bool wants(Directionality directionality) const;
    std::size_t live_streams() const { return table_.size(); }
    std::uint64_t buffered_to_send() const { return buffered_; }
    const ReceiveWindow& receive_window() const { return window_; }

private:
    // Frames that are not about one stream, and wait for a packet.
    enum class Control : std::uint8_t {
        kMaxData,
        kDataBlocked,
        kMaxStreamsBidirectional,
        kMaxStreamsUnidirectional,
        kStreamsBlockedBidirectional,
        kStreamsBlockedUnidirectional,
    };
    static Control max_streams_control(Directionality directionality) {
        return directionality == Directionality::kBidirectional
                   ? Control::kMaxStreamsBidirectional
                   : Control::kMaxStreamsUnidirectional;
    }
    static Control streams_blocked_control(Directionality directionality) {
        return directionality == Directionality::kBidirectional
                   ? Control::kStreamsBlockedBidirectional
                   : Control::kStreamsBlockedUnidirectional;
    }

    // stream_set.cpp
    ReceiveWindow::Tuning tuning(ReceiveBudget* budget) const { return {now_, rtt_, budget}; }
    void refresh_all();
    void reset_instead();
    void apply(Stream& stream, const ReceiveOutcome& outcome);
    void on_consumed(Stream& stream, std::uint64_t bytes);
    void on_connection_consumed(std::uint64_t bytes);
    void notify(Stream& stream, StreamNotice notice);
    void withdraw(Stream& stream, StreamNotice notice);
    StreamEvent take_notice(Stream& stream);
    // The stream may be gone afterwards.
    void forget_if_done(Stream& stream);
    // Tells the peer how many streams it may open by now, if that is worth a frame.
    void offer_streams(Directionality directionality);

    // stream_set_frames.cpp
    TransportResult<void> on_peer_reset(StreamId id, const PeerReset& reset,
                                        std::uint32_t frame_type);
    TransportResult<void> check_connection_limit(std::uint64_t growth,
                                                 std::uint32_t frame_type) const;

    // stream_set_application.cpp
    enum class Needs : std::uint8_t { kSending, kReceiving };
    ApiResult<Stream*> find(StreamId id, Needs needs);
    ApiResult<Stream*> find_writable(StreamId id);
    std::uint64_t send_buffer_of_all() const;
    std::uint64_t room_for(const Stream& stream) const;
    void on_appended(Stream& stream, std::uint64_t bytes);
    void on_released(std::uint64_t bytes);
    void wake_writers();
    void wake_writer(Stream& stream);
    void after_read(Stream& stream);
    void abandon_sending(Stream& stream, std::uint64_t buffered_before);

    // stream_set_packets.cpp
    bool write_control(wire::PayloadWriter& writer, Control control);
    bool write_stream_control(wire::PayloadWriter& writer, Stream& stream, StreamControl control);
    bool write_max_data(wire::PayloadWriter& writer);
    bool write_max_streams(wire::PayloadWriter& writer, Directionality directionality);
    bool write_streams_blocked(wire::PayloadWriter& writer, Directionality directionality);
    bool write_max_stream_data(wire::PayloadWriter& writer, Stream& stream);
    void note_blocked(Stream& stream);
    void note_connection_blocked();
    void on_connection_frame_lost(const wire::SentFrame& frame);
    void on_stream_frame_lost(Stream& stream, const wire::SentFrame& frame);
    void on_stream_frame_acked(Stream& stream, const wire::SentFrame& frame);

    StreamSettings settings_;
    StreamResources& resources_;
    StreamTable table_;
    SendScheduler scheduler_;
    ControlQueue controls_;
    FlagSet<Control> connection_controls_;
    ReceiveWindow window_;             // of the connection
    std::uint64_t received_ = 0;       // sum of the largest offsets of all streams
    std::uint64_t buffered_ = 0;       // to send, of all streams
    std::uint64_t send_buffer_ = 0;    // room of one stream
    std::array<bool, 2> available_{};  // kStreamsAvailable is to be told
    IntrusiveQueue<Stream, &Stream::notice_link> notices_;
    IntrusiveQueue<Stream, &Stream::borrowed_link> borrowed_;
    IntrusiveQueue<Stream, &Stream::writer_link> writers_;
    Instant now_{};              // of the latest frame
    bool may_reset_at_ = false;  // the peer takes RESET_STREAM_AT
    Duration rtt_{};
};

}  // namespace stoq::streams
