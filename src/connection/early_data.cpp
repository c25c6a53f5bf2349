// 0-RTT: what a client sends, and a server takes, before the handshake is complete (RFC 9001
// section 4.6).
//
// A client applies the transport parameters that its ticket remembers until the server's new ones
// are there. With them comes the server's answer: what it did not take counts as never sent, and
// goes out again in 1-RTT packets within the new limits.
#include "connection/early_data.h"

#include "base/bytes.h"
#include "base/try.h"
#include "connection/connection.h"

namespace stoq::connection {

namespace {

// The first of early_data_limits().
constexpr std::size_t kLimitsThatMustNotFall = 9;

}  // namespace

tls::EarlyDataLimits early_data_limits(const wire::TransportParameters& parameters) {
    return {parameters.initial_max_data,
            parameters.initial_max_stream_data_bidi_local,
            parameters.initial_max_stream_data_bidi_remote,
            parameters.initial_max_stream_data_uni,
            parameters.initial_max_streams_bidi,
            parameters.initial_max_streams_uni,
            parameters.active_connection_id_limit,
            parameters.max_datagram_frame_size,
            parameters.reset_stream_at ? std::uint64_t{1} : 0,
            parameters.max_udp_payload_size};
}

std::vector<std::uint8_t> ticket_of_version(std::uint32_t version, ByteView ticket) {
    std::vector<std::uint8_t> bytes(sizeof version + ticket.size());
    ByteWriter writer(bytes);
    writer.write(version);
    writer.write_bytes(ticket);
    return bytes;
}

//= 9369-5-1
ByteView ticket_for_version(std::uint32_t version, ByteView ticket) {
    ByteReader reader(ticket);
    return reader.read<std::uint32_t>() == version ? reader.rest() : ByteView();
}

// Client: TLS may have a key already.
void Connection::begin_early_data(Instant now) {
    if (config_.role == Role::kServer) return;
    // Before anything was received, only keys can have come.
    (void)apply_tls_events(now);
}

// Whether the key is to be used.
bool Connection::on_early_key(const tls::SecretInstalled& secret) {
    if (secret.direction == tls::Direction::kReceive) {
        status_.early.state = EarlyDataState::kAccepted;
        return true;
    }
    const auto encoded =
        tls::remembered_transport_parameters(ticket_for_version(config_.version, config_.ticket));
    if (!encoded) return false;
    const auto remembered = wire::decode_transport_parameters(*encoded, Role::kServer);
    // Then nothing may be sent, although it was announced; the server does not mind.
    if (!remembered) return false;
    status_.early.state = EarlyDataState::kOffered;
    status_.early.tell_ready = true;
    status_.rare_news = true;
    status_.early.protocol = handshake_.info().alpn;
    //= 9000-7.4.1-4
    status_.early.remembered = early_data_limits(*remembered);
    adopt_limits(*remembered);
    paths_.limit_datagram_size(static_cast<std::size_t>(remembered->max_udp_payload_size));
    return true;
}

void Connection::adopt_limits(const wire::TransportParameters& parameters) {
    streams_.set_peer_limits(
        {.max_data = parameters.initial_max_data,
         .max_stream_data_bidi_local = parameters.initial_max_stream_data_bidi_local,
         .max_stream_data_bidi_remote = parameters.initial_max_stream_data_bidi_remote,
         .max_stream_data_uni = parameters.initial_max_stream_data_uni,
         .max_streams_bidi = parameters.initial_max_streams_bidi,
         .max_streams_uni = parameters.initial_max_streams_uni,
         .reset_stream_at = parameters.reset_stream_at});
    pending_.datagrams.set_peer_limit(parameters.max_datagram_frame_size);
}

// Client: the server has answered.
TransportResult<void> Connection::settle_early_data(const wire::TransportParameters& now_valid,
                                                    Instant now) {
    if (status_.early.state != EarlyDataState::kOffered) return {};
    if (!handshake_.early_data_accepted()) {
        on_early_data_rejected(now);
        return {};
    }
    status_.early.state = EarlyDataState::kAccepted;
    // The new limits are for 1-RTT packets, whose keys come with the rest of the server's flight.
    //= 9000-7.4.1-10
    keyring_.discard(EncryptionLevel::kZeroRtt);
    const tls::EarlyDataLimits& before = status_.early.remembered;
    const auto after = early_data_limits(now_valid);
    for (std::size_t i = 0; i < kLimitsThatMustNotFall; ++i) {
        //= 9221-3-9
        if (after[i] < before[i]) {
            return std::unexpected(TransportError{TransportErrorCode::kProtocolViolation,
                                                  Reason::kBadParameterValue, 0});
        }
    }
    return {};
}

//= 9001-4.6.2-3
void Connection::on_early_data_rejected(Instant now) {
    status_.early.state = EarlyDataState::kRejected;
    status_.early.tell_rejected = true;
    status_.rare_news = true;
    for (const wire::SentFrame& frame :
         recovery_.abandon_packets(PacketNumberSpace::kApplication, now)) {
        on_frame_lost(frame, now);
    }
    streams_.on_zero_rtt_rejected();
    keyring_.discard(EncryptionLevel::kZeroRtt);
}

// What was written for one protocol must not reach another one.
TransportResult<void> Connection::check_early_protocol() const {
    const bool written =
        status_.early.state == EarlyDataState::kRejected && streams_.live_streams() > 0;
    if (!written || handshake_.info().alpn == status_.early.protocol) return {};
    constexpr std::uint8_t kNoApplicationProtocol = 120;  // RFC 7301 section 3.2
    return std::unexpected(
        TransportError{crypto_error(kNoApplicationProtocol), Reason::kNoApplicationProtocol, 0});
}

// Server: the client has 1-RTT keys. Early packets that were overtaken may still come.
//= 9001-4.9.3-4
//= 9001-4.9.3-5
void Connection::discard_early_keys_soon(Instant now) {
    if (!keyring_.has_receive_keys(EncryptionLevel::kZeroRtt)) return;
    if (timers_.discard_early_keys != kNever) return;
    timers_.discard_early_keys = now + 3 * recovery_.probe_timeout(PacketNumberSpace::kApplication);
}

// Whether keys may come for packets of this level.
bool Connection::may_open_later(EncryptionLevel level) const {
    switch (level) {
        case EncryptionLevel::kInitial: return false;
        // TLS decides when it sees the ClientHello, and has Handshake keys from then on.
        case EncryptionLevel::kZeroRtt:
            return config_.role == Role::kServer && !status_.confirmed &&
                   !keyring_.has_send_keys(EncryptionLevel::kHandshake);
        case EncryptionLevel::kHandshake: return !status_.confirmed;
        case EncryptionLevel::kOneRtt: return true;
    }
    return false;
}

}  // namespace stoq::connection
