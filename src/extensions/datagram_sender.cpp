#include "extensions/datagram_sender.h"

#include <algorithm>

#include "wire/frame_encode.h"
#include "wire/varint.h"

namespace stoq::extensions {

std::size_t DatagramSender::max_payload(std::size_t room) const {
    //= 9221-3-2
    const auto frame = static_cast<std::size_t>(std::min<std::uint64_t>(room, peer_limit_));
    const auto encoded = [](std::size_t payload) {
        return 1 + wire::varint_length(payload) + payload;
    };
    std::size_t payload = frame;
    while (payload > 0 && encoded(payload) > frame) --payload;
    return payload;
}

ApiResult<void> DatagramSender::send(ByteView payload, const DatagramOptions& options) {
    if (options.urgency > kLeastDatagramUrgency || payload.size() > max_bytes_) {
        return std::unexpected(ApiError::kInvalidArgument);
    }
    if (!has_room(payload.size())) {
        refused_ = true;
        refused_size_ = payload.size();
        return std::unexpected(ApiError::kWouldBlock);
    }
    Waiting& waiting = take_place();
    capacity_ -= waiting.payload.capacity();
    waiting.payload.assign(payload.begin(), payload.end());
    capacity_ += waiting.payload.capacity();
    waiting.deadline = options.deadline;
    waiting.urgency = options.urgency;
    bytes_ += payload.size();
    ++count_;
    earliest_deadline_ = std::min(earliest_deadline_, options.deadline);
    queues_[options.urgency].push_back(&waiting);
    return {};
}

DatagramSender::Waiting& DatagramSender::take_place() {
    if (!free_.empty()) return *free_.pop_front();
    return *places_.emplace_back(std::make_unique<Waiting>());
}

void DatagramSender::release(Waiting& waiting) {
    queues_[waiting.urgency].erase(&waiting);
    bytes_ -= waiting.payload.size();
    --count_;
    // Memory is kept for the next ones, but places that were long once do not all stay long.
    if (capacity_ > max_bytes_) {
        capacity_ -= waiting.payload.capacity();
        waiting.payload = {};
    }
    free_.push_back(&waiting);
    if (count_ == 0) earliest_deadline_ = kNever;
}

void DatagramSender::drop_stale(Queue& queue, const WriteLimits& limits) {
    while (!queue.empty()) {
        Waiting& first = *queue.front();
        if (first.deadline <= limits.now) {
            ++counters_.expired;
        } else if (first.payload.size() > limits.max_payload) {
            ++counters_.dropped;
        } else {
            return;
        }
        release(first);
    }
}

void DatagramSender::write(wire::PayloadWriter& writer, const WriteLimits& limits) {
    for (std::size_t urgency = 0; urgency <= limits.urgency && urgency < queues_.size();
         ++urgency) {
        Queue& queue = queues_[urgency];
        for (drop_stale(queue, limits); !queue.empty(); drop_stale(queue, limits)) {
            Waiting& first = *queue.front();
            // With a Length field, so that whatever follows needs not care.
            if (!writer.can_record() ||
                !wire::encode(writer.bytes(), wire::DatagramFrame{.data = first.payload})) {
                return;
            }
            wire::SentFrame record{};
            record.kind = wire::SentFrameKind::kDatagram;
            writer.record(record);
            ++counters_.sent;
            release(first);
        }
    }
}

void DatagramSender::expire(Instant now) {
    if (now < earliest_deadline_) return;
    Instant earliest = kNever;
    for (Queue& queue : queues_) {
        for (Waiting* at = queue.front(); at != nullptr;) {
            Waiting& waiting = *at;
            at = Queue::next(at);
            if (waiting.deadline <= now) {
                ++counters_.expired;
                release(waiting);
            } else {
                earliest = std::min(earliest, waiting.deadline);
            }
        }
    }
    earliest_deadline_ = earliest;
}

bool DatagramSender::take_writable() {
    if (!refused_ || !has_room(refused_size_)) return false;
    refused_ = false;
    return true;
}

}  // namespace stoq::extensions
