// LossRecovery against the pseudocode of RFC 9002 appendix A, over a map of packets.
#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "recovery/loss_detection.h"
#include "wire/frame_decode.h"
#include "wire/frame_encode.h"

namespace stoq::recovery {
namespace {

using std::chrono::microseconds;

constexpr auto kSpace = PacketNumberSpace::kApplication;

// One space, sender after the handshake.
class Model {
public:
    struct Packet {
        Instant sent;
        std::uint64_t bytes;
        bool in_flight;
    };
    struct Outcome {
        std::set<std::uint64_t> acked;
        std::set<std::uint64_t> late;  // acknowledged after they had been declared lost
        std::set<std::uint64_t> lost;  // in flight only
    };

    void on_sent(std::uint64_t number, Packet packet) { sent_[number] = packet; }

    Outcome on_ack(const std::set<std::uint64_t>& numbers, Duration loss_delay, Instant now) {
        Outcome outcome;
        for (const std::uint64_t number : numbers) {
            if (sent_.erase(number) > 0) outcome.acked.insert(number);
            if (late_.erase(number) > 0) outcome.late.insert(number);
        }
        largest_ = std::max(largest_, *numbers.rbegin());
        if (!outcome.acked.empty() || !outcome.late.empty()) outcome.lost = detect(loss_delay, now);
        return outcome;
    }

    // As appendix A.10, with skipped numbers left out of the packet threshold.
    std::set<std::uint64_t> detect(Duration loss_delay, Instant now) {
        std::set<std::uint64_t> lost;
        std::vector<std::uint64_t> given_up;
        loss_time_ = kNever;
        for (const auto& [number, packet] : sent_) {
            if (number > largest_) break;
            const bool late = packet.sent <= now - loss_delay;
            if (late || steps(number) >= 3) {
                if (packet.in_flight) lost.insert(number);
                given_up.push_back(number);
            } else if (packet.in_flight) {
                loss_time_ = std::min(loss_time_, packet.sent + loss_delay);
            }
        }
        for (const std::uint64_t number : given_up) {
            sent_.erase(number);
            late_.insert(number);
        }
        return lost;
    }

    std::uint64_t bytes_in_flight() const {
        std::uint64_t sum = 0;
        for (const auto& entry : sent_) sum += entry.second.in_flight ? entry.second.bytes : 0;
        return sum;
    }
    Instant loss_time() const { return loss_time_; }
    void skip(std::uint64_t number) { skipped_.insert(number); }

private:
    std::uint64_t steps(std::uint64_t number) const {
        const auto between =
            std::distance(skipped_.upper_bound(number), skipped_.lower_bound(largest_));
        return largest_ - number - static_cast<std::uint64_t>(between);
    }

    std::map<std::uint64_t, Packet> sent_;
    std::set<std::uint64_t> late_;  // declared lost
    std::set<std::uint64_t> skipped_;
    std::uint64_t largest_ = 0;
    Instant loss_time_ = kNever;
};

// Marks every packet by a frame of its own that does not merge.
wire::SentFrame mark(std::uint64_t number) {
    return {.kind = wire::SentFrameKind::kNewConnectionId,
            .fin = false,
            .length = 0,
            .id = 0,
            .value = number};
}

std::set<std::uint64_t> marks(std::span<const wire::SentFrame> frames) {
    std::set<std::uint64_t> numbers;
    for (const wire::SentFrame& frame : frames) RC_ASSERT(numbers.insert(frame.value).second);
    return numbers;
}

class Harness {
public:
    Harness() : recovery_({}), random_(*rc::gen::arbitrary<std::uint64_t>()) {
        recovery_.on_handshake_confirmed(now_);
    }

