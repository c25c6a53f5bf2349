// RemoteConnectionIds: the connection IDs that the peer gave us to send with (RFC 9000
// section 5.1).
//
// Keeps which id is in use on which path, switches when the peer asks for retirement, and owns the
// RETIRE_CONNECTION_ID frames. Everything a peer can make it hold is bounded.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/interval_set.h"
#include "stoq/error.h"
#include "wire/connection_id.h"
#include "wire/frame.h"
#include "wire/payload_writer.h"

namespace stoq::path {

// A place in the PathSet of a connection; places are used again.
using PathIndex = std::uint8_t;
inline constexpr std::size_t kMaxPaths = 4;
inline constexpr PathIndex kInitialPath = 0;

class RemoteConnectionIds {
public:
    static constexpr std::size_t kMaxActive = 8;
    // RETIRE_CONNECTION_ID frames that are not acknowledged yet.
    static constexpr std::size_t kMaxRetiring = 32;

    // `active_connection_id_limit` is what we advertise: 2 to kMaxActive (a larger one is cut, so
    // advertise limit()).
    explicit RemoteConnectionIds(std::uint64_t active_connection_id_limit);
    std::uint64_t limit() const { return limit_; }

    // --- Handshake ---

    // The id of sequence number 0, in use on the initial path: a client's random first choice, then
    // the one of a Retry, then the server's own; on a server, the client's.
    void set_handshake_id(const wire::ConnectionId& id);
    // The stateless_reset_token transport parameter.
    void set_handshake_reset_token(const wire::StatelessResetToken& token);
    // The id of the preferred_address transport parameter, sequence number 1.
    void add_preferred_address(const wire::ConnectionId& id,
                               const wire::StatelessResetToken& token);

    // --- Frames ---

    // True when the id in use on some path had to change; ask id_of() again. When there are not
    // enough for all paths, `active` is served first.
    TransportResult<bool> on_new_connection_id(const wire::NewConnectionIdFrame& frame,
                                               PathIndex active = kInitialPath);
    bool has_frames_to_write() const { return unsent_retirements_ != 0; }
    // Appends RETIRE_CONNECTION_ID frames as far as they fit.
    void write_retire_connection_ids(wire::PayloadWriter& writer);
    void on_acked(std::uint64_t sequence);
    void on_lost(std::uint64_t sequence);

    // --- Use ---

    // The id to send with on `path`; null when there is none, and then nothing may be sent there.
    const wire::ConnectionId* id_of(PathIndex path) const;
    std::optional<std::uint64_t> sequence_of(PathIndex path) const;
    // Whether assign_fresh() can succeed.
    bool has_unused() const;
    // Gives `path` an id that was never used and gives up the one it had. False when there is none
    // left: the path gets the next one that the peer provides.
    bool assign_fresh(PathIndex path);
    // Lets `to` use the same id as `from`: for a change of the peer's address that the peer did not
    // intend (RFC 9000 section 9.5).
    void share(PathIndex from, PathIndex to);
    // The path is abandoned: an id that no other path uses is retired.
    void release(PathIndex path);
    // Replaces the id of `path` by a fresh one and retires the old one. False when none is left.
    bool rotate(PathIndex path);

    // Whether a datagram that ends in `token` is a Stateless Reset of this connection. Only ids
    // that were used and are not retired count.
    bool matches_reset_token(const wire::StatelessResetToken& token) const;
    // Calls visit(token) for each such token.
    template <class Visitor>
    void for_each_reset_token(Visitor&& visit) const {
        for (const Entry& entry : entries_) {
            if (entry.active && entry.used && entry.token) visit(*entry.token);
        }
    }

    std::size_t active_count() const;

private:
    struct Entry {
        std::uint64_t sequence = 0;
        wire::ConnectionId id;
        std::optional<wire::StatelessResetToken> token;
        bool active = false;
        bool used = false;
        std::uint8_t paths = 0;  // bit i: in use on path i
    };
    struct Retirement {
        std::uint64_t sequence = 0;
        bool in_flight = false;
    };
    enum class Known : std::uint8_t { kNew, kRepeated, kConflict };

    Entry* find(std::uint64_t sequence);
    Entry* entry_of(PathIndex path);
    const Entry* entry_of(PathIndex path) const;
    Entry* lowest_unused();
    Known compare(const wire::NewConnectionIdFrame& frame) const;
    std::uint8_t retire_below(std::uint64_t limit);
    void add(const wire::NewConnectionIdFrame& frame);
    void retire(Entry& entry);
    void queue_retirement(std::uint64_t sequence);
    Retirement* find_retirement(std::uint64_t sequence);
    bool over_limits() const;
    bool zero_length() const;
    bool reassign(std::uint8_t orphans, PathIndex active);

    // One more than may stay: a frame is checked against the limit after it was added.
    std::array<Entry, kMaxActive + 1> entries_{};
    std::array<Retirement, kMaxRetiring + kMaxActive + 2> retiring_{};
    std::size_t retiring_count_ = 0;
    std::size_t unsent_retirements_ = 0;
    IntervalSet retired_;  // sequence numbers for which a RETIRE_CONNECTION_ID was queued
    std::uint64_t retire_prior_to_ = 0;
    std::uint64_t limit_;
    std::uint8_t waiting_paths_ = 0;  // bit i: path i has no id and gets the next one
};

}  // namespace stoq::path
