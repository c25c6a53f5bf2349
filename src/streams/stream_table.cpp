#include "streams/stream_table.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/try.h"

namespace stoq::streams {
namespace {

std::unexpected<TransportError> refuse(TransportErrorCode code, std::uint32_t frame_type,
                                       Reason reason) {
    return std::unexpected(TransportError{code, reason, frame_type});
}

Directionality directionality_of(StreamId id) {
    return id.is_unidirectional() ? Directionality::kUnidirectional
                                  : Directionality::kBidirectional;
}

}  // namespace

StreamTable::StreamTable(Role role, const StreamSettings& settings, StreamResources& resources)
    : role_(role),
      resources_(resources),
      initial_window_(settings.initial_stream_window),
      max_window_(settings.max_stream_window),
      peers_{PeerStreams{PeerStreamLimit(settings.max_bidirectional_streams), {}, 0},
             PeerStreams{PeerStreamLimit(settings.max_unidirectional_streams), {}, 0}} {}

StreamTable::~StreamTable() {
    live_.for_each([this](std::uint64_t, std::unique_ptr<Stream>& stream) {
        resources_.streams.give_back(std::move(stream));
    });
}

Stream* StreamTable::find(StreamId id) {
    if (last_found_ != nullptr && last_found_->id == id) return last_found_;
    std::unique_ptr<Stream>* const stream = live_.find(id.value());
    if (stream == nullptr) return nullptr;
    return last_found_ = stream->get();
}

TransportResult<Stream*> StreamTable::find_for_peer(StreamId id, Part part,
                                                    std::uint32_t frame_type) {
    Stream* const live = find(id);
    if (live != nullptr && (part == Part::kReceiving ? live->receives : live->sends)) [[likely]] {
        return live;
    }
    STOQ_TRY(check_peer_names(id, part, frame_type));
    if (is_ours(id)) return nullptr;
    PeerStreams& streams = peers_[static_cast<std::size_t>(directionality_of(id))];
    if (id.index() >= streams.limit.opened()) open_up_to(streams, id.index());
    return touch(id);
}

TransportResult<void> StreamTable::check_peer_names(StreamId id, Part part,
                                                    std::uint32_t frame_type) {
    const bool ours = is_ours(id);
    //= 9000-19.4-1
    //= 9000-19.5-2
    //= 9000-19.8-1
    //= 9000-19.10-2
    //= 9000-19.13-2
    if (id.is_unidirectional() && ours == (part == Part::kReceiving)) {
        return refuse(TransportErrorCode::kStreamStateError, frame_type, Reason::kWrongDirection);
    }
    //= 9000-19.5-1
    //= 9000-19.8-1
    //= 9000-19.10-1
    const Directionality directionality = directionality_of(id);
    if (ours && id.index() >= own(directionality).opened()) {
        return refuse(TransportErrorCode::kStreamStateError, frame_type, Reason::kStreamNotOpen);
    }
    //= 9000-4.6-3
    //= 9000-19.11-4
    if (!ours && !peers(directionality).allows(id.index())) {
        return refuse(TransportErrorCode::kStreamLimitError, frame_type, Reason::kTooManyStreams);
    }
    return {};
}

void StreamTable::open_up_to(PeerStreams& streams, std::uint64_t index) {
    //= 9000-3.2-1
    streams.untouched.insert(streams.limit.opened(), index + 1);
    streams.limit.on_opened_up_to(index + 1);
}

Stream* StreamTable::touch(StreamId id) {
    PeerStreams& streams = peers_[static_cast<std::size_t>(directionality_of(id))];
    return streams.untouched.erase(id.index(), id.index() + 1) == 0 ? nullptr : create(id);
}

Stream* StreamTable::find_for_application(StreamId id) {
    Stream* const live = find(id);
    return live != nullptr || is_ours(id) ? live : touch(id);
}

//= 9000-2.1-1
//= 9000-4.6-2
//= 9000-19.11-3
Stream* StreamTable::open(Directionality directionality) {
    OwnStreamLimit& limit = own(directionality);
    if (!limit.may_open()) return nullptr;
    return create(id_of(role_, directionality, limit.open()));
}

Stream* StreamTable::create(StreamId id) {
    std::unique_ptr<Stream> stream = resources_.streams.take();
    stream->id = id;
    stream->sends = !id.is_unidirectional() || is_ours(id);
    stream->receives = !id.is_unidirectional() || !is_ours(id);
    stream->urgency = kDefaultUrgency;
    stream->incremental = true;
    stream->held = stream->readable_announced = false;
    stream->controls = {};
    stream->notices = {};
    if (stream->sends) stream->send.open(id, send_limit_of(id));
    if (stream->receives) stream->receive.open(ReceiveWindow(initial_window_, max_window_));
    return last_found_ = live_.insert(id.value(), std::move(stream)).get();
}

void StreamTable::forget(Stream& stream) {
    const StreamId id = stream.id;
    if (stream.held) --held_count_;
    if (last_found_ == &stream) last_found_ = nullptr;
    std::unique_ptr<Stream>* const place = live_.find(id.value());
    STOQ_CHECK(place != nullptr);
    resources_.streams.give_back(std::move(*place));
    live_.erase(id.value());
    if (!is_ours(id)) peers(directionality_of(id)).on_closed();
}

std::optional<StreamId> StreamTable::next_unannounced() {
    for (const auto directionality :
         {Directionality::kBidirectional, Directionality::kUnidirectional}) {
        PeerStreams& streams = peers_[static_cast<std::size_t>(directionality)];
        if (streams.announced == streams.limit.opened()) continue;
        return id_of(peer_of(role_), directionality, streams.announced++);
    }
    return std::nullopt;
}

StreamId StreamTable::id_of(Role initiator, Directionality directionality,
                            std::uint64_t index) const {
    const std::uint64_t initiator_bit = initiator == Role::kServer ? 1 : 0;
    const std::uint64_t direction_bit = directionality == Directionality::kUnidirectional ? 2 : 0;
    return StreamId(index << 2 | direction_bit | initiator_bit);
}

std::uint64_t StreamTable::send_limit_of(StreamId id) const {
    if (id.is_unidirectional()) return peer_limits_.max_stream_data_uni;
    return is_ours(id) ? peer_limits_.max_stream_data_bidi_remote
                       : peer_limits_.max_stream_data_bidi_local;
}

void StreamTable::set_peer_limits(const PeerLimits& limits) {
    const auto raise = [](std::uint64_t& known, std::uint64_t told) {
        known = std::max(known, told);
    };
    raise(peer_limits_.max_stream_data_bidi_local, limits.max_stream_data_bidi_local);
    raise(peer_limits_.max_stream_data_bidi_remote, limits.max_stream_data_bidi_remote);
    raise(peer_limits_.max_stream_data_uni, limits.max_stream_data_uni);
    for_each([this](Stream& stream) {
        if (stream.sends) stream.send.on_max_stream_data(send_limit_of(stream.id));
    });
}

std::uint64_t StreamTable::restart() {
    peer_limits_ = PeerLimits{};
    for (OwnStreamLimit& limit : own_) limit.restart();
    std::uint64_t released = 0;
    for_each([&](Stream& stream) {
        if (is_ours(stream.id) && !std::exchange(stream.held, true)) ++held_count_;
        if (stream.sends) released += stream.send.restart();
    });
    return released;
}

bool StreamTable::release_held(Directionality directionality) {
    if (held_count_ == 0) return false;
    const std::size_t before = held_count_;
    const std::uint64_t limit = own(directionality).limit();
    for_each([&](Stream& stream) {
        if (!stream.held || directionality_of(stream.id) != directionality) return;
        stream.held = stream.id.index() >= limit;
        if (!stream.held) --held_count_;
    });
    return held_count_ < before;
}

}  // namespace stoq::streams
