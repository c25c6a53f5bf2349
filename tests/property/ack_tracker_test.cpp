// AckTracker against a plain set of numbers.
#include "recovery/ack_tracker.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "wire/frame_decode.h"

namespace stoq::recovery {
namespace {

constexpr Instant kStart{std::chrono::seconds(10)};

// Numbers as a reordering and losing network delivers them.
std::vector<std::uint64_t> arrivals() {
    std::vector<std::uint64_t> numbers;
    std::uint64_t next = 0;
    const int count = *rc::gen::inRange(1, 300);
    for (int i = 0; i < count; ++i) {
        next += *rc::gen::weightedElement<std::uint64_t>({{20, 1}, {3, 2}, {1, 5}, {1, 90}});
        const auto back =
            *rc::gen::weightedElement<std::uint64_t>({{20, 0}, {2, 1}, {2, 4}, {1, 60}});
        numbers.push_back(next - std::min(back, next));
    }
    return numbers;
}

std::set<std::uint64_t> numbers_in(const AckTracker& tracker) {
    std::set<std::uint64_t> numbers;
    for (const Interval& range : tracker.ranges()) {
        for (std::uint64_t i = range.begin; i < range.end; ++i) numbers.insert(i);
    }
    return numbers;
}

RC_GTEST_PROP(AckTracker, NeverAcceptsANumberTwiceAndKeepsTheNewest, ()) {
    AckTracker tracker(PacketNumberSpace::kApplication);
    std::set<std::uint64_t> accepted;
    for (const std::uint64_t number : arrivals()) {
        const bool duplicate = tracker.is_duplicate(PacketNumber(number));
        if (accepted.contains(number)) RC_ASSERT(duplicate);
        if (duplicate) continue;
        tracker.on_packet_received(PacketNumber(number), kStart, Ecn::kNotEct, true);
        accepted.insert(number);
        RC_ASSERT(tracker.ranges().size() <= AckTracker::kMaxRanges);
        RC_ASSERT(tracker.largest_received() == PacketNumber(*accepted.rbegin()));
    }
    // What it holds was received, and what was received and is not held lies below all of it.
    const std::set<std::uint64_t> held = numbers_in(tracker);
    for (const std::uint64_t number : held) RC_ASSERT(accepted.contains(number));
    for (const std::uint64_t number : accepted) {
        RC_ASSERT(held.contains(number) || number < *held.begin());
    }
}

RC_GTEST_PROP(AckTracker, EveryAckIsTrueAndEveryNewPacketIsInTheNext, ()) {
    AckTracker tracker(PacketNumberSpace::kApplication);
    std::set<std::uint64_t> accepted;
    std::vector<std::uint64_t> written;  // largest of each ACK
    std::set<std::uint64_t> fresh;       // accepted since the last ACK
    std::array<std::uint8_t, 1200> memory{};
    for (const std::uint64_t number : arrivals()) {
        if (!tracker.is_duplicate(PacketNumber(number))) {
            tracker.on_packet_received(PacketNumber(number), kStart, Ecn::kNotEct, true);
            accepted.insert(number);
            fresh.insert(number);
        }
        if (!written.empty() && *rc::gen::inRange(0, 10) == 0) {
            tracker.on_ack_acknowledged(*rc::gen::elementOf(written));
        }
        if (fresh.empty() || *rc::gen::inRange(0, 4) != 0) continue;
        wire::PayloadWriter writer{Bytes(memory)};
        RC_ASSERT(tracker.write_ack(writer, kStart, 3));
        ByteReader reader(ByteView(memory.data(), writer.written()));
        const auto frame = wire::decode_frame(reader, wire::PacketType::kOneRtt);
        RC_ASSERT(frame.has_value());
        const auto& ack = std::get<wire::AckFrame>(*frame);
        RC_ASSERT(ack.largest.value() == *accepted.rbegin());
        for (const wire::AckRange& range : ack.ranges) {
            for (auto i = range.smallest.value(); i <= range.largest.value(); ++i) {
                RC_ASSERT(accepted.contains(i));
                fresh.erase(i);
            }
        }
        // Only what fell out of the limit is missing.
        for (const std::uint64_t missed : fresh) {
            RC_ASSERT(missed < tracker.ranges().front().begin);
        }
        fresh.clear();
        written.push_back(ack.largest.value());
    }
}

}  // namespace
}  // namespace stoq::recovery
