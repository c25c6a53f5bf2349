// Why a datagram or packet was discarded before it proved to be authentic.
//
// Bytes that were never authenticated can cause nothing worse than one of these: a counter goes up
// and an event is emitted. They cannot close a connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stoq {

enum class DropReason : std::uint8_t {
    kNone,
    kTruncated,              // a header field or the Length field reaches past the datagram
    kFixedBitClear,          // RFC 9000 section 17.2, unless greasing was negotiated
    kBadConnectionIdLength,  // longer than 20 bytes in version 1
    kUnknownVersion,         // answered by Version Negotiation where that is allowed
    kUnknownConnection,      // no connection owns the destination connection ID
    kDatagramTooSmall,       // an Initial in a datagram of less than 1200 bytes
    kKeysUnavailable,        // not derived yet, or already discarded
    kDecryptionFailed,       // AEAD authentication failed
    kDuplicatePacket,        // this packet number was received before
    kUnexpectedVersionNegotiation,
    kUnexpectedRetry,
    kBadIntegrityTag,  // Retry
    kBadToken,
    kWrongConnectionId,  // coalesced packet for another connection, or a changed source id
    kTooManyHalfOpen,
    kTooManyConnections,
    kPeerNotAllowed,        // address filter or migration that is not permitted
    kUnexpectedPacketType,  // e.g. a client received 0-RTT
    kCount,
};

std::string_view to_string(DropReason reason);

}  // namespace stoq
