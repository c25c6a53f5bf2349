// Handshake: TLS and the CRYPTO streams that carry it (RFC 9001 section 4).
//
// CRYPTO frames go in; bytes go to TLS in order, level by level, as TLS comes to read them; what
// TLS wants sent comes out as CRYPTO frames. The connection polls what TLS has to tell.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "connection/crypto_stream.h"
#include "tls/session.h"

namespace stoq::connection {

class Handshake {
public:
    Handshake(std::unique_ptr<tls::Session> session, streams::BlockPool& pool);

    // --- Receiving ---

    // @error what TLS says of the bytes, kCryptoBufferExceeded, or kProtocolViolation for new
    //        bytes at a level that TLS has left (RFC 9001 section 4.1.3).
    TransportResult<void> on_crypto(EncryptionLevel level, const wire::CryptoFrame& frame);
    std::optional<tls::TlsEvent> poll_event();
    // Copies bytes that TLS could not take yet out of the datagram that brought them.
    void settle();

    // --- Sending ---

    bool has_pending(PacketNumberSpace space) const;
    bool has_unacknowledged(PacketNumberSpace space) const;
    bool write_crypto(PacketNumberSpace space, wire::PayloadWriter& writer);
    void on_acked(const wire::SentFrame& frame);
    void on_lost(const wire::SentFrame& frame);
    void restart_initial();

    // --- Ending ---

    // The level's keys are gone, and its handshake bytes with them.
    void discard(PacketNumberSpace space);
    // A server needs TLS no more once its tickets are sent.
    void release_session();

    bool is_complete() const { return complete_; }
    // Client: see tls::Session.
    bool early_data_accepted() const { return session_ && session_->early_data_accepted(); }
    const tls::HandshakeInfo& info() const { return session_ ? session_->info() : info_; }

private:
    CryptoStream* stream_of(PacketNumberSpace space);
    const CryptoStream* stream_of(PacketNumberSpace space) const;
    TransportResult<void> feed_tls();
    TransportResult<void> check_no_data_behind(EncryptionLevel level) const;
    void collect_output();

    std::unique_ptr<tls::Session> session_;
    std::array<std::optional<CryptoStream>, kPacketNumberSpaceCount> streams_;
    tls::HandshakeInfo info_;  // once the session is released
    bool complete_ = false;
};

}  // namespace stoq::connection
