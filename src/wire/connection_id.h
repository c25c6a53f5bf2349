// Connection IDs of 0 to 20 bytes (RFC 9000 section 5.1) and stateless reset tokens (section 10.3).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

#include "stoq/types.h"

namespace stoq::wire {

inline constexpr std::size_t kMaxConnectionIdLength = 20;

// A copy of a connection ID, kept inline. Bytes behind the length are always zero.
class ConnectionId {
public:
    constexpr ConnectionId() = default;

    // Nothing when `bytes` is longer than 20: such an ID belongs to another version of QUIC and
    // stays a ByteView.
    static std::optional<ConnectionId> from(ByteView bytes) {
        if (bytes.size() > kMaxConnectionIdLength) return std::nullopt;
        ConnectionId id;
        if (!bytes.empty()) std::memcpy(id.bytes_.data(), bytes.data(), bytes.size());
        id.length_ = static_cast<std::uint8_t>(bytes.size());
        return id;
    }

    constexpr ByteView view() const { return {bytes_.data(), length_}; }
    constexpr std::size_t length() const { return length_; }
    constexpr bool empty() const { return length_ == 0; }

    friend constexpr bool operator==(const ConnectionId&, const ConnectionId&) = default;

private:
    std::array<std::uint8_t, kMaxConnectionIdLength> bytes_{};
    std::uint8_t length_ = 0;
};
static_assert(sizeof(ConnectionId) == 21);

inline constexpr std::size_t kStatelessResetTokenLength = 16;

// Equality takes the same time wherever the tokens differ, so that a peer cannot guess one byte by
// byte.
struct StatelessResetToken {
    std::array<std::uint8_t, kStatelessResetTokenLength> bytes{};

    static std::optional<StatelessResetToken> from(ByteView view) {
        if (view.size() != kStatelessResetTokenLength) return std::nullopt;
        StatelessResetToken token;
        std::memcpy(token.bytes.data(), view.data(), kStatelessResetTokenLength);
        return token;
    }

    //= 9000-10.3.1-4
    friend bool operator==(const StatelessResetToken& a, const StatelessResetToken& b) {
        std::uint64_t left[2];
        std::uint64_t right[2];
        std::memcpy(left, a.bytes.data(), sizeof left);
        std::memcpy(right, b.bytes.data(), sizeof right);
        return ((left[0] ^ right[0]) | (left[1] ^ right[1])) == 0;
    }
};

}  // namespace stoq::wire
