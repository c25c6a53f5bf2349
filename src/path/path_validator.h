// PathValidator: does the peer receive what we send to this address (RFC 9000 section 8.2)?
//
// A challenge is repeated with new data after a probe timeout, then after twice as long; validation
// fails three probe timeouts after it began. PathResponses is the answering side.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "stoq/types.h"
#include "wire/payload_writer.h"

namespace stoq::path {

// Datagrams with PATH_CHALLENGE or PATH_RESPONSE are expanded to this, as far as the amplification
// limit allows.
inline constexpr std::size_t kMinPathDatagramSize = 1200;

enum class ValidationEvent : std::uint8_t {
    kNothing,
    kRetry,             // a new challenge waits to be written
    kAddressValidated,  // the peer is there, but the challenge was not in a full-sized datagram:
                        // another one follows by itself
    kValidated,
    kFailed,
};

class PathValidator {
public:
    enum class State : std::uint8_t { kIdle, kValidating, kValidated, kFailed };

    State state() const { return state_; }
    // An address that the handshake has validated.
    void set_validated();

    // Begins, or begins anew. `probe_timeout` is the connection's current one; a path is never
    // probed faster than the one of a new path (RFC 9002 section 6.2.2) allows.
    void start(Instant now, Duration probe_timeout, RandomSource& random);
    // Gives up without a verdict.
    void stop();

    bool has_challenge_to_write() const { return challenge_pending_; }
    // Appends one PATH_CHALLENGE. `expanded`: the datagram will have kMinPathDatagramSize bytes at
    // least. False when there is none to write or no room.
    bool write_path_challenge(wire::PayloadWriter& writer, bool expanded);
    ValidationEvent on_path_response(std::uint64_t data, Instant now, RandomSource& random);

    Instant next_timeout() const;
    ValidationEvent on_timeout(Instant now, RandomSource& random);

private:
    struct Challenge {
        std::uint64_t data = 0;
        bool sent = false;
        bool expanded = false;
    };
    static constexpr std::size_t kMaxChallenges = 4;

    void begin(Instant now, RandomSource& random);
    void queue_challenge(RandomSource& random);

    std::array<Challenge, kMaxChallenges> challenges_{};
    std::size_t challenge_count_ = 0;  // since start(); the latest is at (count - 1) % kMax
    Duration probe_timeout_{};
    Instant retry_at_ = kNever;
    Instant fail_at_ = kNever;
    State state_ = State::kIdle;
    bool challenge_pending_ = false;
};

// PATH_RESPONSE frames that wait to be sent on the path on which the challenge came. First in,
// first out; when a peer challenges faster than we may answer, the oldest go.
class PathResponses {
public:
    static constexpr std::size_t kMaxPending = 8;

    void on_path_challenge(std::uint64_t data);
    bool empty() const { return count_ == 0; }
    std::size_t size() const { return count_; }
    // Appends one PATH_RESPONSE. A response is never repeated (RFC 9000 section 8.2.2): the peer
    // asks again. False when there is none, or no room.
    bool write_path_response(wire::PayloadWriter& writer);

private:
    std::array<std::uint64_t, kMaxPending> data_{};
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

}  // namespace stoq::path
