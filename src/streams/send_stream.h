// SendStream: the sending part of a stream (RFC 9000 section 3.1).
//
//            write_new / write_repair (STREAM, STREAM_DATA_BLOCKED)
//   kReady ------------------> kSend ---- FIN written ----> kDataSent -- all acked -->
//   kDataReceived
//      |                         |                              |
//      '------- reset() ---------+------ on_stop_sending() -----'
//                                v
//                            kResetSent ------ RESET_STREAM acked -----------------> kResetReceived
//
// The stream counts as reset from the decision on; the frame follows with the next packet. A
// STOP_SENDING resets at once in every state before the terminal ones: the peer has no use for
// what is still in flight.
//
// reset_at() leads from the first three states to kPartialReset, where the first bytes still go and
// RESET_STREAM_AT follows them (draft-ietf-quic-reliable-stream-reset); from there to
// kResetReceived when both are acknowledged, or by reset() and on_stop_sending() to kResetSent.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "stoq/error.h"
#include "streams/flow_control.h"
#include "streams/send_buffer.h"
#include "wire/payload_writer.h"

namespace stoq::streams {

enum class SendState : std::uint8_t {
    kReady,          // nothing was sent yet
    kSend,           // data was sent, the end was not
    kPartialReset,   // abandoned but for the first bytes: they and RESET_STREAM_AT are to arrive
    kDataSent,       // everything was sent once, awaiting acknowledgements
    kResetSent,      // abandoned, awaiting the acknowledgement of RESET_STREAM
    kDataReceived,   // terminal: the peer has everything
    kResetReceived,  // terminal: the peer knows of the reset
};

class SendStream {
public:
    // `pool` has to outlive the stream.
    explicit SendStream(BlockPool& pool) : buffer_(pool) {}

    // As new, with the limit that the peer set for it.
    void open(StreamId id, std::uint64_t peer_limit);

    SendState state() const { return state_; }
    bool is_terminal() const;

    // --- The application ---
    // Why nothing more can be written: kStreamFinished or kStreamReset.
    std::optional<ApiError> refusal() const;
    // Only when there is no refusal().
    void append(ByteView bytes) { buffer_.append(bytes); }
    void append(SharedBytes bytes) { buffer_.append(std::move(bytes)); }
    void finish() { fin_requested_ = true; }
    // Bytes written and not acknowledged.
    std::uint64_t buffered() const { return buffer_.buffered(); }
    // True when RESET_STREAM has to be sent; the buffered bytes are gone then.
    bool reset(std::uint64_t code);
    // The same for all but the first `reliable_size` bytes, at least one, with a code that the
    // first call of the two kinds settles. Returns how many bytes were released. When reset_due()
    // becomes true, RESET_STREAM_AT has to be sent.
    // @error kInvalidArgument when fewer were written, or fewer promised before.
    ApiResult<std::uint64_t> reset_at(std::uint64_t code, std::uint64_t reliable_size);

    // --- The peer ---
    // True when RESET_STREAM has to be sent, with the peer's code (section 3.5), unless there was a
    // reset_at() with another.
    bool on_stop_sending(std::uint64_t code);
    // By the peer, and not reset before.
    bool was_stopped() const { return stopped_; }
    // True when the limit rose.
    bool on_max_stream_data(std::uint64_t limit) { return window_.raise(limit); }

    // --- Packets ---
    // Something that costs no flow control credit: lost data, or a FIN without new bytes.
    bool has_repair() const {
        if (!is_sending()) return has_repair_after_end();
        return buffer_.has_lost() || (fin_requested_ && buffer_.unsent() == 0);
    }
    // New bytes that the stream's own window lets go.
    std::uint64_t sendable() const {
        return has_new_bytes() ? std::min(buffer_.unsent(), window_.available()) : 0;
    }
    // New bytes wait for the peer to raise the stream's limit.
    bool is_blocked() const;

    // Appends one STREAM frame. False when nothing fits, and nothing was written.
    bool write_repair(wire::PayloadWriter& writer);
    // The same with new bytes, at most `credit`; returns how many, or nothing when none fits.
    std::optional<std::uint64_t> write_new(wire::PayloadWriter& writer, std::uint64_t credit);
    // Where write_new() would go on.
    std::uint64_t next_offset() const { return buffer_.next_offset(); }
    // `out.size()` bytes that are buffered: where they lie, if in one piece, or copied to `out`.
    ByteView view_or_copy(std::uint64_t offset, Bytes out) const {
        const ByteView piece = buffer_.view(offset, out.size());
        if (piece.size() == out.size()) return piece;
        buffer_.copy(offset, out);
        return {};
    }
    // `length` new bytes were put into STREAM frames as write_new() would have done, and neither
    // all that is buffered nor all the credit.
    void on_new_written(std::uint64_t length);
    // RESET_STREAM_AT is not in flight, and all bytes that it promises have been sent.
    bool reset_due() const {
        return state_ == SendState::kPartialReset && reset_waits_ &&
               buffer_.next_offset() >= reliable_size_;
    }
    // RESET_STREAM or RESET_STREAM_AT may be sent.
    bool wants_reset() const { return state_ == SendState::kResetSent || reset_due(); }
    // Appends RESET_STREAM or RESET_STREAM_AT. False when the frame does not fit.
    bool write_reset_stream(wire::PayloadWriter& writer);
    bool write_stream_data_blocked(wire::PayloadWriter& writer);

    // Returns how many buffered bytes were released.
    std::uint64_t on_acked(std::uint64_t offset, std::uint64_t length, bool fin);
    void on_lost(std::uint64_t offset, std::uint64_t length, bool fin);
    // A reset frame that promised `reliable_size` bytes.
    void on_reset_acked(std::uint64_t reliable_size);
    // True when it has to be sent again.
    bool on_reset_lost(std::uint64_t reliable_size);
    // True when STREAM_DATA_BLOCKED has to be sent: blocked, and the peer was not told yet.
    bool should_report_blocked() { return is_blocked() && window_.should_report_blocked(); }
    // True when STREAM_DATA_BLOCKED still holds for the limit that it was sent for.
    bool is_blocked_at(std::uint64_t limit) const {
        return is_blocked() && limit == window_.limit();
    }

    // 0-RTT was rejected: everything unacknowledged counts as never sent, no limit is known.
    // Returns how many buffered bytes were released: those behind a promise.
    std::uint64_t restart();

    std::uint64_t reset_code() const { return code_; }

private:
    bool is_sending() const { return state_ == SendState::kReady || state_ == SendState::kSend; }
    bool has_repair_after_end() const;
    bool has_new_bytes() const { return is_sending() || state_ == SendState::kPartialReset; }
    void finish_partial_reset();
    bool abandon(std::uint64_t code);
    void on_frame_written(bool fin);
    std::optional<std::uint64_t> write_stream(wire::PayloadWriter& writer, std::uint64_t offset,
                                              std::uint64_t available, bool fin);

    SendBuffer buffer_;
    SendWindow window_;
    StreamId id_;
    std::uint64_t code_ = 0;           // of RESET_STREAM
    std::uint64_t final_size_ = 0;     // of RESET_STREAM
    std::uint64_t reliable_size_ = 0;  // once reset: of RESET_STREAM_AT; 0: RESET_STREAM
    SendState state_ = SendState::kReady;
    bool fin_requested_ = false;
    bool fin_lost_ = false;
    bool fin_acked_ = false;
    bool stopped_ = false;
    // In kPartialReset: RESET_STREAM_AT is not in flight; it was acknowledged.
    bool reset_waits_ = false;
    bool reset_acked_ = false;
};

}  // namespace stoq::streams
