#include "sim/transfer.h"

#include <algorithm>

#include "sim/elements.h"

namespace stoq::sim {
namespace {

std::uint64_t mix(std::uint64_t value) {
    return SeededRandom(value).next();
}

std::uint64_t seed_of(const TransferPlan& plan, StreamId id, Role sender) {
    return mix(plan.seed ^ mix(id.value() * 2 + (sender == Role::kServer ? 1 : 0)));
}

std::size_t place_of(Directionality directionality) {
    return directionality == Directionality::kUnidirectional ? 1 : 0;
}

bool same_kind(const StreamPlan& plan, StreamId id) {
    return plan.initiator == id.initiator() &&
           (plan.directionality == Directionality::kUnidirectional) == id.is_unidirectional();
}

}  // namespace

std::uint8_t pattern(std::uint64_t stream_seed, std::uint64_t position) {
    const std::uint64_t word = (stream_seed + position / 8) * 0x9e3779b97f4a7c15u;
    return static_cast<std::uint8_t>((word ^ (word >> 29)) >> (8 * (position % 8)));
}

Transfer::Transfer(Endpoint& endpoint, Role role, const TransferPlan& plan)
    : endpoint_(endpoint),
      role_(role),
      plan_(plan),
      random_(mix(plan.seed) + (role == Role::kServer ? 1 : 0)) {
    for (std::size_t i = plan.streams.size(); i-- > 0;) {
        if (plan.streams[i].initiator == role) to_open_.push_back(i);
    }
}

void Transfer::fail(const std::string& what) {
    if (failure_.empty()) failure_ = (role_ == Role::kClient ? "client: " : "server: ") + what;
}

// Streams of one kind are opened in the order of the plan.
const StreamPlan* Transfer::plan_of(StreamId id) const {
    std::uint64_t index = id.index();
    for (const StreamPlan& plan : plan_.streams) {
        if (same_kind(plan, id) && index-- == 0) return &plan;
    }
    return nullptr;
}

Transfer::Stream& Transfer::add(StreamId id, const StreamPlan& plan) {
    Stream& stream = streams_[id.value()];
    stream.plan = &plan;
    const bool mine = plan.initiator == role_;
    if (mine || !id.is_unidirectional()) {
        Sending sending;
        sending.seed = seed_of(plan_, id, role_);
        sending.length = mine ? plan.request : plan.response;
        sending.starts = mine || !plan.response_waits;
        stream.sending = sending;
    }
    if (!mine || !id.is_unidirectional()) {
        Receiving receiving;
        receiving.seed = seed_of(plan_, id, role_ == Role::kClient ? Role::kServer : Role::kClient);
        receiving.length = mine ? plan.response : plan.request;
        stream.receiving = receiving;
    }
    return stream;
}

Transfer::Stream* Transfer::find(StreamId id, const char* what) {
    const auto found = streams_.find(id.value());
    if (found != streams_.end()) return &found->second;
    fail(std::string(what) + " on stream " + std::to_string(id.value()) + ", which is not there");
    return nullptr;
}

void Transfer::on_event(const Event& event, Instant now) {
    std::visit([&](const auto& one) { on(one, now); }, event);
}

void Transfer::on(const ConnectionEstablished& event, Instant) {
    if (established_) return fail("established twice");
    established_ = true;
    if (active_ && event.connection != connection_) return fail("two connections");
    begin(event.connection);
}

void Transfer::on(const EarlyDataReady& event, Instant) {
    begin(event.connection);
}

void Transfer::begin(ConnectionHandle connection) {
    active_ = true;
    connection_ = connection;
}

void Transfer::on(const ConnectionClosed& event, Instant) {
    if (active_ && event.connection != connection_) return;
    if (closed_) return fail("closed twice");
    closed_ = event.info;
}

void Transfer::on(const StreamOpened& event, Instant) {
    const StreamPlan* plan = plan_of(event.stream);
    const std::string name = std::to_string(event.stream.value());
    if (plan == nullptr) return fail("the peer opened stream " + name + ", which nobody planned");
    // In 0-RTT packets, before the connection is established.
    if (!active_) begin(event.connection);
    if (event.connection != connection_) return fail("a stream of another connection");
    if (streams_.contains(event.stream.value())) return fail("stream " + name + " opened twice");
    add(event.stream, *plan).opened = true;
}

void Transfer::on(const StreamReadable& event, Instant) {
    Stream* stream = find(event.stream, "StreamReadable");
    if (stream == nullptr) return;
    if (!stream->receiving) return fail("StreamReadable on a stream that only sends");
    stream->receiving->readable = true;
}

void Transfer::on(const StreamWritable& event, Instant) {
    Stream* stream = find(event.stream, "StreamWritable");
    if (stream == nullptr) return;
    if (!stream->sending) return fail("StreamWritable on a stream that only receives");
    stream->sending->blocked = false;
}

void Transfer::on(const StreamReset& event, Instant) {
    Stream* stream = find(event.stream, "StreamReset");
    if (stream == nullptr || !stream->receiving) return fail("StreamReset in the wrong direction");
    const StreamPlan& plan = *stream->plan;
    const bool by_plan = plan.initiator != role_ && plan.reset_after && event.code == kResetCode;
    const bool answers_stop = plan.initiator != role_ && plan.stop_after && event.code == kStopCode;
    if (!by_plan && !answers_stop) {
        return fail("reset with code " + std::to_string(event.code) + ", which nobody planned");
    }
    if (stream->receiving->done) return;
    if (stream->receiving->read < plan.promised.value_or(0)) {
        return fail("reset after " + std::to_string(stream->receiving->read) + " of " +
                    std::to_string(*plan.promised) + " bytes that were promised");
    }
    finish_receiving(*stream);
}

void Transfer::on(const StreamStopped& event, Instant) {
    Stream* stream = find(event.stream, "StreamStopped");
    if (stream == nullptr || !stream->sending) return fail("StreamStopped in the wrong direction");
    if (stream->plan->initiator != role_ || !stream->plan->stop_after || event.code != kStopCode) {
        return fail("StreamStopped, which nobody planned");
    }
    stream->sending->finished = true;
    stream->sending->done = true;
}

void Transfer::on(const StreamDelivered& event, Instant) {
    Stream* stream = find(event.stream, "StreamDelivered");
    if (stream == nullptr || !stream->sending) return fail("delivered in the wrong direction");
    Sending& sending = *stream->sending;
    const bool all = sending.finished && sending.written == sending.length;
    if (!all && !stream->plan->reset_after) return fail("delivered before everything was written");
    sending.done = true;
}

void Transfer::on(const StreamsAvailable& event, Instant) {
    waits_for_streams_[place_of(event.directionality)] = false;
}

void Transfer::on(const DatagramReceived&, Instant) {
    fail("a datagram, which nobody planned");
}

void Transfer::on(const DatagramWritable&, Instant) {
    fail("DatagramWritable, although no datagram was refused");
}

void Transfer::finish_receiving(Stream& stream) {
    stream.receiving->done = true;
    if (stream.sending) stream.sending->starts = true;
}

bool Transfer::pump(Instant now) {
    if (!active_ || closed_ || !failure_.empty()) {
        wake_ = kNever;
        return false;
    }
    bool did_something = open_streams();
    wake_ = kNever;
    for (auto& [value, stream] : streams_) {
        const StreamId id(value);
        if (stream.receiving && !stream.receiving->done) {
            did_something |= receive_on(id, stream, now);
        }
        if (stream.sending && !stream.sending->done) did_something |= send_on(id, stream);
        if (stream.receiving && !stream.receiving->done && stream.receiving->resume > now) {
            wake_ = std::min(wake_, stream.receiving->resume);
        }
    }
    return did_something;
}

bool Transfer::open_streams() {
    bool did_something = false;
    std::vector<std::size_t> left;
    // A kind that is at its limit does not hold up the others.
    for (std::size_t i = to_open_.size(); i-- > 0;) {
        const StreamPlan& plan = plan_.streams[to_open_[i]];
        bool& waits = waits_for_streams_[place_of(plan.directionality)];
        if (!waits) {
            const auto id = endpoint_.open_stream(connection_, plan.directionality);
            if (id) {
                add(*id, plan);
                did_something = true;
                continue;
            }
            if (id.error() != ApiError::kStreamLimit) {
                fail("open_stream: " + std::string(to_string(id.error())));
                return did_something;
            }
            waits = true;
        }
        left.push_back(to_open_[i]);
    }
    to_open_.assign(left.rbegin(), left.rend());
    return did_something;
}

bool Transfer::send_on(StreamId id, Stream& stream) {
    Sending& sending = *stream.sending;
    if (!sending.starts || sending.finished) return false;
    bool did_something = false;
    const bool mine = stream.plan->initiator == role_;
    const std::uint64_t end = mine && stream.plan->reset_after
                                  ? std::min(*stream.plan->reset_after, sending.length)
                                  : sending.length;
    std::vector<std::uint8_t> bytes;
    while (!sending.blocked && sending.written < end) {
        const std::uint64_t most = std::min<std::uint64_t>(plan_.max_write, end - sending.written);
        bytes.resize(draw(random_, 1, most));
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            bytes[i] = pattern(sending.seed, sending.written + i);
        }
        const auto taken = endpoint_.write(connection_, id, ByteView(bytes));
        if (!taken) {
            // The peer's STOP_SENDING may already be known where its event has not been read.
            if (mine && stream.plan->stop_after && taken.error() == ApiError::kStreamReset) break;
            fail("write: " + std::string(to_string(taken.error())));
            return did_something;
        }
        sending.written += *taken;
        did_something |= *taken > 0;
        sending.blocked = *taken < bytes.size();
    }
    if (sending.written >= end) did_something |= end_sending(id, stream);
    return did_something;
}