    void send() {
        OutgoingPacket packet;
        packet.space = kSpace;
        packet.number = recovery_.next_packet_number(kSpace, random_);
        packet.bytes = *rc::gen::inRange<std::uint32_t>(40, 1452);
        packet.in_flight = packet.ack_eliciting = *rc::gen::inRange(0, 5) != 0;
        const std::uint64_t number = packet.number.value();
        const wire::SentFrame frame = mark(number);
        packet.frames = {&frame, 1};
        if (number > next_) model_.skip(next_);
        next_ = number + 1;
        recovery_.on_packet_sent(packet, now_);
        model_.on_sent(number, {now_, packet.bytes, packet.in_flight});
        in_flight_numbers_[number] = packet.in_flight;
        unreported_.insert(number);
    }

    // Some of what was sent arrives; everything that ever arrived is acknowledged again.
    void acknowledge() {
        if (unreported_.empty()) return;
        const std::vector<std::uint64_t> candidates(unreported_.begin(), unreported_.end());
        const int count = *rc::gen::inRange(1, 12);
        for (int i = 0; i < count; ++i) {
            const std::uint64_t number = *rc::gen::elementOf(candidates);
            arrived_.insert(number);
            unreported_.erase(number);
        }
        IntervalSet ranges;
        for (const std::uint64_t number : arrived_) ranges.insert(number, number + 1);
        std::vector<std::uint8_t> memory(64 + 16 * ranges.count());
        ByteWriter writer{Bytes(memory)};
        RC_ASSERT(wire::encode_ack(writer, ranges.intervals(), 0, nullptr) == ranges.count());
        ByteReader reader(writer.written_bytes());
        const auto frame = wire::decode_frame(reader, wire::PacketType::kOneRtt);
        const auto outcome =
            recovery_.on_ack_received(kSpace, std::get<wire::AckFrame>(*frame), {}, now_);
        RC_ASSERT(outcome.has_value());
        const auto expected = model_.on_ack(arrived_, recovery_.rtt().loss_delay(), now_);
        // Late ones are reported as long as they are remembered.
        const std::set<std::uint64_t> acked = marks(outcome->acked);
        for (const std::uint64_t number : expected.acked) RC_ASSERT(acked.contains(number));
        for (const std::uint64_t number : acked) {
            RC_ASSERT(expected.acked.contains(number) || expected.late.contains(number));
        }
        compare_lost(outcome->lost, expected.lost);
    }

    void wait() {
        now_ += microseconds(*rc::gen::inRange(0, 3000));
        if (model_.loss_time() > now_) return;
        const TimeoutOutcome outcome = recovery_.on_timeout(now_);
        compare_lost(outcome.lost, model_.detect(recovery_.rtt().loss_delay(), now_));
    }

    void check() const {
        RC_ASSERT(recovery_.bytes_in_flight() == model_.bytes_in_flight());
        if (model_.loss_time() != kNever) RC_ASSERT(recovery_.timer() == model_.loss_time());
    }

private:
    void compare_lost(const LossInfo& lost, const std::set<std::uint64_t>& expected) const {
        std::set<std::uint64_t> in_flight;
        for (const std::uint64_t number : marks(lost.frames)) {
            if (in_flight_numbers_.at(number)) in_flight.insert(number);
        }
        RC_ASSERT(in_flight == expected);
        RC_ASSERT(lost.packets == expected.size());
    }

    LossRecovery recovery_;
    SeededRandom random_;
    Model model_;
    Instant now_{std::chrono::seconds(10)};
    std::uint64_t next_ = 0;
    std::map<std::uint64_t, bool> in_flight_numbers_;
    std::set<std::uint64_t> unreported_;
    std::set<std::uint64_t> arrived_;
};

RC_GTEST_PROP(LossRecovery, BehavesAsThePseudocode, ()) {
    Harness harness;
    const int steps = *rc::gen::inRange(1, 300);
    for (int i = 0; i < steps; ++i) {
        switch (*rc::gen::weightedElement<int>({{6, 0}, {2, 1}, {2, 2}})) {
            case 0: harness.send(); break;
            case 1: harness.acknowledge(); break;
            default: harness.wait(); break;
        }
        harness.check();
    }
}

}  // namespace
}  // namespace stoq::recovery
