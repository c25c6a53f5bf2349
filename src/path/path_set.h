// PathSet: the paths of a connection and which of them is in use (RFC 9000 section 9).
//
// It decides; the connection acts: it gives new paths a connection ID, a congestion controller and
// an RTT estimator, and sends what the paths' validators and responders want to send. For one
// datagram: admit() before anything else, on_datagram() when its first packet was opened, and
// on_packet_processed() after each packet's frames.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/drop_reason.h"
#include "base/packet_number.h"
#include "base/random.h"
#include "path/path_state.h"
#include "path/remote_connection_ids.h"
#include "stoq/error.h"

namespace stoq::path {

// What every new path of the connection starts with.
struct PathSettings {
    MtuSettings mtu;
    bool ecn = true;
};

struct PacketOnPath {
    PathIndex path = kInitialPath;
    PacketNumber number;
    bool non_probing = false;  // holds a frame that is not a probing frame
};

struct Migration {
    PathIndex from = kInitialPath;
    PathIndex to = kInitialPath;
    // Only the peer's port changed: congestion state and RTT may be kept (RFC 9000 section 9.4).
    bool keep_congestion_state = false;
};

// Values of the caller that validations need.
struct ValidationInput {
    Instant now;
    Duration probe_timeout{};  // the connection's current one
    RandomSource& random;
};

struct PathResponseOutcome {
    ValidationEvent event = ValidationEvent::kNothing;
    PathIndex path = kInitialPath;
    // The path in use has been confirmed: a server should issue a new token.
    bool active_validated = false;
    // It was what a migration of ours waited for.
    std::optional<Migration> migrated;
};

struct PathTimeoutOutcome {
    // The path in use failed; the connection goes on with the last one that was validated.
    std::optional<Migration> reverted;
    // ... but there is none: forget the connection silently (RFC 9000 section 9.3.2).
    bool no_path_left = false;
    // Where a migration of ours was going, which has come to nothing.
    std::optional<AddressPair> failed_migration;
};

class PathSet {
public:
    // The path of the handshake. A client's peer needs no validation.
    PathSet(Role role, const AddressPair& addresses, const PathSettings& settings);

    PathIndex active_index() const { return active_; }
    PathState& active() { return paths_[active_]; }
    const PathState& active() const { return paths_[active_]; }
    PathState& operator[](PathIndex index) { return paths_[index]; }
    const PathState& operator[](PathIndex index) const { return paths_[index]; }
    std::optional<PathIndex> find(const AddressPair& addresses) const;
    template <class Visitor>
    void for_each(Visitor&& visit) {
        for (std::size_t i = 0; i < kMaxPaths; ++i) {
            if (paths_[i].in_use) visit(static_cast<PathIndex>(i), paths_[i]);
        }
    }

    // The peer may change its address from now on.
    void on_handshake_confirmed();
    // The initial path's peer has proved its address: Handshake packet, token.
    void on_handshake_address_validated();
    // The peer's max_udp_payload_size, for the paths that are there and those that come. What it
    // changed of the path in use.
    MtuOutcome limit_datagram_size(std::size_t max_size);
    // Refuse to follow the peer (we sent disable_active_migration).
    // The peer may move only to where it was told to come: to `preferred`, addresses of ours.
    void disable_migration(const std::array<Address, 2>& preferred) {
        migration_allowed_ = false;
        preferred_ = preferred;
    }

    // --- Receiving ---

    // May a datagram from there be processed? Nothing: yes.
    std::optional<DropReason> admit(const AddressPair& addresses) const;
    // So much came from there with a connection ID of ours: it counts for the amplification limit,
    // whatever it is (RFC 9000 section 8.1). False on a path that is not known, which only an
    // authentic packet can make known, and on clients, which have no limit.
    //= 9000-8.1-3
    bool credit(const AddressPair& addresses, std::size_t bytes);
    // An authentic packet was in a datagram of `length` bytes; `credited`: credit() has counted
    // them on a path that was known then. Finds its path or makes a new one. `local_sequence` is
    // the sequence number of our id that the packet was addressed to. A new path may have to wait
    // for a connection ID: then ids.id_of() is null.
    PathIndex on_datagram(const AddressPair& addresses, std::size_t length,
                          std::uint64_t local_sequence, RemoteConnectionIds& ids,
                          bool credited = false);
    // True, and nothing else is to be done, when the packet came on the path in use.
    bool follows_already(const PacketOnPath& packet) {
        if (packet.path != active_) return false;
        if (packet.non_probing &&
            (!largest_non_probing_ || packet.number > *largest_non_probing_)) {
            largest_non_probing_ = packet.number;
        }
        return true;
    }
    // The frames of a 1-RTT packet were processed. A migration has already happened when it is
    // returned: active() is the new path, and both paths are being validated where needed.
    std::optional<Migration> on_packet_processed(const PacketOnPath& packet,
                                                 const ValidationInput& input);

    // --- Migration of our own (client) ---

    // Begins to move to `to`, whose local address is known, or whose remote address is the
    // server's preferred one: validates the path and moves when that is done; or moves `at_once`,
    // because the path in use is of no use any more. An earlier migration that is not done is
    // given up. @error kInvalidArgument: that path is there; kNotReady: the peer has given no
    // connection ID for it, or nobody knows our address on the path in use.
    ApiResult<std::optional<Migration>> begin_migration(const AddressPair& to, bool at_once,
                                                        const ValidationInput& input,
                                                        RemoteConnectionIds& ids);

    // --- Validation ---

    // PATH_CHALLENGE on that path. A server validates a path that its client probes.
    void on_path_challenge(PathIndex path, std::uint64_t data, const ValidationInput& input);
    // PATH_RESPONSE on any path (RFC 9000 section 8.2.2).
    PathResponseOutcome on_path_response(std::uint64_t data, const ValidationInput& input,
                                         RemoteConnectionIds& ids);
    Instant next_timeout() const;
    PathTimeoutOutcome on_timeout(const ValidationInput& input, RemoteConnectionIds& ids);

private:
    bool is_preferred(const Address& local) const;
    PathState fresh_path(const AddressPair& addresses, std::uint64_t local_sequence);
    PathIndex create(const AddressPair& addresses, std::uint64_t local_sequence,
                     RemoteConnectionIds& ids);
    PathIndex place_for_new_path(RemoteConnectionIds& ids);
    void validate_if_needed(PathState& path, const ValidationInput& input);
    PathTimeoutOutcome revert();
    Migration switch_to(PathIndex path);
    void drop(PathIndex path, RemoteConnectionIds& ids);
    void drop_stale(RemoteConnectionIds& ids);
    std::optional<PathIndex> probed_by_peer() const;
    std::optional<PathIndex> newest_validated_except(PathIndex path) const;

    std::array<PathState, kMaxPaths> paths_{};
    PathSettings settings_;
    std::uint64_t next_serial_ = 0;
    std::optional<PacketNumber> largest_non_probing_;
    PathIndex active_ = kInitialPath;
    std::optional<PathIndex> moving_to_;  // or have moved to, before it was validated
    Role role_;
    bool confirmed_ = false;
    bool migration_allowed_ = true;
    std::array<Address, 2> preferred_{};  // when it is not
};

}  // namespace stoq::path