bool Transfer::end_sending(StreamId id, Stream& stream) {
    Sending& sending = *stream.sending;
    const bool mine = stream.plan->initiator == role_;
    const bool resets = mine && stream.plan->reset_after;
    const auto ended = resets ? reset(id, *stream.plan) : endpoint_.finish(connection_, id);
    if (!ended && !(mine && stream.plan->stop_after)) {
        fail("ending a stream: " + std::string(to_string(ended.error())));
    }
    sending.finished = true;
    sending.done = resets || !ended;
    return true;
}

ApiResult<void> Transfer::reset(StreamId id, const StreamPlan& plan) {
    if (!plan.promised) return endpoint_.reset(connection_, id, kResetCode);
    return endpoint_.reset_at(connection_, id, kResetCode, *plan.promised);
}

bool Transfer::receive_on(StreamId id, Stream& stream, Instant now) {
    bool did_something = false;
    while (stream.receiving->readable && !stream.receiving->done && failure_.empty() &&
           stream.receiving->resume <= now) {
        if (!read_once(id, stream, now)) break;
        did_something = true;
    }
    return did_something;
}

bool Transfer::read_once(StreamId id, Stream& stream, Instant now) {
    Receiving& receiving = *stream.receiving;
    const auto view = endpoint_.peek(connection_, id);
    if (!view) {
        // A reset may be known where its event has not been read yet.
        if (view.error() != ApiError::kStreamReset || stream.plan->initiator == role_) {
            fail("peek: " + std::string(to_string(view.error())));
        }
        receiving.readable = false;
        return false;
    }
    if (view->bytes.empty() && !view->finished) {
        receiving.readable = false;
        return false;
    }
    const std::size_t most = std::min(plan_.max_read, view->bytes.size());
    const std::size_t count = most == 0 ? 0 : draw(random_, 1, most);
    verify(id, receiving, view->bytes.first(count));
    const bool ends = view->finished && count == view->bytes.size();
    // An end without bytes has been taken by looking at it.
    const auto consumed =
        count == 0 ? ApiResult<void>() : endpoint_.consume(connection_, id, count);
    if (!consumed) {
        fail("consume: " + std::string(to_string(consumed.error())));
        return false;
    }
    receiving.read += count;
    bytes_read_ += count;
    if (ends) {
        if (receiving.read != receiving.length) {
            fail("stream " + std::to_string(id.value()) + " ended after " +
                 std::to_string(receiving.read) + " of " + std::to_string(receiving.length));
        }
        finish_receiving(stream);
        return true;
    }
    const bool theirs = stream.plan->initiator != role_;
    if (theirs && stream.plan->stop_after && receiving.read >= *stream.plan->stop_after) {
        if (!endpoint_.stop_sending(connection_, id, kStopCode)) fail("stop_sending failed");
        finish_receiving(stream);
        return true;
    }
    if (plan_.max_pause > Duration::zero() && happens(random_, 0.02)) {
        const auto most_pause = static_cast<std::uint64_t>(plan_.max_pause.count());
        receiving.resume = now + Duration(static_cast<std::int64_t>(draw(random_, 1, most_pause)));
    }
    return true;
}

