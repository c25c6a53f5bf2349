#include "streams/receive_stream.h"

#include <algorithm>

#include "base/try.h"

namespace stoq::streams {
namespace {

std::unexpected<TransportError> failure(TransportErrorCode code, Reason reason) {
    return std::unexpected(TransportError{.code = code, .reason = reason});
}

}  // namespace

void ReceiveStream::open(const ReceiveWindow& window) {
    reassembler_.reuse();
    window_ = window;
    largest_ = 0;
    final_size_ = reliable_size_ = kUnknownSize;
    reset_code_ = stop_code_ = 0;
    state_ = ReceiveState::kReceive;
    stopping_ = end_shown_ = reset_at_ = false;
}

bool ReceiveStream::is_terminal() const {
    return state_ == ReceiveState::kDataRead || state_ == ReceiveState::kResetRead;
}

TransportResult<void> ReceiveStream::check_end(std::uint64_t end, bool fin) const {
    //= 9000-4.5-3
    //= 9000-4.5-4
    if (final_size_ != kUnknownSize) {
        if (fin && end != final_size_) {
            return failure(TransportErrorCode::kFinalSizeError, Reason::kFinalSizeChanged);
        }
        if (end > final_size_) {
            return failure(TransportErrorCode::kFinalSizeError, Reason::kBeyondFinalSize);
        }
    }
    if (fin && end < largest_) {
        return failure(TransportErrorCode::kFinalSizeError, Reason::kBeyondFinalSize);
    }
    //= 9000-4.1-2
    //= 9000-19.10-4
    //= 9000-19.8-2
    if (end > window_.limit()) {
        return failure(TransportErrorCode::kFlowControlError, Reason::kStreamDataLimit);
    }
    return {};
}

TransportResult<ReceiveOutcome> ReceiveStream::on_stream(std::uint64_t offset, ByteView data,
                                                         bool fin) {
    const std::uint64_t end = offset + data.size();
    STOQ_TRY(check_end(end, fin));
    switch (state_) {
        case ReceiveState::kReceive:
        case ReceiveState::kSizeKnown: break;
        case ReceiveState::kDataReceived:
        case ReceiveState::kDataRead:
        case ReceiveState::kResetReceived:
        case ReceiveState::kResetRead: return ReceiveOutcome{};
    }
    const std::uint64_t contiguous_before = reassembler_.contiguous_end();
    STOQ_TRY(reassembler_.insert(offset, data));
    ReceiveOutcome outcome;
    if (stopping_) outcome.discarded = growth(end);
    largest_ = std::max(largest_, end);
    if (fin && state_ == ReceiveState::kReceive) {
        final_size_ = end;
        state_ = ReceiveState::kSizeKnown;
    }
    const bool more = reassembler_.contiguous_end() > contiguous_before;
    outcome.readable = (complete() || more) && !stopping_;
    return outcome;
}

bool ReceiveStream::complete() {
    if (has_promise()) {
        const bool kept = reassembler_.contiguous_end() >= reliable_size_;
        if (kept && stopping_) state_ = ReceiveState::kResetRead;
        return false;
    }
    if (state_ != ReceiveState::kSizeKnown || reassembler_.contiguous_end() != final_size_) {
        return false;
    }
    state_ = stopping_ ? ReceiveState::kDataRead : ReceiveState::kDataReceived;
    return true;
}

TransportResult<ReceiveOutcome> ReceiveStream::on_reset(const PeerReset& reset) {
    STOQ_TRY(check_end(reset.final_size, true));
    // Of a peer that sends RESET_STREAM alone, nobody minds another code (RFC 9000 names no error).
    reset_at_ |= reset.at;
    if (reset_at_ && reliable_size_ != kUnknownSize && reset.code != reset_code_) {
        return failure(TransportErrorCode::kStreamStateError, Reason::kResetCodeChanged);
    }
    switch (state_) {
        case ReceiveState::kReceive:
        case ReceiveState::kSizeKnown: break;
        case ReceiveState::kDataReceived:
        case ReceiveState::kDataRead:
        case ReceiveState::kResetReceived:
        case ReceiveState::kResetRead: return ReceiveOutcome{};
    }
    //= 9000-4.5-1
    //= 9000-3.2-2
    ReceiveOutcome outcome;
    if (stopping_) outcome.discarded = growth(reset.final_size);
    largest_ = final_size_ = reset.final_size;
    reliable_size_ = std::min(reliable_size_, reset.reliable_size);
    reset_code_ = reset.code;
    state_ = stopping_ ? ReceiveState::kResetRead : ReceiveState::kSizeKnown;
    return reset_reached() ? take_reset() : outcome;
}

ReceiveOutcome ReceiveStream::take_reset() {
    ReceiveOutcome outcome;
    outcome.discarded = final_size_ - reassembler_.read_offset();
    outcome.reset = true;
    reassembler_.discard();
    state_ = ReceiveState::kResetReceived;
    return outcome;
}

ApiResult<ReadView> ReceiveStream::peek() {
    ByteView bytes;
    const ReadPieces pieces = STOQ_TRY(peek({&bytes, 1}));
    return ReadView{.bytes = bytes, .finished = pieces.finished};
}

ApiResult<ReadPieces> ReceiveStream::peek(std::span<ByteView> into) {
    switch (state_) {
        case ReceiveState::kReceive:
        case ReceiveState::kSizeKnown:
        case ReceiveState::kDataReceived:
        case ReceiveState::kDataRead: break;
        case ReceiveState::kResetReceived:
        case ReceiveState::kResetRead: return std::unexpected(ApiError::kStreamReset);
    }
    if (stopping_) return std::unexpected(ApiError::kStreamReset);
    ReadPieces shown;
    shown.count = reassembler_.peek(into);
    for (const ByteView& piece : into.first(shown.count)) shown.length += piece.size();
    if (has_promise()) [[unlikely]] {
        hide_behind_promise(shown, into);
        return shown;
    }
    shown.finished = reassembler_.read_offset() + shown.length == final_size_;
    end_shown_ = end_shown_ || shown.finished;
    if (shown.finished && shown.length == 0) state_ = ReceiveState::kDataRead;
    return shown;
}

// The peer gave up what it sent behind the bytes that it promises.
void ReceiveStream::hide_behind_promise(ReadPieces& shown, std::span<ByteView> pieces) const {
    const std::uint64_t promised = reliable_size_ - reassembler_.read_offset();
    while (shown.length > promised) {
        ByteView& last = pieces[shown.count - 1];
        const std::size_t extra = std::min<std::uint64_t>(shown.length - promised, last.size());
        last = last.first(last.size() - extra);
        shown.length -= extra;
        if (last.empty()) --shown.count;
    }
}

ApiResult<void> ReceiveStream::consume(std::uint64_t length) {
    switch (state_) {
        case ReceiveState::kReceive:
        case ReceiveState::kSizeKnown:
        case ReceiveState::kDataReceived:
        case ReceiveState::kDataRead: break;
        case ReceiveState::kResetReceived:
        case ReceiveState::kResetRead: return std::unexpected(ApiError::kStreamReset);
    }
    if (stopping_) return std::unexpected(ApiError::kStreamReset);
    if (length > reassembler_.readable()) return std::unexpected(ApiError::kInvalidArgument);
    reassembler_.consume(length);
    // An end that came between peek() and now was not seen: it takes another peek().
    if (end_shown_ && reassembler_.read_offset() == final_size_) state_ = ReceiveState::kDataRead;
    return {};
}

bool ReceiveStream::has_unread() const {
    switch (state_) {
        case ReceiveState::kReceive:
        case ReceiveState::kSizeKnown: return reassembler_.readable() > 0;
        case ReceiveState::kDataReceived: return true;
        case ReceiveState::kDataRead:
        case ReceiveState::kResetReceived:
        case ReceiveState::kResetRead: break;
    }
    return false;
}

bool ReceiveStream::stop_sending(std::uint64_t code, std::uint64_t& discarded) {
    switch (state_) {
        //= 9000-3.5-1
        //= 9000-3.5-7
        case ReceiveState::kReceive:
        case ReceiveState::kSizeKnown:
        case ReceiveState::kDataReceived: break;
        case ReceiveState::kDataRead:
        case ReceiveState::kResetReceived:
        case ReceiveState::kResetRead: return false;
    }
    if (stopping_) return false;
    discarded = largest_ - reassembler_.read_offset();
    reassembler_.discard();
    stop_code_ = code;
    stopping_ = true;
    if (state_ == ReceiveState::kDataReceived) state_ = ReceiveState::kDataRead;
    complete();
    return !is_terminal();
}

void ReceiveStream::on_reset_told() {
    if (state_ == ReceiveState::kResetReceived) state_ = ReceiveState::kResetRead;
}

bool ReceiveStream::wants_stop_sending() const {
    return stopping_ && (state_ == ReceiveState::kReceive || state_ == ReceiveState::kSizeKnown);
}

}  // namespace stoq::streams
