// A sender with a clock of its own: scripts of sending, acknowledging and waiting.
#pragma once

#include <array>
#include <initializer_list>
#include <vector>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/interval_set.h"
#include "base/random.h"
#include "recovery/loss_detection.h"
#include "wire/frame_decode.h"
#include "wire/frame_encode.h"

namespace stoq::recovery {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr auto kInitial = PacketNumberSpace::kInitial;
inline constexpr auto kHandshake = PacketNumberSpace::kHandshake;
inline constexpr auto kApplication = PacketNumberSpace::kApplication;
inline constexpr Instant kStart{seconds(100)};

// Ranges are half-open and ascending. The frame borrows `memory`.
inline wire::AckFrame make_ack(std::vector<std::uint8_t>& memory,
                               std::span<const Interval> ranges) {
    memory.resize(64 + 16 * ranges.size());
    ByteWriter writer{Bytes(memory)};
    EXPECT_EQ(wire::encode_ack(writer, ranges, 0, nullptr), ranges.size());
    ByteReader reader(writer.written_bytes());
    const auto frame = wire::decode_frame(reader, wire::PacketType::kOneRtt);
    EXPECT_TRUE(frame.has_value());
    return std::get<wire::AckFrame>(*frame);
}

inline wire::SentFrame stream_range(std::uint64_t id, std::uint64_t offset, std::uint32_t length) {
    return {.kind = wire::SentFrameKind::kStream,
            .fin = false,
            .length = length,
            .id = id,
            .offset = offset};
}

inline wire::SentFrame ack_record(std::uint64_t largest) {
    return {
        .kind = wire::SentFrameKind::kAck, .fin = false, .length = 0, .id = 0, .value = largest};
}

inline wire::SentFrame probe_record(std::uint64_t size) {
    return {
        .kind = wire::SentFrameKind::kMtuProbe, .fin = false, .length = 0, .id = 0, .value = size};
}

struct Sender {
    explicit Sender(Role role = Role::kClient) : recovery({.role = role}) {}

    // An ack-eliciting packet of 1200 bytes, changed by `edit`.
    template <typename Edit>
    std::uint64_t send_with(PacketNumberSpace space, Edit edit) {
        OutgoingPacket packet;
        packet.space = space;
        packet.number = recovery.next_packet_number(space, random);
        packet.bytes = 1200;
        packet.ack_eliciting = packet.in_flight = true;
        edit(packet);
        recovery.on_packet_sent(packet, now);
        return packet.number.value();
    }
    std::uint64_t send(PacketNumberSpace space = kApplication) {
        return send_with(space, [](OutgoingPacket&) {});
    }
    std::uint64_t send_frame(const wire::SentFrame& frame, PacketNumberSpace space = kApplication) {
        return send_with(space, [&](OutgoingPacket& packet) { packet.frames = {&frame, 1}; });
    }
    std::uint64_t send_silent(PacketNumberSpace space = kApplication) {
        return send_with(space, [](OutgoingPacket& packet) {
            packet.ack_eliciting = packet.in_flight = false;
            packet.bytes = 40;
        });
    }
    void send_many(int count, PacketNumberSpace space = kApplication) {
        for (int i = 0; i < count; ++i) send(space);
    }

    TransportResult<AckOutcome> try_ack(PacketNumberSpace space, std::vector<Interval> ranges,
                                        Duration delay = {}) {
        return recovery.on_ack_received(space, make_ack(memory, ranges), delay, now);
    }
    AckOutcome ack(std::vector<Interval> ranges, PacketNumberSpace space = kApplication,
                   Duration delay = {}) {
        const auto outcome = try_ack(space, std::move(ranges), delay);
        EXPECT_TRUE(outcome.has_value());
        return outcome ? *outcome : AckOutcome{};
    }
    AckOutcome ack_one(std::uint64_t number, PacketNumberSpace space = kApplication,
                       Duration delay = {}) {
        return ack({{number, number + 1}}, space, delay);
    }
    void wait(Duration time) { now += time; }
    // An RTT sample of `rtt` from one packet.
    void sample(Duration rtt, PacketNumberSpace space = kApplication) {
        const std::uint64_t number = send(space);
        wait(rtt);
        ack_one(number, space);
    }
    Duration timer_in() const { return recovery.timer() - now; }

    LossRecovery recovery;
    SeededRandom random{1};
    Instant now = kStart;
    std::vector<std::uint8_t> memory;
};

}  // namespace stoq::recovery
