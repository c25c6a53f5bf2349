// StreamSet: what goes into packets, and what becomes of it (RFC 9000 section 13.3).
#include "streams/stream_set.h"
#include "wire/frame_encode.h"

namespace stoq::streams {
namespace {

using wire::SentFrame;
using wire::SentFrameKind;

Directionality directionality_in(const SentFrame& frame) {
    return frame.id == 0 ? Directionality::kBidirectional : Directionality::kUnidirectional;
}

// Appends a frame that is remembered by `id` and `value`.
template <typename Frame>
bool write_frame(wire::PayloadWriter& writer, const Frame& frame, SentFrameKind kind,
                 std::uint64_t id, std::uint64_t value) {
    if (!writer.can_record() || !wire::encode(writer.bytes(), frame)) return false;
    writer.record({.kind = kind, .fin = false, .length = 0, .id = id, .value = value});
    return true;
}

}  // namespace

bool StreamSet::has_pending() const {
    return !connection_controls_.empty() || !controls_.empty() || scheduler_.has_pending();
}

bool StreamSet::write_control_frames(wire::PayloadWriter& writer) {
    static constexpr std::array kConnectionControls{
        Control::kMaxData,
        Control::kDataBlocked,
        Control::kMaxStreamsBidirectional,
        Control::kMaxStreamsUnidirectional,
        Control::kStreamsBlockedBidirectional,
        Control::kStreamsBlockedUnidirectional,
    };
    if (!connection_controls_.empty()) {
        for (const Control control : kConnectionControls) {
            if (!connection_controls_.contains(control)) continue;
            if (!write_control(writer, control)) return false;
            connection_controls_.erase(control);
        }
    }
    while (!controls_.empty()) {
        Stream& stream = *controls_.front();
        for (const StreamControl control : kStreamControls) {
            if (!stream.controls.contains(control)) continue;
            if (!write_stream_control(writer, stream, control)) return false;
            controls_.settle(stream, control);
        }
    }
    return true;
}

bool StreamSet::write_control(wire::PayloadWriter& writer, Control control) {
    switch (control) {
        case Control::kMaxData: return write_max_data(writer);
        case Control::kDataBlocked: {
            //= 9000-4.1-4
            //= 9000-19.12-1
            const std::uint64_t limit = scheduler_.window().limit();
            return write_frame(writer, wire::DataBlockedFrame{.limit = limit},
                               SentFrameKind::kDataBlocked, 0, limit);
        }
        case Control::kMaxStreamsBidirectional:
            return write_max_streams(writer, Directionality::kBidirectional);
        case Control::kMaxStreamsUnidirectional:
            return write_max_streams(writer, Directionality::kUnidirectional);
        case Control::kStreamsBlockedBidirectional:
            return write_streams_blocked(writer, Directionality::kBidirectional);
        case Control::kStreamsBlockedUnidirectional: break;
    }
    return write_streams_blocked(writer, Directionality::kUnidirectional);
}

bool StreamSet::write_max_data(wire::PayloadWriter& writer) {
    const std::uint64_t maximum = window_.next_limit();
    const wire::MaxDataFrame frame{.maximum = maximum};
    if (!write_frame(writer, frame, SentFrameKind::kMaxData, 0, maximum)) return false;
    window_.renew();
    return true;
}

bool StreamSet::write_max_streams(wire::PayloadWriter& writer, Directionality directionality) {
    PeerStreamLimit& limit = table_.peers(directionality);
    const std::uint64_t maximum = limit.next_limit();
    const wire::MaxStreamsFrame frame{.directionality = directionality, .maximum = maximum};
    const auto id = static_cast<std::uint64_t>(directionality);
    if (!write_frame(writer, frame, SentFrameKind::kMaxStreams, id, maximum)) return false;
    limit.renew();
    return true;
}

bool StreamSet::write_streams_blocked(wire::PayloadWriter& writer, Directionality directionality) {
    const std::uint64_t limit = table_.own(directionality).limit();
    const wire::StreamsBlockedFrame frame{.directionality = directionality, .limit = limit};
    const auto id = static_cast<std::uint64_t>(directionality);
    return write_frame(writer, frame, SentFrameKind::kStreamsBlocked, id, limit);
}

bool StreamSet::write_stream_control(wire::PayloadWriter& writer, Stream& stream,
                                     StreamControl control) {
    const std::uint64_t id = stream.id.value();
    switch (control) {
        case StreamControl::kResetStream: return stream.send.write_reset_stream(writer);
        //= 9000-3.3-3
        case StreamControl::kStopSending:
            return write_frame(
                writer,
                wire::StopSendingFrame{.id = stream.id, .error_code = stream.receive.stop_code()},
                SentFrameKind::kStopSending, id, 0);
        case StreamControl::kMaxStreamData: return write_max_stream_data(writer, stream);
        //= 9000-19.13-1
        case StreamControl::kStreamDataBlocked: break;
    }
    return stream.send.write_stream_data_blocked(writer);
}

bool StreamSet::write_max_stream_data(wire::PayloadWriter& writer, Stream& stream) {
    ReceiveWindow& window = stream.receive.window();
    const std::uint64_t maximum = window.next_limit();
    const wire::MaxStreamDataFrame frame{.id = stream.id, .maximum = maximum};
    if (!write_frame(writer, frame, SentFrameKind::kMaxStreamData, stream.id.value(), maximum)) {
        return false;
    }
    window.renew();
    return true;
}

bool StreamSet::write_stream_frames(wire::PayloadWriter& writer) {
    const bool written = scheduler_.write_stream_frames(writer, controls_);
    note_connection_blocked();
    return written;
}

std::optional<StreamRun> StreamSet::next_run() const {
    if (!connection_controls_.empty() || !controls_.empty()) return std::nullopt;
    Stream* const stream = scheduler_.lone_stream();
    if (stream == nullptr) return std::nullopt;
    return StreamRun{
        .stream = stream,
        .id = stream->id,
        .offset = stream->send.next_offset(),
        .available = std::min(stream->send.sendable(), scheduler_.window().available())};
}

void StreamSet::on_run_written(const StreamRun& run, std::uint64_t length) {
    run.stream->send.on_new_written(length);
    scheduler_.window().use(length);
}

void StreamSet::note_blocked(Stream& stream) {
    if (stream.send.should_report_blocked()) {
        controls_.request(stream, StreamControl::kStreamDataBlocked);
    }
    note_connection_blocked();
}

void StreamSet::note_connection_blocked() {
    if (scheduler_.is_blocked() && scheduler_.window().should_report_blocked()) {
        connection_controls_.insert(Control::kDataBlocked);
    }
}

//= 9000-4.1-5
bool StreamSet::repeat_blocked_signals() {
    bool blocked = scheduler_.is_blocked();
    if (blocked) connection_controls_.insert(Control::kDataBlocked);
    table_.for_each([&](Stream& stream) {
        if (!stream.sends || !stream.send.is_blocked()) return;
        controls_.request(stream, StreamControl::kStreamDataBlocked);
        blocked = true;
    });
    return blocked;
}

void StreamSet::on_acked(const SentFrame& frame) {
    if (frame.kind != SentFrameKind::kStream && frame.kind != SentFrameKind::kResetStream) return;
    Stream* const stream = table_.find(StreamId(frame.id));
    if (stream == nullptr || !stream->sends) return;
    if (frame.kind == SentFrameKind::kStream) {
        on_stream_frame_acked(*stream, frame);
    } else {
        // It may have been taken for lost, and wait to be sent again.
        stream->send.on_reset_acked(frame.value);
        if (!stream->send.wants_reset()) controls_.settle(*stream, StreamControl::kResetStream);
        forget_if_done(*stream);
    }
}

void StreamSet::on_stream_frame_acked(Stream& stream, const SentFrame& frame) {
    const SendState before = stream.send.state();
    const std::uint64_t released = stream.send.on_acked(frame.offset, frame.length, frame.fin);
    scheduler_.refresh(stream);
    if (released > 0) {
        on_released(released);
        wake_writer(stream);
    }
    if (stream.send.state() == SendState::kDataReceived && before != SendState::kDataReceived) {
        notify(stream, StreamNotice::kAllAcknowledged);
    }
    if (stream.send.state() == SendState::kResetReceived) forget_if_done(stream);
}

void StreamSet::on_lost(const SentFrame& frame) {
    switch (frame.kind) {
        case SentFrameKind::kStream:
        case SentFrameKind::kResetStream:
        case SentFrameKind::kStopSending:
        case SentFrameKind::kMaxStreamData:
        case SentFrameKind::kStreamDataBlocked:
            if (Stream* const stream = table_.find(StreamId(frame.id))) {
                on_stream_frame_lost(*stream, frame);
            }
            return;
        case SentFrameKind::kMaxData:
        case SentFrameKind::kMaxStreams:
        case SentFrameKind::kDataBlocked:
        case SentFrameKind::kStreamsBlocked: on_connection_frame_lost(frame); return;
        case SentFrameKind::kNone:
        case SentFrameKind::kAck:
        case SentFrameKind::kCrypto:
        case SentFrameKind::kNewConnectionId:
        case SentFrameKind::kRetireConnectionId:
        case SentFrameKind::kNewToken:
        case SentFrameKind::kHandshakeDone:
        case SentFrameKind::kPathChallenge:
        case SentFrameKind::kPathResponse:
        case SentFrameKind::kMtuProbe:
        case SentFrameKind::kDatagram:
        case SentFrameKind::kAckFrequency: return;
    }
}

void StreamSet::on_stream_frame_lost(Stream& stream, const SentFrame& frame) {
    if (frame.kind == SentFrameKind::kStream && stream.sends) {
        stream.send.on_lost(frame.offset, frame.length, frame.fin);
        scheduler_.refresh(stream);
    } else if (frame.kind == SentFrameKind::kResetStream &&
               stream.send.on_reset_lost(frame.value)) {
        controls_.request(stream, StreamControl::kResetStream);
    } else if (frame.kind == SentFrameKind::kStopSending && stream.receive.wants_stop_sending()) {
        controls_.request(stream, StreamControl::kStopSending);
    } else if (frame.kind == SentFrameKind::kMaxStreamData && stream.receive.wants_credit() &&
               frame.value == stream.receive.window().limit()) {
        controls_.request(stream, StreamControl::kMaxStreamData);
    } else if (frame.kind == SentFrameKind::kStreamDataBlocked &&
               stream.send.is_blocked_at(frame.value)) {
        controls_.request(stream, StreamControl::kStreamDataBlocked);
    }
}

void StreamSet::on_connection_frame_lost(const SentFrame& frame) {
    const Directionality directionality = directionality_in(frame);
    if (frame.kind == SentFrameKind::kMaxData && frame.value == window_.limit()) {
        connection_controls_.insert(Control::kMaxData);
    } else if (frame.kind == SentFrameKind::kMaxStreams &&
               frame.value == table_.peers(directionality).limit()) {
        connection_controls_.insert(max_streams_control(directionality));
    } else if (frame.kind == SentFrameKind::kDataBlocked && scheduler_.is_blocked() &&
               frame.value == scheduler_.window().limit()) {
        connection_controls_.insert(Control::kDataBlocked);
    } else if (frame.kind == SentFrameKind::kStreamsBlocked &&
               table_.own(directionality).on_report_lost(frame.value)) {
        connection_controls_.insert(streams_blocked_control(directionality));
    }
}

}  // namespace stoq::streams
