// StreamSet: the application's calls.
#include <algorithm>
#include <utility>

#include "base/try.h"
#include "streams/stream_set.h"
#include "wire/varint.h"

namespace stoq::streams {

ApiResult<Stream*> StreamSet::find(StreamId id, Needs needs) {
    Stream* const stream = table_.find_for_application(id);
    if (stream == nullptr) return std::unexpected(ApiError::kUnknownStream);
    const bool has_part = needs == Needs::kSending ? stream->sends : stream->receives;
    if (!has_part) return std::unexpected(ApiError::kWrongDirection);
    return stream;
}

ApiResult<Stream*> StreamSet::find_writable(StreamId id) {
    Stream* const stream = STOQ_TRY(find(id, Needs::kSending));
    if (const auto refusal = stream->send.refusal()) return std::unexpected(*refusal);
    return stream;
}

ApiResult<StreamId> StreamSet::open(Directionality directionality) {
    if (Stream* const stream = table_.open(directionality)) return stream->id;
    //= 9000-4.6-5
    //= 9000-19.14-1
    if (table_.own(directionality).on_refused()) {
        connection_controls_.insert(streams_blocked_control(directionality));
    }
    return std::unexpected(ApiError::kStreamLimit);
}

bool StreamSet::wants(Directionality directionality) const {
    return table_.own(directionality).is_wanted();
}

// Twice the window: one is in flight, and while it is acknowledged the next one is written.
void StreamSet::on_congestion_window(std::uint64_t bytes) {
    const std::uint64_t wanted = std::min(2 * bytes, settings_.max_send_buffer_per_stream);
    if (wanted <= send_buffer_) return;
    send_buffer_ = wanted;
    wake_writers();
}

std::uint64_t StreamSet::send_buffer_of_all() const {
    return std::max(settings_.send_buffer_per_connection, send_buffer_);
}

std::uint64_t StreamSet::room_for(const Stream& stream) const {
    const std::uint64_t own = stream.send.buffered();
    const std::uint64_t all = send_buffer_of_all();
    const std::uint64_t left = all - std::min(all, buffered_);
    const std::uint64_t reserved = settings_.send_buffer_reserved_per_stream;
    const std::uint64_t left_to_it = std::max(left, reserved - std::min(reserved, own));
    return std::min(send_buffer_ - std::min(send_buffer_, own), left_to_it);
}

ApiResult<std::size_t> StreamSet::write(StreamId id, ByteView bytes) {
    Stream* const stream = STOQ_TRY(find_writable(id));
    const auto taken =
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), room_for(*stream)));
    if (taken < bytes.size()) writers_.push_back(stream);
    if (taken > 0) {
        stream->send.append(bytes.first(taken));
        on_appended(*stream, taken);
    }
    return taken;
}

ApiResult<std::size_t> StreamSet::write(StreamId id, SharedBytes bytes) {
    Stream* const stream = STOQ_TRY(find_writable(id));
    const std::size_t length = bytes.size();
    if (length == 0) return 0;
    // References cost no memory of ours, so one may exceed the limit; the next one waits. Where the
    // others hold all the room, one of each stream.
    const std::uint64_t room = room_for(*stream);
    const bool all_is_held = buffered_ >= send_buffer_of_all() && stream->send.buffered() > 0;
    if (room == 0 || (length > room && all_is_held)) {
        writers_.push_back(stream);
        return 0;
    }
    stream->send.append(std::move(bytes));
    on_appended(*stream, length);
    return length;
}

void StreamSet::on_appended(Stream& stream, std::uint64_t bytes) {
    buffered_ += bytes;
    scheduler_.refresh(stream);
    note_blocked(stream);
}

ApiResult<void> StreamSet::finish(StreamId id) {
    Stream* const stream = STOQ_TRY(find_writable(id));
    stream->send.finish();
    writers_.erase(stream);
    withdraw(*stream, StreamNotice::kWritable);
    scheduler_.refresh(*stream);
    return {};
}

ApiResult<void> StreamSet::reset(StreamId id, std::uint64_t code) {
    if (code > wire::kMaxVarint) return std::unexpected(ApiError::kInvalidArgument);
    Stream* const stream = STOQ_TRY(find(id, Needs::kSending));
    const std::uint64_t buffered = stream->send.buffered();
    if (stream->send.reset(code)) abandon_sending(*stream, buffered);
    return {};
}

