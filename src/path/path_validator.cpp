#include "path/path_validator.h"

#include <algorithm>

#include "wire/frame_encode.h"

namespace stoq::path {
namespace {

// Of a path about which nothing is known (RFC 9002 section 6.2.2): three times kInitialRtt.
constexpr Duration kInitialProbeTimeout = std::chrono::milliseconds(999);

constexpr int kTimeoutFactor = 3;

}  // namespace

void PathValidator::set_validated() {
    stop();
    state_ = State::kValidated;
}

void PathValidator::start(Instant now, Duration probe_timeout, RandomSource& random) {
    //= 9000-8.2.1-3
    //= 9000-9.4-4
    probe_timeout_ = std::max(probe_timeout, kInitialProbeTimeout);
    challenge_count_ = 0;
    challenges_ = {};
    state_ = State::kValidating;
    begin(now, random);
}

void PathValidator::begin(Instant now, RandomSource& random) {
    //= 9000-8.2.4-1
    //= 9000-8.2.4-2
    retry_at_ = now + probe_timeout_;
    fail_at_ = now + kTimeoutFactor * probe_timeout_;
    queue_challenge(random);
}

void PathValidator::stop() {
    state_ = State::kIdle;
    challenge_pending_ = false;
    retry_at_ = fail_at_ = kNever;
}

void PathValidator::queue_challenge(RandomSource& random) {
    //= 9000-8.2.1-1
    //= 9000-8.2.1-4
    challenges_[challenge_count_ % kMaxChallenges] = {random.next_uint64(), false, false};
    ++challenge_count_;
    challenge_pending_ = true;
}

bool PathValidator::write_path_challenge(wire::PayloadWriter& writer, bool expanded) {
    //= 9000-8.2.1-2
    if (!challenge_pending_ || !writer.can_record()) return false;
    Challenge& latest = challenges_[(challenge_count_ - 1) % kMaxChallenges];
    if (!wire::encode(writer.bytes(), wire::PathChallengeFrame{latest.data})) return false;
    wire::SentFrame sent{};
    sent.kind = wire::SentFrameKind::kPathChallenge;
    sent.value = latest.data;
    writer.record(sent);
    latest.sent = true;
    latest.expanded = expanded;
    challenge_pending_ = false;
    return true;
}

ValidationEvent PathValidator::on_path_response(std::uint64_t data, Instant now,
                                                RandomSource& random) {
    if (state_ != State::kValidating) return ValidationEvent::kNothing;
    const auto answered =
        std::find_if(challenges_.begin(), challenges_.end(),
                     [data](const Challenge& c) { return c.sent && c.data == data; });
    if (answered == challenges_.end()) return ValidationEvent::kNothing;
    if (!answered->expanded) {
        //= 9000-8.2.1-6
        //= 9000-8.2.3-1
        answered->sent = false;
        begin(now, random);
        return ValidationEvent::kAddressValidated;
    }
    set_validated();
    return ValidationEvent::kValidated;
}

Instant PathValidator::next_timeout() const {
    return std::min(retry_at_, fail_at_);
}

ValidationEvent PathValidator::on_timeout(Instant now, RandomSource& random) {
    if (now >= fail_at_) {
        stop();
        state_ = State::kFailed;
        return ValidationEvent::kFailed;
    }
    if (now < retry_at_) return ValidationEvent::kNothing;
    // The next one would be due, twice as long after, at the moment of failure.
    retry_at_ = kNever;
    if (challenge_pending_) return ValidationEvent::kNothing;
    queue_challenge(random);
    return ValidationEvent::kRetry;
}

void PathResponses::on_path_challenge(std::uint64_t data) {
    if (count_ == kMaxPending) {
        first_ = (first_ + 1) % kMaxPending;
        --count_;
    }
    data_[(first_ + count_) % kMaxPending] = data;
    ++count_;
}

bool PathResponses::write_path_response(wire::PayloadWriter& writer) {
    if (count_ == 0 || !writer.can_record()) return false;
    //= 9000-8.2.2-1
    //= 9000-19.17-1
    if (!wire::encode(writer.bytes(), wire::PathResponseFrame{data_[first_]})) return false;
    wire::SentFrame sent{};
    sent.kind = wire::SentFrameKind::kPathResponse;
    writer.record(sent);
    //= 9000-8.2.2-7
    first_ = (first_ + 1) % kMaxPending;
    --count_;
    return true;
}

}  // namespace stoq::path
