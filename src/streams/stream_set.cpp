#include "streams/stream_set.h"

#include <utility>

namespace stoq::streams {

StreamSet::StreamSet(Role role, const StreamSettings& settings, StreamResources& resources)
    : settings_(settings),
      resources_(resources),
      table_(role, settings, resources),
      window_(settings.initial_connection_window, settings.max_connection_window),
      send_buffer_(settings.initial_send_buffer_per_stream) {
    resources_.budget.take(window_.size());
}

StreamSet::~StreamSet() {
    resources_.budget.give_back(window_.size());
}

void StreamSet::set_peer_limits(const PeerLimits& limits) {
    table_.set_peer_limits(limits);
    may_reset_at_ = limits.reset_stream_at;
    if (!may_reset_at_) reset_instead();
    on_max_data({.maximum = limits.max_data});
    on_max_streams(
        {.directionality = Directionality::kBidirectional, .maximum = limits.max_streams_bidi});
    on_max_streams(
        {.directionality = Directionality::kUnidirectional, .maximum = limits.max_streams_uni});
    refresh_all();
}

// RESET_STREAM_AT was promised in 0-RTT, which the server has rejected together with the extension.
void StreamSet::reset_instead() {
    table_.for_each([this](Stream& stream) {
        if (!stream.sends || stream.send.state() != SendState::kPartialReset) return;
        const std::uint64_t buffered = stream.send.buffered();
        if (stream.send.reset(stream.send.reset_code())) abandon_sending(stream, buffered);
    });
}

void StreamSet::on_zero_rtt_rejected() {
    on_released(table_.restart());
    scheduler_.window().restart();
    table_.for_each([this](Stream& stream) {
        controls_.settle(stream, StreamControl::kStreamDataBlocked);
        controls_.settle(stream, StreamControl::kResetStream);
        if (stream.sends && stream.send.state() == SendState::kResetSent) {
            controls_.request(stream, StreamControl::kResetStream);
        }
        if (stream.receives && stream.receive.wants_stop_sending()) {
            controls_.request(stream, StreamControl::kStopSending);
        }
    });
    refresh_all();
}

void StreamSet::refresh_all() {
    table_.for_each([this](Stream& stream) {
        scheduler_.refresh(stream);
        if (stream.sends && !stream.send.is_blocked()) {
            controls_.settle(stream, StreamControl::kStreamDataBlocked);
        }
        controls_.refresh(stream);
    });
}

void StreamSet::settle() {
    while (!borrowed_.empty()) borrowed_.pop_front()->receive.settle();
}

void StreamSet::apply(Stream& stream, const ReceiveOutcome& outcome) {
    on_connection_consumed(outcome.discarded);
    if (stream.receive.has_borrowed()) borrowed_.push_back(&stream);
    if (!stream.receive.wants_credit()) controls_.settle(stream, StreamControl::kMaxStreamData);
    if (!stream.receive.wants_stop_sending()) controls_.settle(stream, StreamControl::kStopSending);
    if (outcome.reset) {
        withdraw(stream, StreamNotice::kReadable);
        notify(stream, StreamNotice::kResetReceived);
    }
    if (outcome.readable && !stream.readable_announced) {
        stream.readable_announced = true;
        notify(stream, StreamNotice::kReadable);
    }
    forget_if_done(stream);
}

void StreamSet::on_consumed(Stream& stream, std::uint64_t bytes) {
    if (bytes == 0) return;
    on_connection_consumed(bytes);
    const bool due = stream.receive.window().on_consumed(bytes, tuning(nullptr));
    //= 9000-13.3-2
    if (due && stream.receive.wants_credit()) {
        controls_.request(stream, StreamControl::kMaxStreamData);
    }
}

void StreamSet::on_connection_consumed(std::uint64_t bytes) {
    if (bytes == 0) return;
    if (window_.on_consumed(bytes, tuning(&resources_.budget))) {
        connection_controls_.insert(Control::kMaxData);
    }
}

std::optional<StreamEvent> StreamSet::poll_event() {
    if (const auto id = table_.next_unannounced()) {
        // The peer may have opened the last one that it knows it may.
        offer_streams(id->is_unidirectional() ? Directionality::kUnidirectional
                                              : Directionality::kBidirectional);
        return StreamEvent{.kind = StreamEventKind::kOpened, .stream = *id};
    }
    for (const auto directionality :
         {Directionality::kBidirectional, Directionality::kUnidirectional}) {
        if (!std::exchange(available_[static_cast<std::size_t>(directionality)], false)) continue;
        return StreamEvent{.kind = StreamEventKind::kStreamsAvailable,
                           .directionality = directionality,
                           .stream = StreamId()};
    }
    if (notices_.empty()) return std::nullopt;
    Stream& stream = *notices_.front();
    const StreamEvent event = take_notice(stream);
    forget_if_done(stream);
    return event;
}

StreamEvent StreamSet::take_notice(Stream& stream) {
    struct Row {
        StreamNotice notice;
        StreamEventKind kind;
    };
    static constexpr Row kRows[] = {
        {StreamNotice::kReadable, StreamEventKind::kReadable},
        {StreamNotice::kWritable, StreamEventKind::kWritable},
        {StreamNotice::kResetReceived, StreamEventKind::kResetReceived},
        {StreamNotice::kStopReceived, StreamEventKind::kStopReceived},
        {StreamNotice::kAllAcknowledged, StreamEventKind::kAllAcknowledged},
    };
    StreamEvent event{.stream = stream.id};
    for (const Row& row : kRows) {
        if (!stream.notices.contains(row.notice)) continue;
        withdraw(stream, row.notice);
        event.kind = row.kind;
        break;
    }
    if (event.kind == StreamEventKind::kResetReceived) {
        event.code = stream.receive.reset_code();
        stream.receive.on_reset_told();
    } else if (event.kind == StreamEventKind::kStopReceived) {
        event.code = stream.send.reset_code();
    }
    return event;
}

void StreamSet::notify(Stream& stream, StreamNotice notice) {
    stream.notices.insert(notice);
    notices_.push_back(&stream);
}

void StreamSet::withdraw(Stream& stream, StreamNotice notice) {
    stream.notices.erase(notice);
    if (stream.notices.empty()) notices_.erase(&stream);
}

void StreamSet::forget_if_done(Stream& stream) {
    //= 9000-4.4-1
    if (!stream.notices.empty()) return;
    if (stream.sends && !stream.send.is_terminal()) return;
    if (stream.receives && !stream.receive.is_terminal()) return;
    const auto directionality = stream.id.is_unidirectional() ? Directionality::kUnidirectional
                                                              : Directionality::kBidirectional;
    scheduler_.remove(stream);
    controls_.remove(stream);
    borrowed_.erase(&stream);
    writers_.erase(&stream);
    table_.forget(stream);
    offer_streams(directionality);
}

void StreamSet::offer_streams(Directionality directionality) {
    if (!table_.peers(directionality).renewal_due()) return;
    connection_controls_.insert(max_streams_control(directionality));
}

}  // namespace stoq::streams
