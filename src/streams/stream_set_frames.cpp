// StreamSet: the peer's frames about streams (RFC 9000 sections 19.4, 19.5 and 19.8 to 19.14).
#include "base/try.h"
#include "streams/stream_set.h"
#include "wire/frame_table.h"

namespace stoq::streams {
namespace {

constexpr auto kStreamType = static_cast<std::uint32_t>(wire::frame_type::kStream);
constexpr auto kResetStreamType = static_cast<std::uint32_t>(wire::frame_type::kResetStream);
constexpr auto kResetStreamAtType = static_cast<std::uint32_t>(wire::frame_type::kResetStreamAt);
constexpr auto kStopSendingType = static_cast<std::uint32_t>(wire::frame_type::kStopSending);
constexpr auto kMaxStreamDataType = static_cast<std::uint32_t>(wire::frame_type::kMaxStreamData);
constexpr auto kStreamDataBlockedType =
    static_cast<std::uint32_t>(wire::frame_type::kStreamDataBlocked);

std::unexpected<TransportError> blame(TransportError error, std::uint32_t frame_type) {
    error.frame_type = frame_type;
    return std::unexpected(error);
}

}  // namespace

TransportResult<void> StreamSet::check_connection_limit(std::uint64_t growth,
                                                        std::uint32_t frame_type) const {
    //= 9000-4.1-2
    //= 9000-19.9-2
    if (growth <= window_.limit() - received_) return {};
    return std::unexpected(TransportError{TransportErrorCode::kFlowControlError,
                                          Reason::kConnectionDataLimit, frame_type});
}

TransportResult<void> StreamSet::on_stream(const wire::StreamFrame& frame, Instant now) {
    now_ = now;
    Stream* const stream = STOQ_TRY(table_.find_for_peer(frame.id, Part::kReceiving, kStreamType));
    if (stream == nullptr) return {};
    const std::uint64_t growth = stream->receive.growth(frame.offset + frame.data.size());
    STOQ_TRY(check_connection_limit(growth, kStreamType));
    const auto outcome = stream->receive.on_stream(frame.offset, frame.data, frame.fin);
    if (!outcome) [[unlikely]]
        return blame(outcome.error(), kStreamType);
    received_ += growth;
    apply(*stream, *outcome);
    return {};
}

TransportResult<void> StreamSet::on_reset_stream(const wire::ResetStreamFrame& frame, Instant now) {
    now_ = now;
    return on_peer_reset(frame.id, {.code = frame.error_code, .final_size = frame.final_size},
                         kResetStreamType);
}

TransportResult<void> StreamSet::on_reset_stream_at(const wire::ResetStreamAtFrame& frame,
                                                    Instant now) {
    now_ = now;
    return on_peer_reset(frame.id,
                         {.code = frame.error_code,
                          .final_size = frame.final_size,
                          .reliable_size = frame.reliable_size,
                          .at = true},
                         kResetStreamAtType);
}

TransportResult<void> StreamSet::on_peer_reset(StreamId id, const PeerReset& reset,
                                               std::uint32_t frame_type) {
    Stream* const stream = STOQ_TRY(table_.find_for_peer(id, Part::kReceiving, frame_type));
    if (stream == nullptr) return {};
    const std::uint64_t growth = stream->receive.growth(reset.final_size);
    STOQ_TRY(check_connection_limit(growth, frame_type));
    const auto outcome = stream->receive.on_reset(reset);
    if (!outcome) return blame(outcome.error(), frame_type);
    received_ += growth;
    apply(*stream, *outcome);
    return {};
}

TransportResult<void> StreamSet::on_stop_sending(const wire::StopSendingFrame& frame) {
    Stream* const stream =
        STOQ_TRY(table_.find_for_peer(frame.id, Part::kSending, kStopSendingType));
    if (stream == nullptr) return {};
    const std::uint64_t buffered = stream->send.buffered();
    if (!stream->send.on_stop_sending(frame.error_code)) return {};
    abandon_sending(*stream, buffered);
    if (stream->send.was_stopped()) notify(*stream, StreamNotice::kStopReceived);
    return {};
}

void StreamSet::on_max_data(const wire::MaxDataFrame& frame) {
    if (scheduler_.window().raise(frame.maximum)) connection_controls_.erase(Control::kDataBlocked);
}

TransportResult<void> StreamSet::on_max_stream_data(const wire::MaxStreamDataFrame& frame) {
    Stream* const stream =
        STOQ_TRY(table_.find_for_peer(frame.id, Part::kSending, kMaxStreamDataType));
    if (stream == nullptr || !stream->send.on_max_stream_data(frame.maximum)) return {};
    controls_.settle(*stream, StreamControl::kStreamDataBlocked);
    scheduler_.refresh(*stream);
    note_blocked(*stream);
    return {};
}

void StreamSet::on_max_streams(const wire::MaxStreamsFrame& frame) {
    OwnStreamLimit& limit = table_.own(frame.directionality);
    const std::uint64_t before = limit.limit();
    if (limit.raise(frame.maximum))
        available_[static_cast<std::size_t>(frame.directionality)] = true;
    if (limit.limit() == before) return;
    connection_controls_.erase(streams_blocked_control(frame.directionality));
    if (limit.opened() == 0) return;
    if (table_.release_held(frame.directionality)) refresh_all();
}

void StreamSet::on_data_blocked(const wire::DataBlockedFrame& frame) {
    if (frame.limit < window_.limit() || window_.next_limit() == window_.limit()) return;
    connection_controls_.insert(Control::kMaxData);
}

TransportResult<void> StreamSet::on_stream_data_blocked(const wire::StreamDataBlockedFrame& frame) {
    Stream* const stream =
        STOQ_TRY(table_.find_for_peer(frame.id, Part::kReceiving, kStreamDataBlockedType));
    if (stream == nullptr || !stream->receive.wants_credit()) return {};
    const ReceiveWindow& window = stream->receive.window();
    if (frame.limit < window.limit() || window.next_limit() == window.limit()) return {};
    controls_.request(*stream, StreamControl::kMaxStreamData);
    return {};
}

void StreamSet::on_streams_blocked(const wire::StreamsBlockedFrame& frame) {
    offer_streams(frame.directionality);
}

}  // namespace stoq::streams
