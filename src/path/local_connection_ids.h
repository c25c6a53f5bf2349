// LocalConnectionIds: the connection IDs that we issued to the peer (RFC 9000 section 5.1).
//
// Sequence number 0 is the id of the handshake. From then on ids are issued up to the peer's
// active_connection_id_limit, at most eight, and replaced as the peer retires them. What the
// endpoint's table must add and remove is polled with next_change().
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "path/connection_id_generator.h"
#include "path/reset_token_key.h"
#include "stoq/error.h"
#include "wire/connection_id.h"
#include "wire/payload_writer.h"

namespace stoq::path {

// What it takes to make an id.
struct ConnectionIdSource {
    ConnectionIdGenerator& generator;
    const ResetTokenKey& reset_key;
    RandomSource& random;
};

// The endpoint routes packets with `id` to this connection, or stops doing so. Packets that are
// still in flight with a removed id are lost; the endpoint may keep it for a while to catch them.
struct ConnectionIdChange {
    bool added = false;
    wire::ConnectionId id;
};

class LocalConnectionIds {
public:
    static constexpr std::size_t kMaxActive = 8;

    // `handshake_id` is our Source Connection ID of the handshake; the endpoint knows it already.
    explicit LocalConnectionIds(const wire::ConnectionId& handshake_id);

    const wire::ConnectionId& handshake_id() const { return handshake_id_; }

    // The id of the preferred_address transport parameter, sequence number 1. Only before the first
    // issue(), and not when our ids are of length zero.
    void add_preferred_address(const wire::ConnectionId& id,
                               const wire::StatelessResetToken& token);

    // From the peer's transport parameters.
    void set_peer_limit(std::uint64_t active_connection_id_limit);

    // Makes ids until the peer has as many as its limit allows. Call when the handshake is
    // complete and after retirements; nothing happens when nothing is missing.
    void issue(const ConnectionIdSource& source);

    // --- Frames ---

    bool has_frames_to_write() const { return unsent_ != 0; }
    // Appends NEW_CONNECTION_ID frames as far as they fit.
    void write_new_connection_ids(wire::PayloadWriter& writer);
    void on_acked(std::uint64_t sequence);
    void on_lost(std::uint64_t sequence);
    // `packet_id`: Destination Connection ID of the packet that carried the frame.
    TransportResult<void> on_retire_connection_id(std::uint64_t sequence,
                                                  const wire::ConnectionId& packet_id);

    // --- For the endpoint ---

    // The next id to add or remove, oldest first; nothing when the table is up to date.
    std::optional<ConnectionIdChange> next_change();
    bool has_changes() const { return change_count_ != 0; }
    // Calls visit(id) for each id that is active, to remove all of them when the connection ends.
    template <class Visitor>
    void for_each(Visitor&& visit) const {
        for (const Entry& entry : entries_) {
            if (entry.active) visit(entry.id);
        }
    }

    // The sequence number of one of our active ids: how the peer addressed a packet.
    std::optional<std::uint64_t> sequence_of(const wire::ConnectionId& id) const;
    std::size_t active_count() const;

private:
    enum class Delivery : std::uint8_t { kUnsent, kInFlight, kDone };
    struct Entry {
        std::uint64_t sequence = 0;
        wire::ConnectionId id;
        wire::StatelessResetToken token;
        Delivery delivery = Delivery::kDone;
        bool active = false;
    };

    Entry* find(std::uint64_t sequence);
    void add(const wire::ConnectionId& id, const wire::StatelessResetToken& token,
             Delivery delivery);
    wire::ConnectionId generate_unused(const ConnectionIdSource& source) const;
    void push_change(bool added, const wire::ConnectionId& id);

    // Between two polls at most all ids are removed and replaced once: issue() waits for the poll.
    static constexpr std::size_t kMaxChanges = 3 * kMaxActive;

    std::array<Entry, kMaxActive> entries_{};
    std::array<ConnectionIdChange, kMaxChanges> changes_{};
    std::size_t first_change_ = 0;
    std::size_t change_count_ = 0;
    wire::ConnectionId handshake_id_;
    std::uint64_t next_sequence_ = 1;
    std::uint64_t end_of_sent_ = 1;  // sequence numbers below were sent to the peer at least once
    std::size_t limit_ = 1;
    std::size_t unsent_ = 0;
};

}  // namespace stoq::path
