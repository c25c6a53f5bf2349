// SendScheduler: which stream sends next, under the connection's flow control.
//
// What costs no credit goes first: lost data and bare FINs (RFC 9000 section 13.3). Then new data
// by urgency; streams of one urgency go one after the other, except that incremental ones take
// turns packet by packet (section 2.3).
#pragma once

#include <array>

#include "streams/flow_control.h"
#include "streams/stream.h"

namespace stoq::streams {

// Streams with frames about them waiting, in the order in which they came up.
class ControlQueue {
public:
    bool empty() const { return queue_.empty(); }
    Stream* front() const { return queue_.front(); }
    void request(Stream& stream, StreamControl control);
    void settle(Stream& stream, StreamControl control);
    // After a change of `held`.
    void refresh(Stream& stream);
    void remove(Stream& stream) { queue_.erase(&stream); }

private:
    IntrusiveQueue<Stream, &Stream::control_link> queue_;
};

class SendScheduler {
public:
    // Puts the stream into the queues that its state calls for. To be called after every change of
    // a sending part.
    void refresh(Stream& stream);
    // Takes the stream out of all queues.
    void remove(Stream& stream);
    void set_priority(Stream& stream, std::uint8_t urgency, bool incremental);

    // Something could be written into a packet with room.
    bool has_pending() const;
    // Of the stream that would be written first; kLowestUrgency when there is none.
    std::uint8_t first_urgency() const;
    // New data waits for nothing but connection credit.
    bool is_blocked() const { return window_.available() == 0 && has_ready(); }
    // Fills the packet. True when at least one frame was written. Streams that ran into their own
    // limit ask for STREAM_DATA_BLOCKED in `controls`.
    bool write_stream_frames(wire::PayloadWriter& writer, ControlQueue& controls);

    // The stream whose new data the next packets are going to be full of, whoever else waits; null
    // when there is none, or when streams take turns.
    Stream* lone_stream() const;

    SendWindow& window() { return window_; }
    const SendWindow& window() const { return window_; }

private:
    using ReadyQueue = IntrusiveQueue<Stream, &Stream::ready_link>;

    bool has_ready() const;
    ReadyQueue* first_ready();
    bool write_repairs(wire::PayloadWriter& writer);

    IntrusiveQueue<Stream, &Stream::repair_link> repairs_;
    std::array<ReadyQueue, kLowestUrgency + 1> ready_;
    SendWindow window_;
};

}  // namespace stoq::streams
