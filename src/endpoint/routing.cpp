// Which connection a datagram belongs to, and what becomes of those that belong to none.
#include <cstring>

#include "connection/version_choice.h"
#include "endpoint/implementation.h"
#include "wire/stateless_reset.h"

namespace stoq {
namespace {

// Datagrams for other workers between two calls of settle(): more than the largest batches have.
constexpr std::size_t kMaxForeign = 4096;

// Connection IDs of the two datagrams are the same bytes at the same place.
bool same_destination(ByteView a, ByteView b, std::size_t id_length) {
    if (a.size() <= id_length || b.size() <= id_length) return false;
    if (wire::has_long_header(a[0]) || wire::has_long_header(b[0])) return false;
    constexpr std::size_t kUsualLength = 8;  // known in advance, it is one comparison
    if (id_length == kUsualLength) return std::memcmp(&a[1], &b[1], kUsualLength) == 0;
    return std::equal(a.begin() + 1, a.begin() + 1 + static_cast<std::ptrdiff_t>(id_length),
                      b.begin() + 1);
}

}  // namespace

void Endpoint::Implementation::receive(std::span<ReceivedDatagram> datagrams, Instant now) {
    now_ = std::max(now_, now);
    while (!datagrams.empty()) datagrams = datagrams.subspan(receive_for_one(datagrams));
}

// Takes the first datagram and those behind it that carry the same connection ID.
std::size_t Endpoint::Implementation::receive_for_one(std::span<ReceivedDatagram> datagrams) {
    const std::size_t id_length = generator_->length();
    ReceivedDatagram& first = datagrams.front();
    const auto view = wire::peek_destination_connection_id(first.data, id_length);
    const auto id = view ? wire::ConnectionId::from(*view) : std::nullopt;
    const auto handle = id ? table_.find(*id) : std::nullopt;
    if (!handle) {
        ++counters_.datagrams_received;
        receive_unrouted(first);
        return 1;
    }
    std::size_t count = 1;
    while (count < datagrams.size() &&
           same_destination(first.data, datagrams[count].data, id_length)) {
        ++count;
    }
    counters_.datagrams_received += count;
    count_data(first.data, count * first.data.size());
    Entry& entry = *connections_.find(*handle);
    entry.connection->receive(datagrams.first(count), now_);
    if (!std::exchange(entry.settle_queued, true)) queues_.settle.push_back(*handle);
    after_activity(*handle);
    return count;
}

// The first datagram of a run tells what kind most of it is of.
void Endpoint::Implementation::count_data(ByteView datagram, std::size_t bytes) {
    if (!datagram.empty() && !wire::has_long_header(datagram[0])) counters_.data_bytes += bytes;
}

void Endpoint::Implementation::receive_unrouted(ReceivedDatagram& datagram) {
    if (datagram.data.empty()) return drop(DropReason::kTruncated, datagram);
    // Other versions of QUIC may reset with a long header: what counts is the end.
    //= 9000-10.3-9
    //= 9000-10.3.1-2
    if (const auto token = wire::candidate_stateless_reset_token(datagram.data)) {
        if (const auto handle = table_.find_token(*token)) {
            connections_.find(*handle)->connection->on_stateless_reset(now_);
            return after_activity(*handle);
        }
    }
    if (wire::has_long_header(datagram.data[0])) {
        receive_unrouted_long(datagram);
    } else {
        receive_unrouted_short(datagram);
    }
}

void Endpoint::Implementation::receive_unrouted_long(ReceivedDatagram& datagram) {
    if (!server_) return drop(DropReason::kUnknownConnection, datagram);
    const auto fixed_bit =
        server_->settings.grease_quic_bit ? wire::FixedBit::kMayBeClear : wire::FixedBit::kRequired;
    auto packet = wire::decode_packet(datagram.data, generator_->length(), fixed_bit);
    if (!packet) return drop(packet.error(), datagram);
    if (const auto* unknown = std::get_if<wire::UnsupportedVersionPacket>(&*packet)) {
        return negotiate_version(datagram, *unknown);
    }
    const auto* wanted = std::get_if<wire::ProtectedPacket>(&*packet);
    if (wanted != nullptr && !connection::lists(server_->settings.versions, wanted->version)) {
        return negotiate_version(
            datagram, {wanted->version, wanted->destination.view(), wanted->source.view()});
    }
    //= 9000-5.2.2-7
    //= 9000-5.2.2-8
    //= 9000-6.1-1
    if (wanted == nullptr || wanted->type != wire::PacketType::kInitial) {
        if (is_foreign(datagram)) return;
        return drop(DropReason::kUnknownConnection, datagram);
    }
    on_initial(datagram, *wanted);
}

void Endpoint::Implementation::negotiate_version(const ReceivedDatagram& datagram,
                                                 const wire::UnsupportedVersionPacket& packet) {
    //= 9000-5.2.2-3
    if (datagram.data.size() < path::kBaseDatagramSize) {
        return drop(DropReason::kDatagramTooSmall, datagram);
    }
    //= 9000-5.2.2-1
    //= 9000-17.2.1-7
    counters_.version_negotiations_sent +=
        replies_.negotiate_version(datagram, packet, server_->settings.versions);
    drop(DropReason::kUnknownVersion, datagram);
}

void Endpoint::Implementation::receive_unrouted_short(ReceivedDatagram& datagram) {
    if (is_foreign(datagram)) return;
    drop(DropReason::kUnknownConnection, datagram);
    const auto view = wire::peek_destination_connection_id(datagram.data, generator_->length());
    if (!view) return;
    //= 9000-10.3-1
    counters_.stateless_resets_sent += replies_.reset(datagram, reset_key_.token_for(*view));
}

// Whether the datagram is another worker's; then it is kept for it.
bool Endpoint::Implementation::is_foreign(const ReceivedDatagram& datagram) {
    if (!settings_.worker) return false;
    const auto id = wire::peek_destination_connection_id(datagram.data, generator_->length());
    const auto owner = id ? generator_->owner_of(*id) : std::nullopt;
    const WorkerSettings& workers = *settings_.worker;
    // One that is not there, any more, cannot answer: we do, with a reset.
    const bool there = owner && *owner - workers.first < workers.count && *owner >= workers.first;
    if (!there || *owner == workers.number) return false;
    // Lost, as on any full link: its owner's connection lives, and must not be reset.
    if (queues_.foreign.size() == kMaxForeign) {
        drop(DropReason::kUnknownConnection, datagram);
        return true;
    }
    queues_.foreign.push_back({static_cast<std::uint8_t>(*owner), datagram});
    ++counters_.foreign_datagrams;
    return true;
}

void Endpoint::Implementation::drop(DropReason reason, const ReceivedDatagram& datagram) {
    dropped_.add(reason);
    if (sink_ != nullptr) {
        sink_->on_event({now_, {}, Role::kServer},
                        observe::PacketDropped{.reason = reason, .length = datagram.data.size()});
    }
}

}  // namespace stoq
