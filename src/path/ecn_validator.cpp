#include "path/ecn_validator.h"

namespace stoq::path {
namespace {

// A path that drops marked packets shows in timeouts before anything is declared lost.
constexpr std::uint32_t kTestingProbeTimeouts = 2;

}  // namespace

bool EcnValidator::on_packets_sent(PacketNumberSpace space, bool marked, std::uint64_t count) {
    if (!marked) return false;
    spaces_[index_of(space)].sent += count;
    marked_sent_ += count;
    if (state_ != State::kTesting || marked_sent_ < kTestingPackets) return false;
    state_ = State::kUnknown;
    return true;
}

EcnOutcome EcnValidator::on_ack(const EcnFeedback& feedback) {
    marked_acked_ += feedback.newly_acked_marked;
    if (state_ == State::kFailed) return {};
    //= 9000-13.4.2.1-1
    if (!feedback.largest_acked_increased) return {};
    Space& space = spaces_[index_of(feedback.space)];
    if (!counts_are_sound(feedback, space)) return {.new_ce = 0, .state_changed = fail()};
    if (!feedback.counts) return {};

    EcnOutcome outcome;
    outcome.new_ce = feedback.counts->ce - space.reported.ce;
    space.reported = *feedback.counts;
    ce_seen_ += outcome.new_ce;
    if (state_ != State::kUnknown || marked_acked_ == 0) return outcome;
    if (ce_seen_ < marked_acked_) {
        //= 9000-13.4.2.2-3
        state_ = State::kCapable;
        outcome.state_changed = true;
    } else if (marked_acked_ + marked_lost_ >= marked_sent_) {
        // Every single mark came back as congestion: more likely a broken device.
        return {.new_ce = 0, .state_changed = fail()};
    }
    return outcome;
}

bool EcnValidator::counts_are_sound(const EcnFeedback& feedback, const Space& space) const {
    if (!feedback.counts) return feedback.newly_acked_marked == 0;
    const wire::EcnCounts& now = *feedback.counts;
    const wire::EcnCounts& before = space.reported;
    if (now.ect0 < before.ect0 || now.ce < before.ce || now.ect1 != 0) return false;
    const std::uint64_t increase = (now.ect0 - before.ect0) + (now.ce - before.ce);
    return increase >= feedback.newly_acked_marked && now.ect0 <= space.sent;
}

bool EcnValidator::on_marked_packet_lost() {
    ++marked_lost_;
    return state_ == State::kUnknown && marked_acked_ == 0 && marked_lost_ >= marked_sent_ &&
           fail();
}

bool EcnValidator::on_probe_timeout(std::uint32_t pto_count) {
    if (state_ != State::kTesting || marked_acked_ != 0 || pto_count < kTestingProbeTimeouts) {
        return false;
    }
    state_ = State::kUnknown;
    return true;
}

void EcnValidator::take_over(const EcnValidator& previous, bool enabled) {
    const auto spaces = previous.spaces_;
    *this = EcnValidator(enabled);
    spaces_ = spaces;
}

//= 9000-13.4.2.2-1
//= 9000-13.4.2.2-4
bool EcnValidator::fail() {
    const bool changed = state_ != State::kFailed;
    state_ = State::kFailed;
    return changed;
}

}  // namespace stoq::path
