#include "streams/send_scheduler.h"

#include <algorithm>

namespace stoq::streams {
namespace {

// A STREAM frame that continues in the next packet is not worth starting in less room than this.
constexpr std::size_t kMinimumRoom = 32;

}  // namespace

void ControlQueue::request(Stream& stream, StreamControl control) {
    stream.controls.insert(control);
    if (!stream.held) queue_.push_back(&stream);
}

void ControlQueue::settle(Stream& stream, StreamControl control) {
    stream.controls.erase(control);
    if (stream.controls.empty()) queue_.erase(&stream);
}

void ControlQueue::refresh(Stream& stream) {
    if (stream.held || stream.controls.empty()) {
        queue_.erase(&stream);
    } else {
        queue_.push_back(&stream);
    }
}

void SendScheduler::refresh(Stream& stream) {
    const bool may_send = stream.sends && !stream.held;
    if (may_send && stream.send.has_repair()) {
        repairs_.push_back(&stream);
    } else {
        repairs_.erase(&stream);
    }
    ReadyQueue& queue = ready_[stream.urgency];
    if (may_send && stream.send.sendable() > 0) {
        queue.push_back(&stream);
    } else {
        queue.erase(&stream);
    }
}

void SendScheduler::remove(Stream& stream) {
    repairs_.erase(&stream);
    ready_[stream.urgency].erase(&stream);
}

//= 9000-2.3-1
void SendScheduler::set_priority(Stream& stream, std::uint8_t urgency, bool incremental) {
    ready_[stream.urgency].erase(&stream);
    stream.urgency = urgency;
    stream.incremental = incremental;
    refresh(stream);
}

bool SendScheduler::has_ready() const {
    return std::ranges::any_of(ready_, [](const ReadyQueue& queue) { return !queue.empty(); });
}

bool SendScheduler::has_pending() const {
    return !repairs_.empty() || (window_.available() > 0 && has_ready());
}

std::uint8_t SendScheduler::first_urgency() const {
    if (!repairs_.empty()) return repairs_.front()->urgency;
    if (window_.available() == 0) return kLowestUrgency;
    const auto first =
        std::ranges::find_if(ready_, [](const ReadyQueue& queue) { return !queue.empty(); });
    return static_cast<std::uint8_t>(
        std::min<std::ptrdiff_t>(first - ready_.begin(), kLowestUrgency));
}

SendScheduler::ReadyQueue* SendScheduler::first_ready() {
    for (ReadyQueue& queue : ready_) {
        if (!queue.empty()) return &queue;
    }
    return nullptr;
}

Stream* SendScheduler::lone_stream() const {
    if (!repairs_.empty()) return nullptr;
    const auto queue = std::ranges::find_if_not(ready_, &ReadyQueue::empty);
    if (queue == ready_.end()) return nullptr;
    Stream* const stream = queue->front();
    const bool takes_turns = stream->incremental && ReadyQueue::next(stream) != nullptr;
    return takes_turns ? nullptr : stream;
}

bool SendScheduler::write_stream_frames(wire::PayloadWriter& writer, ControlQueue& controls) {
    const std::size_t before = writer.written();
    //= 9000-13.3-4
    if (!write_repairs(writer)) return writer.written() > before;
    while (ReadyQueue* const queue = first_ready()) {
        //= 9000-19.9-1
        if (window_.available() == 0) break;
        if (!writer.empty() && writer.remaining() < kMinimumRoom) break;
        Stream& stream = *queue->front();
        const auto sent = stream.send.write_new(writer, window_.available());
        if (!sent) break;
        window_.use(*sent);
        refresh(stream);
        if (stream.incremental && queue->front() == &stream) queue->rotate();
        if (stream.send.should_report_blocked()) {
            controls.request(stream, StreamControl::kStreamDataBlocked);
        }
        if (stream.send.reset_due()) controls.request(stream, StreamControl::kResetStream);
    }
    return writer.written() > before;
}

bool SendScheduler::write_repairs(wire::PayloadWriter& writer) {
    while (!repairs_.empty()) {
        Stream& stream = *repairs_.front();
        if (!stream.send.write_repair(writer)) return false;
        refresh(stream);
    }
    return true;
}

}  // namespace stoq::streams
