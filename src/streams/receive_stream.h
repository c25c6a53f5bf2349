// ReceiveStream: the receiving part of a stream (RFC 9000 section 3.2).
//
//   kReceive -- FIN --> kSizeKnown -- all data --> kDataReceived -- read to the end --> kDataRead
//      |                    |
//      '-- RESET_STREAM ----+--------------------> kResetReceived - told the application ->
//      kResetRead
//
// A RESET_STREAM that comes after all data is ignored: the data is delivered. Received before,
// unread bytes are discarded. A RESET_STREAM_AT leads to kSizeKnown, and takes effect as soon as
// the bytes that it promises have been read (draft-ietf-quic-reliable-stream-reset). After
// stop_sending() bytes are counted but not kept, and the last step to a terminal state does not
// wait for the application.
#pragma once

#include <cstdint>
#include <optional>

#include "stoq/error.h"
#include "streams/flow_control.h"
#include "streams/reassembler.h"

namespace stoq::streams {

enum class ReceiveState : std::uint8_t {
    kReceive,        // the end is not known
    kSizeKnown,      // the end is known, some data is missing
    kDataReceived,   // all data is here, some of it unread
    kDataRead,       // terminal: the application has read to the end
    kResetReceived,  // reset, the application was not told yet
    kResetRead,      // terminal: the application knows of the reset
};

// The next bytes in order. They stay valid until consume() or settle().
struct ReadView {
    ByteView bytes;
    bool finished = false;  // nothing comes behind `bytes`
};

// The same in several pieces, which the caller has given the room for.
struct ReadPieces {
    std::size_t count = 0;
    std::size_t length = 0;  // bytes of all
    bool finished = false;   // nothing comes behind the last
};

// RESET_STREAM, or RESET_STREAM_AT with a reliable size.
struct PeerReset {
    std::uint64_t code = 0;
    std::uint64_t final_size = 0;
    std::uint64_t reliable_size = 0;  // at most final_size
    bool at = false;                  // RESET_STREAM_AT, even of nothing
};

// What a frame did.
struct ReceiveOutcome {
    bool readable = false;        // bytes or the end became readable
    bool reset = false;           // the application has to be told of the reset
    std::uint64_t discarded = 0;  // bytes of flow control credit that nobody will read
};

class ReceiveStream {
public:
    // `pool` has to outlive the stream.
    explicit ReceiveStream(BlockPool& pool) : reassembler_(pool) {}

    // As new, with a receive window.
    void open(const ReceiveWindow& window);

    ReceiveState state() const { return state_; }
    bool is_terminal() const;

    // --- The peer ---
    // By how much a frame that ends at `end` raises the largest offset seen: what it takes from
    // the connection's flow control.
    std::uint64_t growth(std::uint64_t end) const { return end > largest_ ? end - largest_ : 0; }
    // @error kFlowControlError, kFinalSizeError, kStreamStateError, kInternalError. The frame type
    // is left to the caller.
    TransportResult<ReceiveOutcome> on_stream(std::uint64_t offset, ByteView data, bool fin);
    TransportResult<ReceiveOutcome> on_reset(const PeerReset& reset);

    // --- The application ---
    // @error kStreamReset after a reset or stop_sending().
    ApiResult<ReadView> peek();
    ApiResult<ReadPieces> peek(std::span<ByteView> into);
    // @error kInvalidArgument when fewer bytes are readable, kStreamReset as peek().
    ApiResult<void> consume(std::uint64_t length);
    // Bytes are there, or an end that peek() has not shown yet.
    bool has_unread() const;
    // True when STOP_SENDING has to be sent. `discarded` grows by the bytes that were unread.
    bool stop_sending(std::uint64_t code, std::uint64_t& discarded);
    // All that a RESET_STREAM_AT promises was read: take_reset() lets it take effect.
    bool reset_reached() const {
        return has_promise() && reassembler_.read_offset() >= reliable_size_;
    }
    ReceiveOutcome take_reset();
    // The application was told of the reset.
    void on_reset_told();

    // --- Flow control ---
    ReceiveWindow& window() { return window_; }
    // MAX_STREAM_DATA makes sense in this state only (section 13.3).
    bool wants_credit() const { return state_ == ReceiveState::kReceive && !stopping_; }

    // STOP_SENDING makes sense: it was asked for, and neither all data nor a reset has come.
    bool wants_stop_sending() const;
    std::uint64_t stop_code() const { return stop_code_; }
    std::uint64_t reset_code() const { return reset_code_; }

    bool has_borrowed() const { return reassembler_.has_borrowed(); }
    void settle() { reassembler_.settle(); }

private:
    TransportResult<void> check_end(std::uint64_t end, bool fin) const;
    bool complete();
    // A RESET_STREAM_AT has come, and waits for the bytes that it promises to be read.
    bool has_promise() const {
        return state_ == ReceiveState::kSizeKnown && reliable_size_ != kUnknownSize;
    }
    void hide_behind_promise(ReadPieces& shown, std::span<ByteView> pieces) const;

    static constexpr std::uint64_t kUnknownSize = UINT64_MAX;

    Reassembler reassembler_;
    ReceiveWindow window_;
    std::uint64_t largest_ = 0;  // end of the byte with the largest offset
    std::uint64_t final_size_ = kUnknownSize;
    std::uint64_t reliable_size_ = kUnknownSize;  // the smallest of all resets
    std::uint64_t reset_code_ = 0;
    std::uint64_t stop_code_ = 0;
    ReceiveState state_ = ReceiveState::kReceive;
    bool stopping_ = false;
    bool end_shown_ = false;  // peek() has shown the end
    bool reset_at_ = false;   // a RESET_STREAM_AT has come
};

}  // namespace stoq::streams
