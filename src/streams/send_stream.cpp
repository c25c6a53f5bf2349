#include "streams/send_stream.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "wire/frame_encode.h"

namespace stoq::streams {

using wire::SentFrameKind;

void SendStream::open(StreamId id, std::uint64_t peer_limit) {
    buffer_.reuse();
    window_ = SendWindow(peer_limit);
    id_ = id;
    code_ = final_size_ = 0;
    state_ = SendState::kReady;
    fin_requested_ = fin_lost_ = fin_acked_ = stopped_ = false;
}

bool SendStream::is_terminal() const {
    return state_ == SendState::kDataReceived || state_ == SendState::kResetReceived;
}

std::optional<ApiError> SendStream::refusal() const {
    //= 9000-4.5-2
    if (is_sending() && !fin_requested_) return std::nullopt;
    return stopped_ ? ApiError::kStreamReset : ApiError::kStreamFinished;
}

bool SendStream::reset(std::uint64_t code) {
    return abandon(code);
}

bool SendStream::on_stop_sending(std::uint64_t code) {
    //= 9000-3.5-2
    //= 9000-3.5-3
    //= 9000-3.5-5
    const bool was_reset = state_ == SendState::kPartialReset;
    if (!abandon(code)) return false;
    stopped_ = !was_reset;
    return true;
}

bool SendStream::abandon(std::uint64_t code) {
    switch (state_) {
        //= 9000-3.1-1
        case SendState::kReady:
        case SendState::kSend:
        case SendState::kDataSent: code_ = code; break;
        case SendState::kPartialReset: break;  // the peer may know its code
        case SendState::kResetSent:
        case SendState::kDataReceived:
        case SendState::kResetReceived: return false;
    }
    //= 9000-13.3-1
    final_size_ = buffer_.next_offset();
    reliable_size_ = 0;
    buffer_.clear();
    state_ = SendState::kResetSent;
    return true;
}

ApiResult<std::uint64_t> SendStream::reset_at(std::uint64_t code, std::uint64_t reliable_size) {
    switch (state_) {
        case SendState::kReady:
        case SendState::kSend:
        case SendState::kDataSent:
            if (reliable_size > buffer_.end_offset()) {
                return std::unexpected(ApiError::kInvalidArgument);
            }
            code_ = code;
            break;
        case SendState::kPartialReset:
            if (reliable_size > reliable_size_) return std::unexpected(ApiError::kInvalidArgument);
            if (reliable_size == reliable_size_) return 0;
            break;
        // Nothing more is promised than before.
        case SendState::kResetSent:
        case SendState::kResetReceived:
            if (reliable_size > reliable_size_) return std::unexpected(ApiError::kInvalidArgument);
            return 0;
        case SendState::kDataReceived: return 0;
    }
    STOQ_CHECK(reliable_size > 0);
    state_ = SendState::kPartialReset;
    reliable_size_ = reliable_size;
    fin_requested_ = fin_lost_ = reset_acked_ = false;
    reset_waits_ = true;
    return buffer_.truncate(reliable_size);
}

bool SendStream::has_repair_after_end() const {
    switch (state_) {
        case SendState::kDataSent: return buffer_.has_lost() || fin_lost_;
        case SendState::kPartialReset: return buffer_.has_lost();
        case SendState::kReady:
        case SendState::kSend:
        case SendState::kResetSent:
        case SendState::kDataReceived:
        case SendState::kResetReceived: break;
    }
    return false;
}

bool SendStream::is_blocked() const {
    return has_new_bytes() && buffer_.unsent() > 0 && window_.available() == 0;
}

bool SendStream::write_repair(wire::PayloadWriter& writer) {
    if (!buffer_.has_lost()) return write_stream(writer, buffer_.end_offset(), 0, true).has_value();
    const Interval range = buffer_.first_lost();
    const bool fin = fin_requested_ && range.end == buffer_.end_offset();
    return write_stream(writer, range.begin, range.length(), fin).has_value();
}

std::optional<std::uint64_t> SendStream::write_new(wire::PayloadWriter& writer,
                                                   std::uint64_t credit) {
    //= 9000-2.2-4
    //= 9000-4.1-1
    //= 9000-19.10-3
    const std::uint64_t available = std::min(sendable(), credit);
    const bool fin = fin_requested_ && available == buffer_.unsent();
    const auto sent = write_stream(writer, buffer_.next_offset(), available, fin);
    if (sent) window_.use(*sent);
    return sent;
}

std::optional<std::uint64_t> SendStream::write_stream(wire::PayloadWriter& writer,
                                                      std::uint64_t offset, std::uint64_t available,
                                                      bool fin) {
    if (!writer.can_record()) return std::nullopt;
    const auto layout = wire::encode_stream_header(
        writer.bytes(),
        {.id = id_, .offset = offset, .available = available, .fin = fin, .may_fill_packet = true});
    if (!layout) return std::nullopt;
    if (layout->data_length > 0) {
        const auto room = writer.bytes().reserve(layout->data_length);
        STOQ_CHECK(room.has_value());
        buffer_.copy(offset, *room);
        buffer_.on_sent(offset, layout->data_length);
    }
    writer.record({.kind = SentFrameKind::kStream,
                   .fin = layout->fin,
                   .length = static_cast<std::uint32_t>(layout->data_length),
                   .id = id_.value(),
                   .offset = offset});
    on_frame_written(layout->fin);
    return layout->data_length;
}

void SendStream::on_new_written(std::uint64_t length) {
    STOQ_CHECK(length < sendable());
    buffer_.on_sent(buffer_.next_offset(), length);
    window_.use(length);
    on_frame_written(false);
}

void SendStream::on_frame_written(bool fin) {
    switch (state_) {
        case SendState::kReady:
        case SendState::kSend: state_ = fin ? SendState::kDataSent : SendState::kSend; return;
        case SendState::kDataSent:
            if (fin) fin_lost_ = false;
            return;
        case SendState::kPartialReset: return;
        //= 9000-3.3-1
        //= 9000-3.3-2
        case SendState::kResetSent:
        case SendState::kDataReceived:
        case SendState::kResetReceived: break;
    }
    STOQ_CHECK(false);
}

bool SendStream::write_reset_stream(wire::PayloadWriter& writer) {
    if (!writer.can_record()) return false;
    if (state_ == SendState::kPartialReset) {
        // No new bytes follow those that are promised, so the final size stays what it is here.
        const wire::ResetStreamAtFrame frame{.id = id_,
                                             .error_code = code_,
                                             .final_size = buffer_.next_offset(),
                                             .reliable_size = reliable_size_};
        if (!wire::encode(writer.bytes(), frame)) return false;
        reset_waits_ = false;
    } else {
        const wire::ResetStreamFrame frame{
            .id = id_, .error_code = code_, .final_size = final_size_};
        if (!wire::encode(writer.bytes(), frame)) return false;
    }
    writer.record({.kind = SentFrameKind::kResetStream,
                   .fin = false,
                   .length = 0,
                   .id = id_.value(),
                   .value = reliable_size_});
    return true;
}

bool SendStream::write_stream_data_blocked(wire::PayloadWriter& writer) {
    if (!writer.can_record()) return false;
    const wire::StreamDataBlockedFrame frame{.id = id_, .limit = window_.limit()};
    if (!wire::encode(writer.bytes(), frame)) return false;
    writer.record({.kind = SentFrameKind::kStreamDataBlocked,
                   .fin = false,
                   .length = 0,
                   .id = id_.value(),
                   .value = frame.limit});
    if (state_ == SendState::kReady) state_ = SendState::kSend;
    return true;
}

std::uint64_t SendStream::on_acked(std::uint64_t offset, std::uint64_t length, bool fin) {
    switch (state_) {
        case SendState::kSend: return buffer_.on_acked(offset, length);
        case SendState::kDataSent: break;
        case SendState::kPartialReset: {
            const std::uint64_t released = buffer_.on_acked(offset, length);
            finish_partial_reset();
            return released;
        }
        case SendState::kReady:
        case SendState::kResetSent:
        case SendState::kDataReceived:
        case SendState::kResetReceived: return 0;
    }
    const std::uint64_t released = buffer_.on_acked(offset, length);
    if (fin) {
        fin_acked_ = true;
        fin_lost_ = false;
    }
    if (fin_acked_ && buffer_.all_acked()) state_ = SendState::kDataReceived;
    return released;
}

void SendStream::on_lost(std::uint64_t offset, std::uint64_t length, bool fin) {
    switch (state_) {
        case SendState::kSend:
        case SendState::kDataSent: break;
        case SendState::kPartialReset: buffer_.on_lost(offset, length); return;
        case SendState::kReady:
        case SendState::kResetSent:
        case SendState::kDataReceived:
        case SendState::kResetReceived: return;
    }
    buffer_.on_lost(offset, length);
    if (fin && !fin_acked_) fin_lost_ = true;
}

void SendStream::finish_partial_reset() {
    if (reset_acked_ && buffer_.all_acked()) state_ = SendState::kResetReceived;
}

void SendStream::on_reset_acked(std::uint64_t reliable_size) {
    // One that promised more has been replaced.
    if (reliable_size != reliable_size_) return;
    switch (state_) {
        case SendState::kPartialReset:
            reset_acked_ = true;
            reset_waits_ = false;
            finish_partial_reset();
            return;
        case SendState::kResetSent: state_ = SendState::kResetReceived; return;
        case SendState::kReady:
        case SendState::kSend:
        case SendState::kDataSent:
        case SendState::kDataReceived:
        case SendState::kResetReceived: return;
    }
}

bool SendStream::on_reset_lost(std::uint64_t reliable_size) {
    if (reliable_size != reliable_size_) return false;
    if (state_ == SendState::kPartialReset && !reset_acked_) return reset_waits_ = true;
    return state_ == SendState::kResetSent;
}

std::uint64_t SendStream::restart() {
    window_.restart();
    switch (state_) {
        case SendState::kReady:
        case SendState::kSend:
        case SendState::kDataSent:
            buffer_.restart();
            state_ = SendState::kReady;
            fin_lost_ = false;
            break;
        case SendState::kPartialReset:
            reset_waits_ = true;
            buffer_.restart();
            return buffer_.truncate(reliable_size_);
        case SendState::kResetSent: final_size_ = 0; break;
        case SendState::kDataReceived:
        case SendState::kResetReceived: break;
    }
    return 0;
}

}  // namespace stoq::streams
