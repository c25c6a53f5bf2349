// Datagrams of the application (RFC 9221): what fits into a packet, and when they leave.
#include "connection/connection.h"

namespace stoq::connection {
namespace {

constexpr std::size_t kLongestPacketNumber = 4;

}  // namespace

// Bytes for frames in a 1-RTT packet that holds nothing else.
std::size_t Connection::datagram_room() const {
    const wire::ConnectionId* destination = ids_.remote.id_of(paths_.active_index());
    const std::size_t id_length = destination != nullptr ? destination->length() : 0;
    const std::size_t overhead = 1 + id_length + kLongestPacketNumber + kTagLength;
    return datagram_size() > overhead ? datagram_size() - overhead : 0;
}

ApiResult<std::size_t> Connection::max_datagram_payload() const {
    const bool known = peer_parameters_ || status_.early.state == EarlyDataState::kOffered;
    if (!known) return std::unexpected(ApiError::kNotReady);
    //= 9000-19.21-1
    //= 9221-3-1
    if (!pending_.datagrams.peer_takes_datagrams()) return std::unexpected(ApiError::kNotSupported);
    return pending_.datagrams.max_payload(datagram_room());
}

ApiResult<void> Connection::send_datagram(ByteView payload, const DatagramOptions& options) {
    const auto most = max_datagram_payload();
    if (!most) return std::unexpected(most.error());
    if (payload.size() > *most) return std::unexpected(ApiError::kTooLarge);
    return pending_.datagrams.send(payload, options);
}

void Connection::write_datagrams(wire::PayloadWriter& writer, std::uint8_t urgency, Instant now) {
    pending_.datagrams.write(writer,
                             {.now = now,
                              .urgency = urgency,
                              .max_payload = pending_.datagrams.max_payload(datagram_room())});
}

extensions::DatagramSender::Counters Connection::datagram_counters() const {
    extensions::DatagramSender::Counters counters = pending_.datagrams.counters();
    counters.dropped += held_.datagrams.dropped();
    return counters;
}

}  // namespace stoq::connection