ApiResult<void> StreamSet::reset_at(StreamId id, std::uint64_t code, std::uint64_t reliable_size) {
    if (code > wire::kMaxVarint) return std::unexpected(ApiError::kInvalidArgument);
    Stream* const stream = STOQ_TRY(find(id, Needs::kSending));
    if (!may_reset_at_) return std::unexpected(ApiError::kNotSupported);
    if (reliable_size == 0) return reset(id, code);
    const std::uint64_t released = STOQ_TRY(stream->send.reset_at(code, reliable_size));
    if (!stream->send.is_blocked()) controls_.settle(*stream, StreamControl::kStreamDataBlocked);
    if (stream->send.reset_due()) controls_.request(*stream, StreamControl::kResetStream);
    scheduler_.refresh(*stream);
    writers_.erase(stream);
    withdraw(*stream, StreamNotice::kWritable);
    on_released(released);
    return {};
}

void StreamSet::abandon_sending(Stream& stream, std::uint64_t buffered_before) {
    controls_.settle(stream, StreamControl::kStreamDataBlocked);
    controls_.request(stream, StreamControl::kResetStream);
    scheduler_.refresh(stream);
    writers_.erase(&stream);
    withdraw(stream, StreamNotice::kWritable);
    on_released(buffered_before);
}

void StreamSet::on_released(std::uint64_t bytes) {
    const std::uint64_t enough = send_buffer_of_all() / 2;
    const bool was_short = buffered_ > enough;
    buffered_ -= bytes;
    if (was_short && buffered_ <= enough) wake_writers();
}

void StreamSet::wake_writers() {
    for (Stream* writer = writers_.front(); writer != nullptr;) {
        Stream* const next = writers_.next(writer);
        wake_writer(*writer);
        writer = next;
    }
}

void StreamSet::wake_writer(Stream& stream) {
    // Half of the room, so that an application does not wake for every packet acknowledged.
    if (!writers_.contains(&stream)) return;
    if (stream.send.buffered() > send_buffer_ / 2) return;
    const bool has_its_own = stream.send.buffered() < settings_.send_buffer_reserved_per_stream / 2;
    if (!has_its_own && buffered_ > send_buffer_of_all() / 2) return;
    writers_.erase(&stream);
    notify(stream, StreamNotice::kWritable);
}

ApiResult<ReadView> StreamSet::peek(StreamId id) {
    Stream* const stream = STOQ_TRY(find(id, Needs::kReceiving));
    const ReadView view = STOQ_TRY(stream->receive.peek());
    if (view.bytes.empty()) after_read(*stream);
    return view;
}

ApiResult<ReadPieces> StreamSet::peek(StreamId id, std::span<ByteView> into) {
    Stream* const stream = STOQ_TRY(find(id, Needs::kReceiving));
    const ReadPieces pieces = STOQ_TRY(stream->receive.peek(into));
    if (pieces.length == 0) after_read(*stream);
    return pieces;
}

ApiResult<void> StreamSet::consume(StreamId id, std::size_t length) {
    // An end without bytes went with peek(), and the stream perhaps with it. Who reads in a loop
    // consumes what it was shown, nothing in this case, and need not know.
    if (length == 0 && table_.find_for_application(id) == nullptr) return {};
    Stream* const stream = STOQ_TRY(find(id, Needs::kReceiving));
    STOQ_TRY(stream->receive.consume(length));
    on_consumed(*stream, length);
    if (stream->receive.reset_reached()) apply(*stream, stream->receive.take_reset());
    after_read(*stream);
    return {};
}

void StreamSet::after_read(Stream& stream) {
    if (stream.receive.has_unread()) return;
    stream.readable_announced = false;
    withdraw(stream, StreamNotice::kReadable);
    forget_if_done(stream);
}

ApiResult<void> StreamSet::stop_sending(StreamId id, std::uint64_t code) {
    if (code > wire::kMaxVarint) return std::unexpected(ApiError::kInvalidArgument);
    Stream* const stream = STOQ_TRY(find(id, Needs::kReceiving));
    std::uint64_t discarded = 0;
    if (stream->receive.stop_sending(code, discarded)) {
        controls_.request(*stream, StreamControl::kStopSending);
    }
    controls_.settle(*stream, StreamControl::kMaxStreamData);
    on_connection_consumed(discarded);
    after_read(*stream);
    return {};
}

ApiResult<void> StreamSet::set_priority(StreamId id, std::uint8_t urgency, bool incremental) {
    if (urgency > kLowestUrgency) return std::unexpected(ApiError::kInvalidArgument);
    Stream* const stream = STOQ_TRY(find(id, Needs::kSending));
    scheduler_.set_priority(*stream, urgency, incremental);
    return {};
}

}  // namespace stoq::streams
