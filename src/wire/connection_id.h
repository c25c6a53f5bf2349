// Connection IDs of 0 to 20 bytes (RFC 9000 section 5.1) and stateless reset tokens (section 10.3).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

#include "stoq/types.h"

namespace stoq::wire {

//= 9000-17.2-2
//= 9000-17.2-5
inline constexpr std::size_t kMaxConnectionIdLength = 20;

namespace detail {

// Copies `length` bytes, at most 20, in two moves of fixed size. (Left to itself, the compiler sees
// the bound and chooses a string instruction that takes longer than the rest of a header.)
inline void copy_connection_id(std::uint8_t* to, const std::uint8_t* from, std::size_t length) {
    if (length >= 16) {
        std::memcpy(to, from, 16);
        std::memcpy(to + length - 4, from + length - 4, 4);
    } else if (length >= 8) {
        std::memcpy(to, from, 8);
        std::memcpy(to + length - 8, from + length - 8, 8);
    } else if (length >= 4) {
        std::memcpy(to, from, 4);
        std::memcpy(to + length - 4, from + length - 4, 4);
    } else {
        for (std::size_t i = 0; i < length; ++i) to[i] = from[i];
    }
}

}  // namespace detail

// A copy of a connection ID, kept inline. Bytes behind the length are always zero.
class ConnectionId {
public:
    constexpr ConnectionId() = default;

    // Nothing when `bytes` is longer than 20: such an ID belongs to another version of QUIC and
    // stays a ByteView.
    static std::optional<ConnectionId> from(ByteView bytes) {
        if (bytes.size() > kMaxConnectionIdLength) return std::nullopt;
        std::optional<ConnectionId> id(std::in_place);
        id->assign(bytes);
        return id;
    }

    // Replaces an empty ID by `bytes`, of which there are 20 at most.
    void assign(ByteView bytes) {
        detail::copy_connection_id(bytes_.data(), bytes.data(), bytes.size());
        length_ = static_cast<std::uint8_t>(bytes.size());
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