void Transfer::verify(StreamId id, const Receiving& receiving, ByteView bytes) {
    if (receiving.read + bytes.size() > receiving.length) {
        return fail("stream " + std::to_string(id.value()) + " is too long");
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] == pattern(receiving.seed, receiving.read + i)) continue;
        return fail("stream " + std::to_string(id.value()) + " has a wrong byte at " +
                    std::to_string(receiving.read + i));
    }
}

bool Transfer::complete() const {
    if (!established_ || !to_open_.empty() || streams_.size() != plan_.streams.size()) return false;
    return std::ranges::all_of(streams_, [](const auto& one) {
        const Stream& stream = one.second;
        return (!stream.sending || stream.sending->done) &&
               (!stream.receiving || stream.receiving->done);
    });
}

std::string Transfer::progress() const {
    std::string text = role_ == Role::kClient ? "client" : "server";
    text += established_ ? " established" : " not established";
    if (closed_) text += ", " + to_string(*closed_);
    text += ", " + std::to_string(to_open_.size()) + " streams to open";
    std::size_t shown = 0;
    for (const auto& [id, stream] : streams_) {
        const bool sent = !stream.sending || stream.sending->done;
        const bool received = !stream.receiving || stream.receiving->done;
        if ((sent && received) || ++shown > 8) continue;
        text += "; stream " + std::to_string(id) + ":";
        if (stream.sending) {
            text += " sent " + std::to_string(stream.sending->written) + "/" +
                    std::to_string(stream.sending->length) +
                    (stream.sending->blocked ? " blocked" : "") +
                    (stream.sending->finished ? " finished" : "") + (sent ? " done" : "");
        }
        if (stream.receiving) {
            text += " read " + std::to_string(stream.receiving->read) + "/" +
                    std::to_string(stream.receiving->length) +
                    (stream.receiving->readable ? " readable" : "") + (received ? " done" : "");
        }
    }
    return text;
}

}  // namespace stoq::sim
