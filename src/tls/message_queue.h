// MessageQueue: cuts the CRYPTO stream of the current receive level into whole TLS messages.
//
// OpenSSL gets one complete message at a time. So it never allocates for a length that a peer only
// claims, and bytes left over at a change of keys are seen (RFC 9001 section 4.1.3).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "stoq/types.h"

namespace stoq::tls {

class MessageQueue {
public:
    // A message, and all bytes that wait. Large enough for chains of post-quantum certificates.
    static constexpr std::size_t kMaxLength = 64 * 1024;
    static constexpr std::size_t kHeaderLength = 4;  // type and 24-bit length (RFC 8446 section 4)

    // False if that would be more than kMaxLength, or if the next message claims to be longer.
    [[nodiscard]] bool append(ByteView bytes);

    // The type of the next message, as soon as its first byte is here.
    std::optional<std::uint8_t> next_type() const;

    // The next whole message, or nothing. Valid until release(); while it is lent, lend() gives
    // nothing and append() leaves it in place.
    ByteView lend();
    // Gives back what lend() lent.
    void release();

    bool empty() const { return lent_.empty() && waiting_.empty(); }
    // Something was appended that was not lent: at least a part of a message.
    bool has_waiting() const { return !waiting_.empty(); }

private:
    // Length of the first message in `waiting_`, header included; nothing before that is known.
    std::optional<std::size_t> first_length() const;

    std::vector<std::uint8_t> lent_;
    std::vector<std::uint8_t> waiting_;
};

}  // namespace stoq::tls
