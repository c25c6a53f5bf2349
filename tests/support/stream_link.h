// Two StreamSets and the packets between them, without packet numbers, protection or recovery.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "streams/stream_set.h"
#include "wire/frame_decode.h"

namespace stoq::test {

struct StreamPacket {
    std::vector<std::uint8_t> bytes;
    std::vector<wire::SentFrame> frames;

    bool empty() const { return bytes.empty(); }
};

// The next packet of `from`, empty when it has nothing to say.
inline StreamPacket take_packet(streams::StreamSet& from, std::size_t size = 1200) {
    StreamPacket packet;
    packet.bytes.resize(size);
    wire::PayloadWriter writer(packet.bytes);
    if (from.write_control_frames(writer)) from.write_stream_frames(writer);
    packet.bytes.resize(writer.written());
    packet.frames.assign(writer.records().begin(), writer.records().end());
    return packet;
}

// Hands a frame to the function that it is for; frames that are not about streams are ignored.
struct FrameDispatch {
    streams::StreamSet& to;
    Instant now;

    template <typename Frame>
    TransportResult<void> operator()(const Frame&) const {
        return {};
    }
    TransportResult<void> operator()(const wire::StreamFrame& frame) const {
        return to.on_stream(frame, now);
    }
    TransportResult<void> operator()(const wire::ResetStreamFrame& frame) const {
        return to.on_reset_stream(frame, now);
    }
    TransportResult<void> operator()(const wire::ResetStreamAtFrame& frame) const {
        return to.on_reset_stream_at(frame, now);
    }
    TransportResult<void> operator()(const wire::StopSendingFrame& frame) const {
        return to.on_stop_sending(frame);
    }
    TransportResult<void> operator()(const wire::MaxDataFrame& frame) const {
        to.on_max_data(frame);
        return {};
    }
    TransportResult<void> operator()(const wire::MaxStreamDataFrame& frame) const {
        return to.on_max_stream_data(frame);
    }
    TransportResult<void> operator()(const wire::MaxStreamsFrame& frame) const {
        to.on_max_streams(frame);
        return {};
    }
    TransportResult<void> operator()(const wire::DataBlockedFrame& frame) const {
        to.on_data_blocked(frame);
        return {};
    }
    TransportResult<void> operator()(const wire::StreamDataBlockedFrame& frame) const {
        return to.on_stream_data_blocked(frame);
    }
    TransportResult<void> operator()(const wire::StreamsBlockedFrame& frame) const {
        to.on_streams_blocked(frame);
        return {};
    }
};

inline std::vector<wire::Frame> decode_frames(ByteView payload) {
    std::vector<wire::Frame> frames;
    for (ByteReader reader(payload); !reader.empty();) {
        auto frame = wire::decode_frame(reader, wire::PacketType::kOneRtt);
        if (!frame) break;
        frames.push_back(*frame);
    }
    return frames;
}

// The frames' data stays borrowed from `payload` until to.settle().
inline TransportResult<void> deliver(streams::StreamSet& to, ByteView payload, Instant now = {}) {
    for (const wire::Frame& frame : decode_frames(payload)) {
        if (auto result = std::visit(FrameDispatch{to, now}, frame); !result) return result;
    }
    return {};
}

inline void acknowledge(streams::StreamSet& sender, const StreamPacket& packet) {
    for (const wire::SentFrame& frame : packet.frames) sender.on_acked(frame);
}

inline void lose(streams::StreamSet& sender, const StreamPacket& packet) {
    for (const wire::SentFrame& frame : packet.frames) sender.on_lost(frame);
}

// The limits that a peer with these settings advertises.
inline streams::PeerLimits limits_of(const streams::StreamSettings& settings) {
    return {.max_data = settings.initial_connection_window,
            .max_stream_data_bidi_local = settings.initial_stream_window,
            .max_stream_data_bidi_remote = settings.initial_stream_window,
            .max_stream_data_uni = settings.initial_stream_window,
            .max_streams_bidi = settings.max_bidirectional_streams,
            .max_streams_uni = settings.max_unidirectional_streams,
            .reset_stream_at = true};
}

// A client and a server that know each other's limits.
struct StreamPair {
    explicit StreamPair(const streams::StreamSettings& client_settings = {},
                        const streams::StreamSettings& server_settings = {})
        : client(Role::kClient, client_settings, resources),
          server(Role::kServer, server_settings, resources) {
        client.set_peer_limits(limits_of(server_settings));
        server.set_peer_limits(limits_of(client_settings));
    }

    // Moves packets in both directions, nothing lost, until neither side has anything to say.
    void run(Instant now = {}) {
        while (client.has_pending() || server.has_pending()) {
            transfer(client, server, now);
            transfer(server, client, now);
        }
    }

    static void transfer(streams::StreamSet& from, streams::StreamSet& to, Instant now) {
        const StreamPacket packet = take_packet(from);
        if (!deliver(to, packet.bytes, now)) return;
        to.settle();
        acknowledge(from, packet);
    }

    streams::StreamResources resources{std::uint64_t{1} << 30};
    streams::StreamSet client;
    streams::StreamSet server;
};

// All events that are waiting.
inline std::vector<streams::StreamEvent> poll_all(streams::StreamSet& set) {
    std::vector<streams::StreamEvent> events;
    while (const auto event = set.poll_event()) events.push_back(*event);
    return events;
}

// Bytes that tell where in a stream they belong.
inline std::uint8_t pattern_at(std::uint64_t offset) {
    return static_cast<std::uint8_t>((offset * 0x9e3779b97f4a7c15u) >> 56);
}

inline std::vector<std::uint8_t> pattern(std::uint64_t offset, std::size_t length) {
    std::vector<std::uint8_t> bytes(length);
    for (std::size_t i = 0; i < length; ++i) bytes[i] = pattern_at(offset + i);
    return bytes;
}

}  // namespace stoq::test
