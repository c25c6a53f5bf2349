// Stateless Reset (RFC 9000 section 10.3): a datagram that looks like a 1-RTT packet and ends in a
// token that only the peer's earlier connection could have known.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/random.h"
#include "wire/connection_id.h"

namespace stoq::wire {

// Shorter datagrams cannot be a Stateless Reset: five bytes to look random, then the token.
inline constexpr std::size_t kMinStatelessResetLength = 21;

// How long a reset in answer to a datagram of `received` bytes is: shorter than it, so that two
// endpoints cannot answer each other for ever. Nothing when no reset is short enough.
constexpr std::optional<std::size_t> stateless_reset_length(std::size_t received) {
    // Long enough for the longest connection ID of ours and the shortest packet behind it.
    constexpr std::size_t kUsualLength = 42;
    if (received <= kMinStatelessResetLength) return std::nullopt;
    //= 9000-10.3-5
    //= 9000-10.3-6
    //= 9000-10.3.3-1
    return received - 1 < kUsualLength ? received - 1 : kUsualLength;
}

// Fills all of `out` with random bytes, a short header's first two bits and the token. False when
// `out` is shorter than kMinStatelessResetLength.
bool encode_stateless_reset(Bytes out, const StatelessResetToken& token, RandomSource& random);

// What to compare with the tokens of the connection: the last 16 bytes of a datagram.
inline std::optional<StatelessResetToken> candidate_stateless_reset_token(ByteView datagram) {
    if (datagram.size() < kMinStatelessResetLength) return std::nullopt;
    //= 9000-10.3-9
    return StatelessResetToken::from(datagram.last(kStatelessResetTokenLength));
}

}  // namespace stoq::wire
