#include "path/remote_connection_ids.h"

#include <algorithm>
#include <expected>

#include "base/check.h"
#include "wire/frame_encode.h"
#include "wire/frame_table.h"

namespace stoq::path {
namespace {

// A peer that leaves more holes than this in its sequence numbers is not reordering frames.
constexpr std::size_t kMaxRetiredIntervals = 64;

constexpr std::uint8_t bit_of(PathIndex path) {
    return static_cast<std::uint8_t>(1u << path);
}

std::unexpected<TransportError> error(TransportErrorCode code, Reason reason) {
    return std::unexpected(TransportError{
        .code = code,
        .reason = reason,
        .frame_type = static_cast<std::uint32_t>(wire::frame_type::kNewConnectionId)});
}

}  // namespace

RemoteConnectionIds::RemoteConnectionIds(std::uint64_t active_connection_id_limit)
    : limit_(std::clamp<std::uint64_t>(active_connection_id_limit, 2, kMaxActive)) {}

// --- Handshake ---

void RemoteConnectionIds::set_handshake_id(const wire::ConnectionId& id) {
    Entry* entry = find(0);
    if (entry == nullptr) entry = &entries_[0];
    *entry = {0, id, std::nullopt, true, true, bit_of(kInitialPath)};
}

void RemoteConnectionIds::set_handshake_reset_token(const wire::StatelessResetToken& token) {
    if (Entry* entry = find(0)) entry->token = token;
}

void RemoteConnectionIds::add_preferred_address(const wire::ConnectionId& id,
                                                const wire::StatelessResetToken& token) {
    STOQ_CHECK(find(1) == nullptr);
    add({1, 0, id, token});
}

// --- NEW_CONNECTION_ID ---

TransportResult<bool> RemoteConnectionIds::on_new_connection_id(
    const wire::NewConnectionIdFrame& frame, PathIndex active) {
    //= 9000-19.15-3
    if (zero_length()) return error(TransportErrorCode::kProtocolViolation, Reason::kNone);
    const Known known = compare(frame);
    //= 9000-19.15-5
    if (known == Known::kConflict) {
        return error(TransportErrorCode::kProtocolViolation, Reason::kConnectionIdReuse);
    }
    std::uint8_t orphans = 0;
    //= 9000-19.15-8
    //= 9000-5.1.2-4
    if (frame.retire_prior_to > retire_prior_to_) {
        retire_prior_to_ = frame.retire_prior_to;
        orphans = retire_below(retire_prior_to_);
    }
    //= 9000-19.15-4
    if (known == Known::kNew) {
        //= 9000-19.15-9
        if (frame.sequence_number < retire_prior_to_) {
            queue_retirement(frame.sequence_number);
        } else {
            add(frame);
        }
    }
    //= 9000-5.1.1-6
    //= 9000-5.1.2-7
    if (over_limits()) {
        return error(TransportErrorCode::kConnectionIdLimitError, Reason::kTooManyConnectionIds);
    }
    return reassign(orphans, active);
}

RemoteConnectionIds::Known RemoteConnectionIds::compare(
    const wire::NewConnectionIdFrame& frame) const {
    for (const Entry& entry : entries_) {
        if (!entry.active) continue;
        const bool same_sequence = entry.sequence == frame.sequence_number;
        const bool same_id = entry.id == frame.connection_id;
        if (!same_sequence && !same_id) continue;
        const bool same_token = !entry.token || *entry.token == frame.stateless_reset_token;
        return same_sequence && same_id && same_token ? Known::kRepeated : Known::kConflict;
    }
    return retired_.contains(frame.sequence_number) ? Known::kRepeated : Known::kNew;
}

// Returns the paths that lost their id.
std::uint8_t RemoteConnectionIds::retire_below(std::uint64_t limit) {
    std::uint8_t orphans = 0;
    for (Entry& entry : entries_) {
        if (!entry.active || entry.sequence >= limit) continue;
        orphans |= entry.paths;
        retire(entry);
    }
    return orphans;
}

void RemoteConnectionIds::add(const wire::NewConnectionIdFrame& frame) {
    const auto free = std::find_if(entries_.begin(), entries_.end(),
                                   [](const Entry& entry) { return !entry.active; });
    // There is one place more than the limit allows, and beyond the limit the connection ends.
    STOQ_CHECK(free != entries_.end());
    *free = {
        frame.sequence_number, frame.connection_id, frame.stateless_reset_token, true, false, 0};
}

bool RemoteConnectionIds::over_limits() const {
    //= 9000-5.1.2-5
    //= 9000-5.1.2-6
    return active_count() > limit_ || retiring_count_ > kMaxRetiring ||
           retired_.count() > kMaxRetiredIntervals;
}

// Gives fresh ids to `orphans` and to paths that have been waiting for one: first to the path in
// use, without whose id not even a retirement could leave. Returns whether any path lost or got
// one.
bool RemoteConnectionIds::reassign(std::uint8_t orphans, PathIndex active) {
    const auto all = static_cast<std::uint8_t>(orphans | waiting_paths_);
    const auto wanting = static_cast<std::uint8_t>(all & ~bit_of(active));
    bool changed = orphans != 0;
    if ((all & bit_of(active)) != 0 && assign_fresh(active)) changed = true;
    for (PathIndex path = 0; path < kMaxPaths; ++path) {
        if ((wanting & bit_of(path)) != 0 && assign_fresh(path)) changed = true;
    }
    return changed;
}

// --- RETIRE_CONNECTION_ID ---

void RemoteConnectionIds::retire(Entry& entry) {
    entry.active = false;
    entry.paths = 0;
    queue_retirement(entry.sequence);
}

void RemoteConnectionIds::queue_retirement(std::uint64_t sequence) {
    if (retired_.contains(sequence)) return;
    // Of one frame's retirements some are old entries and at most one is new, so that the margin
    // over kMaxRetiring suffices until over_limits() is asked.
    STOQ_CHECK(retiring_count_ < retiring_.size());
    retired_.insert(sequence, sequence + 1);
    retiring_[retiring_count_++] = {sequence, false};
    ++unsent_retirements_;
}

void RemoteConnectionIds::write_retire_connection_ids(wire::PayloadWriter& writer) {
    for (std::size_t i = 0; i < retiring_count_ && unsent_retirements_ != 0; ++i) {
        Retirement& retirement = retiring_[i];
        if (retirement.in_flight) continue;
        if (!writer.can_record()) return;
        const wire::RetireConnectionIdFrame frame{retirement.sequence};
        if (!wire::encode(writer.bytes(), frame)) return;
        wire::SentFrame sent{};
        sent.kind = wire::SentFrameKind::kRetireConnectionId;
        sent.value = retirement.sequence;
        writer.record(sent);
        retirement.in_flight = true;
        --unsent_retirements_;
    }
}

RemoteConnectionIds::Retirement* RemoteConnectionIds::find_retirement(std::uint64_t sequence) {
    const auto end = retiring_.begin() + static_cast<std::ptrdiff_t>(retiring_count_);
    const auto found = std::find_if(
        retiring_.begin(), end, [sequence](const Retirement& r) { return r.sequence == sequence; });
    return found == end ? nullptr : &*found;
}

void RemoteConnectionIds::on_acked(std::uint64_t sequence) {
    Retirement* done = find_retirement(sequence);
    if (done == nullptr) return;
    if (!done->in_flight) --unsent_retirements_;
    std::move(done + 1, retiring_.data() + retiring_count_, done);
    --retiring_count_;
}

void RemoteConnectionIds::on_lost(std::uint64_t sequence) {
    Retirement* lost = find_retirement(sequence);
    if (lost == nullptr || !lost->in_flight) return;
    lost->in_flight = false;
    ++unsent_retirements_;
}

// --- Use ---

const wire::ConnectionId* RemoteConnectionIds::id_of(PathIndex path) const {
    const Entry* entry = entry_of(path);
    return entry == nullptr ? nullptr : &entry->id;
}

std::optional<std::uint64_t> RemoteConnectionIds::sequence_of(PathIndex path) const {
    const Entry* entry = entry_of(path);
    return entry == nullptr ? std::nullopt : std::optional(entry->sequence);
}

bool RemoteConnectionIds::has_unused() const {
    return zero_length() || std::any_of(entries_.begin(), entries_.end(), [](const Entry& entry) {
               return entry.active && !entry.used;
           });
}

bool RemoteConnectionIds::assign_fresh(PathIndex path) {
    release(path);
    //= 9000-9.5-2
    //= 9000-9.5-3
    Entry* fresh = zero_length() ? find(0) : lowest_unused();
    if (fresh == nullptr) {
        waiting_paths_ |= bit_of(path);
        return false;
    }
    fresh->used = true;
    fresh->paths |= bit_of(path);
    return true;
}

void RemoteConnectionIds::share(PathIndex from, PathIndex to) {
    release(to);
    //= 9000-9.5-4
    if (Entry* entry = entry_of(from)) {
        entry->paths |= bit_of(to);
    } else {
        waiting_paths_ |= bit_of(to);
    }
}

void RemoteConnectionIds::release(PathIndex path) {
    waiting_paths_ &= static_cast<std::uint8_t>(~bit_of(path));
    Entry* entry = entry_of(path);
    if (entry == nullptr) return;
    entry->paths &= static_cast<std::uint8_t>(~bit_of(path));
    //= 9000-5.1.2-1
    if (entry->paths == 0 && !entry->id.empty()) retire(*entry);
}

bool RemoteConnectionIds::rotate(PathIndex path) {
    //= 9000-9.5-1
    return has_unused() && assign_fresh(path);
}

bool RemoteConnectionIds::matches_reset_token(const wire::StatelessResetToken& token) const {
    bool matches = false;
    //= 9000-10.3.1-3
    for_each_reset_token([&](const wire::StatelessResetToken& known) {
        // Without a shortcut: how long it takes must not tell which token is close.
        const bool equal = known == token;
        matches = matches || equal;
    });
    return matches;
}

std::size_t RemoteConnectionIds::active_count() const {
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(), [](const Entry& e) { return e.active; }));
}

bool RemoteConnectionIds::zero_length() const {
    return entries_[0].active && entries_[0].id.empty();
}

RemoteConnectionIds::Entry* RemoteConnectionIds::find(std::uint64_t sequence) {
    for (Entry& entry : entries_) {
        if (entry.active && entry.sequence == sequence) return &entry;
    }
    return nullptr;
}

const RemoteConnectionIds::Entry* RemoteConnectionIds::entry_of(PathIndex path) const {
    for (const Entry& entry : entries_) {
        if (entry.active && (entry.paths & bit_of(path)) != 0) return &entry;
    }
    return nullptr;
}

RemoteConnectionIds::Entry* RemoteConnectionIds::entry_of(PathIndex path) {
    return const_cast<Entry*>(std::as_const(*this).entry_of(path));
}

RemoteConnectionIds::Entry* RemoteConnectionIds::lowest_unused() {
    Entry* lowest = nullptr;
    for (Entry& entry : entries_) {
        if (!entry.active || entry.used) continue;
        if (lowest == nullptr || entry.sequence < lowest->sequence) lowest = &entry;
    }
    return lowest;
}

}  // namespace stoq::path
