// StatelessReplies: answers to datagrams that belong to no connection, for which nothing is kept.
//
// Version Negotiation, Retry, Stateless Reset, and a CONNECTION_CLOSE in an Initial. Waiting
// replies are few: whoever floods us gets no answer, and costs no memory.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "base/ring.h"
#include "path/reset_token_key.h"
#include "stoq/error.h"
#include "stoq/random.h"
#include "stoq/types.h"
#include "wire/packet_header.h"

namespace stoq::endpoint {

class StatelessReplies {
public:
    static constexpr std::size_t kMaxWaiting = 64;
    static constexpr std::size_t kMaxLength = 1200;

    explicit StatelessReplies(RandomSource& random) : random_(&random) {}

    // Each answers `datagram`; false when there is no room, or nothing may be answered.
    bool negotiate_version(const ReceivedDatagram& datagram,
                           const wire::UnsupportedVersionPacket& packet,
                           std::span<const QuicVersion> versions);
    bool retry(const ReceivedDatagram& datagram, const wire::ProtectedPacket& packet,
               const wire::ConnectionId& new_source, ByteView token);
    bool reset(const ReceivedDatagram& datagram, const wire::StatelessResetToken& token);
    bool refuse(const ReceivedDatagram& datagram, const wire::ProtectedPacket& packet,
                TransportErrorCode code);

    // Moves the oldest reply into `slot`. False when there is none, or it does not fit.
    bool transmit(TransmitSlot& slot);

private:
    struct Reply {
        std::array<std::uint8_t, kMaxLength> bytes;
        std::size_t length = 0;
        Address local;
        Address remote;
    };

    // A place for a reply to `datagram`, null when too many are waiting.
    Reply* prepare(const ReceivedDatagram& datagram);
    bool commit(std::size_t length);

    RandomSource* random_;
    Ring<Reply> waiting_{kMaxWaiting};
};

}  // namespace stoq::endpoint
