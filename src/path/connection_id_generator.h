// ConnectionIdGenerator: the one place that knows what is inside a connection ID that we issue.
//
// Everything else treats connection IDs as opaque bytes. A generator that encodes a server, a
// shard or a route (QUIC-LB, hops) replaces the default one without any other change.
#pragma once

#include <cstdint>
#include <optional>

#include "base/random.h"
#include "wire/connection_id.h"

namespace stoq::path {

class ConnectionIdGenerator {
public:
    virtual ~ConnectionIdGenerator() = default;

    // Length of every id it makes, 0 to 20 bytes. Short headers do not carry it, so it cannot
    // change while an endpoint lives (RFC 9000 section 10.3.2 needs the same).
    virtual std::size_t length() const = 0;

    // A new id. It must tell an observer nothing that links it to another (RFC 9000 section 5.1).
    virtual wire::ConnectionId generate(RandomSource& random) = 0;

    // Which endpoint or shard issued this id, when the id itself tells. Nothing: any may have.
    virtual std::optional<std::uint32_t> owner_of(ByteView) const { return std::nullopt; }
};

// Random bytes. With at least 8 of them a peer that repeats the id has proved its address (RFC 9000
// section 8.1).
class RandomConnectionIdGenerator final : public ConnectionIdGenerator {
public:
    static constexpr std::size_t kMinLength = 4;
    static constexpr std::size_t kDefaultLength = 8;

    explicit RandomConnectionIdGenerator(std::size_t length = kDefaultLength);

    std::size_t length() const override { return length_; }
    wire::ConnectionId generate(RandomSource& random) override;

private:
    std::size_t length_;
};

}  // namespace stoq::path
