#include "path/local_connection_ids.h"

#include <algorithm>
#include <expected>

#include "base/check.h"
#include "wire/frame_encode.h"
#include "wire/frame_table.h"

namespace stoq::path {
namespace {

std::unexpected<TransportError> violation(Reason reason) {
    return std::unexpected(TransportError{
        .code = TransportErrorCode::kProtocolViolation,
        .reason = reason,
        .frame_type = static_cast<std::uint32_t>(wire::frame_type::kRetireConnectionId)});
}

}  // namespace

LocalConnectionIds::LocalConnectionIds(const wire::ConnectionId& handshake_id)
    : handshake_id_(handshake_id) {
    entries_[0].id = handshake_id;
    entries_[0].active = true;
}

std::size_t LocalConnectionIds::active_count() const {
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(), [](const Entry& e) { return e.active; }));
}

void LocalConnectionIds::add_preferred_address(const wire::ConnectionId& id,
                                               const wire::StatelessResetToken& token) {
    STOQ_CHECK(next_sequence_ == 1 && !handshake_id_.empty());
    add(id, token, Delivery::kDone);
    end_of_sent_ = next_sequence_;
}

void LocalConnectionIds::set_peer_limit(std::uint64_t active_connection_id_limit) {
    //= 9000-5.1.1-4
    //= 9000-5.1.1-10
    //= 9000-19.15-2
    if (handshake_id_.empty()) return;
    limit_ = static_cast<std::size_t>(
        std::min<std::uint64_t>(active_connection_id_limit, std::uint64_t{kMaxActive}));
}

void LocalConnectionIds::issue(const ConnectionIdSource& source) {
    //= 9000-5.1.1-3
    //= 9000-5.1.1-7
    while (active_count() < limit_ && change_count_ < kMaxChanges - kMaxActive) {
        const wire::ConnectionId id = generate_unused(source);
        add(id, source.reset_key.token_for(id), Delivery::kUnsent);
    }
}

void LocalConnectionIds::add(const wire::ConnectionId& id, const wire::StatelessResetToken& token,
                             Delivery delivery) {
    const auto free = std::find_if(entries_.begin(), entries_.end(),
                                   [](const Entry& entry) { return !entry.active; });
    STOQ_CHECK(free != entries_.end());
    //= 9000-5.1.1-1
    *free = {next_sequence_++, id, token, delivery, true};
    if (delivery == Delivery::kUnsent) ++unsent_;
    push_change(true, id);
}

// Short ids can repeat by chance; a generator that always repeats is broken.
wire::ConnectionId LocalConnectionIds::generate_unused(const ConnectionIdSource& source) const {
    //= 9000-5.1-2
    constexpr int kMaxAttempts = 100;
    wire::ConnectionId id = source.generator.generate(source.random);
    for (int attempt = 0; sequence_of(id) || id == handshake_id_; ++attempt) {
        STOQ_CHECK(attempt < kMaxAttempts);
        id = source.generator.generate(source.random);
    }
    return id;
}

void LocalConnectionIds::write_new_connection_ids(wire::PayloadWriter& writer) {
    while (unsent_ != 0 && writer.can_record()) {
        Entry* next = nullptr;
        for (Entry& entry : entries_) {
            if (!entry.active || entry.delivery != Delivery::kUnsent) continue;
            if (next == nullptr || entry.sequence < next->sequence) next = &entry;
        }
        STOQ_CHECK(next != nullptr);
        if (!wire::encode(writer.bytes(),
                          wire::NewConnectionIdFrame{next->sequence, 0, next->id, next->token})) {
            return;
        }
        wire::SentFrame sent{};
        sent.kind = wire::SentFrameKind::kNewConnectionId;
        sent.value = next->sequence;
        writer.record(sent);
        next->delivery = Delivery::kInFlight;
        end_of_sent_ = std::max(end_of_sent_, next->sequence + 1);
        --unsent_;
    }
}

void LocalConnectionIds::on_acked(std::uint64_t sequence) {
    Entry* entry = find(sequence);
    if (entry == nullptr) return;
    if (entry->delivery == Delivery::kUnsent) --unsent_;
    entry->delivery = Delivery::kDone;
}

void LocalConnectionIds::on_lost(std::uint64_t sequence) {
    Entry* entry = find(sequence);
    if (entry == nullptr || entry->delivery != Delivery::kInFlight) return;
    entry->delivery = Delivery::kUnsent;
    ++unsent_;
}

TransportResult<void> LocalConnectionIds::on_retire_connection_id(
    std::uint64_t sequence, const wire::ConnectionId& packet_id) {
    //= 9000-19.16-1
    //= 9000-19.16-4
    if (sequence >= end_of_sent_ || handshake_id_.empty()) {
        return violation(Reason::kRetireUnknownConnectionId);
    }
    Entry* entry = find(sequence);
    if (entry == nullptr) return {};
    //= 9000-19.16-2
    //= 9000-19.16-3
    if (entry->id == packet_id) return violation(Reason::kRetireInUseConnectionId);
    if (entry->delivery == Delivery::kUnsent) --unsent_;
    entry->active = false;
    push_change(false, entry->id);
    return {};
}

void LocalConnectionIds::push_change(bool added, const wire::ConnectionId& id) {
    STOQ_CHECK(change_count_ < kMaxChanges);
    changes_[(first_change_ + change_count_) % kMaxChanges] = {added, id};
    ++change_count_;
}

std::optional<ConnectionIdChange> LocalConnectionIds::next_change() {
    if (change_count_ == 0) return std::nullopt;
    const ConnectionIdChange change = changes_[first_change_];
    first_change_ = (first_change_ + 1) % kMaxChanges;
    --change_count_;
    return change;
}

//= 9000-5.1.1-2
std::optional<std::uint64_t> LocalConnectionIds::sequence_of(const wire::ConnectionId& id) const {
    for (const Entry& entry : entries_) {
        if (entry.active && entry.id == id) return entry.sequence;
    }
    return std::nullopt;
}

LocalConnectionIds::Entry* LocalConnectionIds::find(std::uint64_t sequence) {
    for (Entry& entry : entries_) {
        if (entry.active && entry.sequence == sequence) return &entry;
    }
    return nullptr;
}

}  // namespace stoq::path
