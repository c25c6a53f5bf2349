#include "endpoint/stateless_replies.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "connection/packet_builder.h"
#include "endpoint/first_initial.h"
#include "protection/initial_keys.h"
#include "protection/retry_integrity.h"
#include "wire/frame_encode.h"
#include "wire/stateless_reset.h"

namespace stoq::endpoint {
StatelessReplies::Reply* StatelessReplies::prepare(const ReceivedDatagram& datagram) {
    if (waiting_.size() >= kMaxWaiting) return nullptr;
    Reply& reply = waiting_[waiting_.push_back({})];
    reply.local = datagram.local;
    reply.remote = datagram.remote;
    return &reply;
}

bool StatelessReplies::commit(std::size_t length) {
    if (length == 0) {
        waiting_.pop_back();
        return false;
    }
    waiting_.back().length = length;
    return true;
}

bool StatelessReplies::negotiate_version(const ReceivedDatagram& datagram,
                                         const wire::UnsupportedVersionPacket& packet,
                                         std::span<const QuicVersion> versions) {
    Reply* reply = prepare(datagram);
    if (reply == nullptr) return false;
    //= 9368-2.1-1
    std::vector<std::uint32_t> numbers;
    for (const QuicVersion version : versions) {
        if (version != QuicVersion::kNone) numbers.push_back(std::to_underlying(version));
    }
    ByteWriter writer(reply->bytes);
    const auto random = static_cast<std::uint32_t>(random_->next_uint64());
    wire::encode_version_negotiation(writer, packet, numbers, random);
    return commit(writer.written());
}

bool StatelessReplies::retry(const ReceivedDatagram& datagram, const wire::ProtectedPacket& packet,
                             const wire::ConnectionId& new_source, ByteView token) {
    Reply* reply = prepare(datagram);
    if (reply == nullptr) return false;
    ByteWriter writer(reply->bytes);
    const bool fits = wire::encode_retry_without_tag(writer, {.version = packet.version,
                                                              .destination = packet.source,
                                                              .source = new_source,
                                                              .token = token});
    if (!fits) return commit(0);
    //= 9369-4.1-1
    writer.write_bytes(protection::retry_integrity_tag(packet.destination.view(),
                                                       writer.written_bytes(),
                                                       protection::constants_of(packet.version)));
    return commit(writer.written());
}

bool StatelessReplies::reset(const ReceivedDatagram& datagram,
                             const wire::StatelessResetToken& token) {
    const auto length = wire::stateless_reset_length(datagram.data.size());
    Reply* reply = length ? prepare(datagram) : nullptr;
    if (reply == nullptr) return false;
    const bool written =
        wire::encode_stateless_reset(Bytes(reply->bytes).first(*length), token, *random_);
    return commit(written ? *length : 0);
}

bool StatelessReplies::refuse(const ReceivedDatagram& datagram, const wire::ProtectedPacket& packet,
                              TransportErrorCode code) {
    // A token that was damaged on the way is no reason to close: only what is valid otherwise is
    // refused (RFC 9000 section 8.1.2).
    Reply* reply = keys_of_intact(packet) ? prepare(datagram) : nullptr;
    if (reply == nullptr) return false;
    // Our source ID does not matter: there will be no connection behind it.
    auto builder =
        connection::PacketBuilder::begin(reply->bytes, {.level = EncryptionLevel::kInitial,
                                                        .version = packet.version,
                                                        .destination = packet.source,
                                                        .source = packet.destination,
                                                        .token = {},
                                                        .fixed_bit = true,
                                                        .number = PacketNumber(0),
                                                        .largest_acknowledged = {}});
    if (!builder) return commit(0);
    wire::ConnectionCloseFrame frame;
    frame.error_code = static_cast<std::uint64_t>(code);
    if (!wire::encode(builder->payload().bytes(), frame)) return commit(0);
    const protection::PacketToSeal to_seal = builder->finish();
    const std::size_t length = builder->length();
    const protection::VersionConstants& version = protection::constants_of(packet.version);
    const auto secrets = protection::derive_initial_secrets(packet.destination.view(), version);
    auto keys = protection::make_packet_keys(
        {.suite = crypto::CipherSuite::kAes128GcmSha256, .labels = version.labels},
        crypto::Direction::kSeal, secrets.server);
    protection::seal(keys, {&to_seal, 1});
    return commit(length);
}

bool StatelessReplies::transmit(TransmitSlot& slot) {
    if (waiting_.empty() || slot.buffer.size() < waiting_.front().length) return false;
    const Reply& reply = waiting_.front();
    std::copy_n(reply.bytes.begin(), reply.length, slot.buffer.begin());
    slot.length = slot.datagram_length = reply.length;
    slot.local = reply.local;
    slot.remote = reply.remote;
    slot.ecn = Ecn::kNotEct;
    waiting_.pop_front();
    return true;
}

}  // namespace stoq::endpoint
