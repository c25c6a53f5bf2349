#include "path/path_set.h"

#include <algorithm>

namespace stoq::path {

PathSet::PathSet(Role role, const AddressPair& addresses, const PathSettings& settings)
    : settings_(settings), role_(role) {
    PathState& initial = paths_[kInitialPath];
    initial = fresh_path(addresses, 0);
    if (role == Role::kClient) on_handshake_address_validated();
}

PathState PathSet::fresh_path(const AddressPair& addresses, std::uint64_t local_sequence) {
    PathState path;
    path.addresses = addresses;
    path.serial = next_serial_++;
    path.received_on_sequence = local_sequence;
    path.ecn = EcnValidator(settings_.ecn);
    path.mtu = MtuDiscovery(settings_.mtu);
    path.in_use = true;
    return path;
}

std::optional<PathIndex> PathSet::find(const AddressPair& addresses) const {
    for (std::size_t i = 0; i < kMaxPaths; ++i) {
        if (paths_[i].in_use && same_path(paths_[i].addresses, addresses)) {
            return static_cast<PathIndex>(i);
        }
    }
    return std::nullopt;
}

void PathSet::on_handshake_confirmed() {
    confirmed_ = true;
    active().mtu.enable();
}

void PathSet::on_handshake_address_validated() {
    paths_[kInitialPath].amplification.set_validated();
    paths_[kInitialPath].validator.set_validated();
}

MtuOutcome PathSet::limit_datagram_size(std::size_t max_size) {
    const std::size_t limit = std::max(max_size, kBaseDatagramSize);
    settings_.mtu.initial_size = std::min(settings_.mtu.initial_size, limit);
    settings_.mtu.max_size = std::min(settings_.mtu.max_size, limit);
    const MtuOutcome outcome = active().mtu.limit(limit);
    for_each([limit](PathIndex, PathState& path) { path.mtu.limit(limit); });
    return outcome;
}

// --- Receiving ---

std::optional<DropReason> PathSet::admit(const AddressPair& addresses) const {
    if (find(addresses)) return std::nullopt;
    //= 9000-9-1
    //= 9000-9-3
    //= 9000-9-7
    //= 9000-9.6-1
    //= 9000-18.2-3
    const bool follows = role_ == Role::kServer && confirmed_ &&
                         (migration_allowed_ || is_preferred(addresses.local));
    // A client that has moved still hears what the server sent to where it was.
    if (role_ == Role::kClient && confirmed_ && addresses.remote == active().addresses.remote) {
        return std::nullopt;
    }
    return follows ? std::nullopt : std::optional(DropReason::kPeerNotAllowed);
}

bool PathSet::is_preferred(const Address& local) const {
    return local.family != Address::Family::kNone &&
           std::ranges::find(preferred_, local) != preferred_.end();
}

bool PathSet::credit(const AddressPair& addresses, std::size_t bytes) {
    if (role_ == Role::kClient) return false;
    const PathState& used = active();
    if (used.amplification.validated() && same_path(used.addresses, addresses)) [[likely]]
        return true;
    const auto known = find(addresses);
    if (known) paths_[*known].amplification.on_received(bytes);
    return known.has_value();
}

PathIndex PathSet::on_datagram(const AddressPair& addresses, std::size_t length,
                               std::uint64_t local_sequence, RemoteConnectionIds& ids,
                               bool credited) {
    const auto known = find(addresses);
    if (!known && role_ == Role::kClient) return active_;
    const PathIndex index = known ? *known : create(addresses, local_sequence, ids);
    // The path that was credited may have gone meanwhile.
    if (!known || !credited) paths_[index].amplification.on_received(length);
    paths_[index].received_on_sequence = local_sequence;
    paths_[index].local_seen = addresses.local;
    return index;
}

PathIndex PathSet::create(const AddressPair& addresses, std::uint64_t local_sequence,
                          RemoteConnectionIds& ids) {
    const PathIndex place = place_for_new_path(ids);
    paths_[place] = fresh_path(addresses, local_sequence);
    // A peer that addresses us as before did not mean to move, and sending from the same local
    // address we may go on as before, too. One that moves on purpose has taken a fresh id.
    const bool same_local = active().addresses.local == addresses.local;
    if (same_local && local_sequence == active().received_on_sequence) {
        ids.share(active_, place);
    } else {
        ids.assign_fresh(place);
    }
    return place;
}

// A free place, or that of the oldest path that is neither in use nor the one to fall back to.
PathIndex PathSet::place_for_new_path(RemoteConnectionIds& ids) {
    const auto fallback = newest_validated_except(active_);
    std::optional<PathIndex> oldest;
    for (std::size_t i = 0; i < kMaxPaths; ++i) {
        const auto index = static_cast<PathIndex>(i);
        if (!paths_[i].in_use) return index;
        if (index == active_ || index == fallback) continue;
        if (!oldest || paths_[i].serial < paths_[*oldest].serial) oldest = index;
    }
    drop(*oldest, ids);
    return *oldest;
}

std::optional<Migration> PathSet::on_packet_processed(const PacketOnPath& packet,
                                                      const ValidationInput& input) {
    if (!packet.non_probing || role_ == Role::kClient) return std::nullopt;
    if (largest_non_probing_ && packet.number <= *largest_non_probing_) return std::nullopt;
    // A client that speaks to another address of ours is where it was: there is time to validate.
    PathState& path = paths_[packet.path];
    if (packet.path != active_ && path.addresses.remote == active().addresses.remote &&
        !path.amplification.validated()) {
        //= 9000-9.6.2-2
        //= 9000-9.6.2-3
        validate_if_needed(path, input);
        return std::nullopt;
    }
    largest_non_probing_ = packet.number;
    if (packet.path == active_) return std::nullopt;

    //= 9000-9.3-1
    const Migration migration = switch_to(packet.path);
    //= 9000-9-4
    //= 9000-9.3-3
    validate_if_needed(active(), input);
    //= 9000-9.3.3-1
    PathState& previous = paths_[migration.from];
    if (previous.validator.state() != PathValidator::State::kValidating) {
        previous.validator.start(input.now, input.probe_timeout, input.random);
    }
    return migration;
}

void PathSet::validate_if_needed(PathState& path, const ValidationInput& input) {
    using State = PathValidator::State;
    const State state = path.validator.state();
    if (state == State::kValidated || state == State::kValidating) return;
    path.validator.start(input.now, input.probe_timeout, input.random);
}

Migration PathSet::switch_to(PathIndex path) {
    PathState& from = active();
    PathState& to = paths_[path];
    //= 9000-9.4-2
    //= 9000-9.4-3
    const bool keep = differs_in_port_only(from.addresses, to.addresses);
    if (keep) {
        to.ecn = from.ecn;
        to.mtu = from.mtu;
    } else {
        to.ecn.take_over(from.ecn, settings_.ecn);
        to.mtu.forget_probe();
    }
    const Migration migration{active_, path, keep};
    active_ = path;
    return migration;
}

// --- Migration of our own ---

ApiResult<std::optional<Migration>> PathSet::begin_migration(const AddressPair& to, bool at_once,
                                                             const ValidationInput& input,
                                                             RemoteConnectionIds& ids) {
    // From now on it makes a difference which local address a path has.
    Address& local = active().addresses.local;
    if (local.family == Address::Family::kNone) local = active().local_seen;
    if (local.family == Address::Family::kNone) return std::unexpected(ApiError::kNotReady);
    if (find(to)) return std::unexpected(ApiError::kInvalidArgument);
    //= 9000-9.5-2
    //= 9000-9.5-3
    if (!ids.has_unused()) return std::unexpected(ApiError::kNotReady);
    if (moving_to_ && *moving_to_ != active_) drop(*moving_to_, ids);
    const PathIndex place = place_for_new_path(ids);
    paths_[place] = fresh_path(to, active().received_on_sequence);
    paths_[place].amplification.lift();
    ids.assign_fresh(place);
    moving_to_ = place;
    std::optional<Migration> migration;
    if (at_once) migration = switch_to(place);
    //= 9000-9.1-1
    validate_if_needed(paths_[place], input);
    return migration;
}

// --- Validation ---

// The client is about to move to a path that it probes: when it comes, its address is proved
// already, and nothing holds us back.
void PathSet::on_path_challenge(PathIndex path, std::uint64_t data, const ValidationInput& input) {
    paths_[path].responses.on_path_challenge(data);
    if (role_ == Role::kServer && path != active_) validate_if_needed(paths_[path], input);
}

PathResponseOutcome PathSet::on_path_response(std::uint64_t data, const ValidationInput& input,
                                              RemoteConnectionIds& ids) {
    //= 9000-8.2.2-4
    PathResponseOutcome outcome;
    for (std::size_t i = 0; i < kMaxPaths; ++i) {
        PathState& path = paths_[i];
        if (!path.in_use) continue;
        const ValidationEvent event =
            path.validator.on_path_response(data, input.now, input.random);
        if (event == ValidationEvent::kNothing) continue;
        path.amplification.set_validated();
        outcome = {event, static_cast<PathIndex>(i), false, std::nullopt};
        if (event == ValidationEvent::kValidated) {
            outcome.active_validated = i == active_;
            path.mtu.enable();
            if (moving_to_ == i && i != active_) outcome.migrated = switch_to(*moving_to_);
            if (moving_to_ == i) moving_to_.reset();
        }
        break;
    }
    if (outcome.event != ValidationEvent::kNothing) drop_stale(ids);
    return outcome;
}

Instant PathSet::next_timeout() const {
    Instant next = kNever;
    for (const PathState& path : paths_) {
        if (path.in_use) next = std::min(next, path.validator.next_timeout());
    }
    return next;
}

PathTimeoutOutcome PathSet::on_timeout(const ValidationInput& input, RemoteConnectionIds& ids) {
    PathTimeoutOutcome outcome;
    for (std::size_t i = 0; i < kMaxPaths; ++i) {
        PathState& path = paths_[i];
        if (!path.in_use) continue;
        if (path.validator.on_timeout(input.now, input.random) != ValidationEvent::kFailed) {
            continue;
        }
        // Only a path that was never validated is given up for it: one that was may have lost the
        // challenges, and the idle timeout decides.
        if (path.amplification.validated()) continue;
        if (moving_to_ == i) {
            outcome.failed_migration = path.addresses;
            moving_to_.reset();
        }
        if (i == active_) {
            const PathTimeoutOutcome reverted = revert();
            outcome.reverted = reverted.reverted;
            outcome.no_path_left = reverted.no_path_left;
        }
        if (i != active_) drop(static_cast<PathIndex>(i), ids);
    }
    drop_stale(ids);
    return outcome;
}

PathTimeoutOutcome PathSet::revert() {
    const auto fallback = newest_validated_except(active_);
    //= 9000-9.3.2-2
    if (!fallback) {
        return {.reverted = std::nullopt, .no_path_left = true, .failed_migration = std::nullopt};
    }
    //= 9000-9.3.2-1
    return {
        .reverted = switch_to(*fallback), .no_path_left = false, .failed_migration = std::nullopt};
}

void PathSet::drop(PathIndex path, RemoteConnectionIds& ids) {
    ids.release(path);
    paths_[path] = PathState{};
}

// Paths with nothing more to do. While the path in use is not validated they are kept: it may turn
// out to be a spoofed one.
void PathSet::drop_stale(RemoteConnectionIds& ids) {
    if (!active().amplification.validated()) return;
    const auto probed = probed_by_peer();
    for (std::size_t i = 0; i < kMaxPaths; ++i) {
        const PathState& path = paths_[i];
        const bool busy = path.validator.state() == PathValidator::State::kValidating ||
                          !path.responses.empty() || i == probed;
        if (path.in_use && i != active_ && !busy) drop(static_cast<PathIndex>(i), ids);
    }
}

// Server: the newest path, if it is newer than the one in use: the client has probed it, and may be
// about to move there.
std::optional<PathIndex> PathSet::probed_by_peer() const {
    if (role_ == Role::kClient) return std::nullopt;
    std::optional<PathIndex> newest;
    std::uint64_t serial = active().serial;
    for (std::size_t i = 0; i < kMaxPaths; ++i) {
        if (!paths_[i].in_use || paths_[i].serial <= serial) continue;
        newest = static_cast<PathIndex>(i);
        serial = paths_[i].serial;
    }
    return newest;
}

std::optional<PathIndex> PathSet::newest_validated_except(PathIndex except) const {
    std::optional<PathIndex> newest;
    for (std::size_t i = 0; i < kMaxPaths; ++i) {
        const PathState& path = paths_[i];
        if (!path.in_use || i == except || !path.amplification.validated()) continue;
        if (!newest || path.serial > paths_[*newest].serial) newest = static_cast<PathIndex>(i);
    }
    return newest;
}

}  // namespace stoq::path
