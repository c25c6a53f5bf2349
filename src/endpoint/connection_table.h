// ConnectionTable: from what a datagram carries to the connection that it belongs to.
#pragma once

#include <array>
#include <optional>
#include <unordered_map>

#include "base/seeded_hash.h"
#include "base/slab.h"
#include "wire/connection_id.h"

namespace stoq::endpoint {

class ConnectionTable {
public:
    explicit ConnectionTable(RandomSource& random)
        : by_id_(0, IdHash{SeededHash(random)}), by_token_(0, TokenHash{SeededHash(random)}) {}

    // Our own IDs, and on a server the first Destination Connection ID of each client. False when
    // the ID is taken already.
    bool add(const wire::ConnectionId& id, SlabHandle connection) {
        return by_id_.emplace(id, connection).second;
    }
    void remove(const wire::ConnectionId& id, SlabHandle connection) {
        const auto at = by_id_.find(id);
        if (at != by_id_.end() && at->second == connection) by_id_.erase(at);
    }
    std::optional<SlabHandle> find(const wire::ConnectionId& id) const {
        const auto at = by_id_.find(id);
        if (at == by_id_.end()) return std::nullopt;
        return at->second;
    }

    // Stateless reset tokens of the peers (RFC 9000 section 10.3.1).
    void add_token(const wire::StatelessResetToken& token, SlabHandle connection) {
        by_token_.insert_or_assign(token, connection);
    }
    void remove_token(const wire::StatelessResetToken& token, SlabHandle connection) {
        const auto at = by_token_.find(token);
        if (at != by_token_.end() && at->second == connection) by_token_.erase(at);
    }
    std::optional<SlabHandle> find_token(const wire::StatelessResetToken& token) const {
        const auto at = by_token_.find(token);
        if (at == by_token_.end()) return std::nullopt;
        return at->second;
    }

private:
    struct IdHash {
        SeededHash hash;
        std::size_t operator()(const wire::ConnectionId& id) const { return hash(id.view()); }
    };
    struct TokenHash {
        SeededHash hash;
        std::size_t operator()(const wire::StatelessResetToken& token) const {
            return hash(token.bytes);
        }
    };

    std::unordered_map<wire::ConnectionId, SlabHandle, IdHash> by_id_;
    // Compares in constant time, as the tokens do.
    std::unordered_map<wire::StatelessResetToken, SlabHandle, TokenHash> by_token_;
};

}  // namespace stoq::endpoint
