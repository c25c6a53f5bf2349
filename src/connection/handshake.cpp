#include "connection/handshake.h"

#include "base/try.h"

namespace stoq::connection {
namespace {

constexpr std::array kCryptoLevels{EncryptionLevel::kInitial, EncryptionLevel::kHandshake,
                                   EncryptionLevel::kOneRtt};

// TLS alert unexpected_message: a client has nothing to say after its handshake.
constexpr std::uint8_t kUnexpectedMessage = 10;

}  // namespace

Handshake::Handshake(std::unique_ptr<tls::Session> session, streams::BlockPool& pool)
    : session_(std::move(session)) {
    for (const EncryptionLevel level : kCryptoLevels) {
        streams_[index_of(space_of(level))].emplace(level, pool);
    }
    collect_output();
}

CryptoStream* Handshake::stream_of(PacketNumberSpace space) {
    auto& stream = streams_[index_of(space)];
    return stream ? &*stream : nullptr;
}

const CryptoStream* Handshake::stream_of(PacketNumberSpace space) const {
    const auto& stream = streams_[index_of(space)];
    return stream ? &*stream : nullptr;
}

TransportResult<void> Handshake::on_crypto(EncryptionLevel level, const wire::CryptoFrame& frame) {
    CryptoStream* stream = stream_of(space_of(level));
    if (stream == nullptr) return {};
    if (session_ == nullptr) {
        // A client has nothing more to say to TLS, and nobody would settle what is kept of it.
        if (frame.data.empty()) return {};
        if (frame.offset > 0) {
            return std::unexpected(TransportError{TransportErrorCode::kCryptoBufferExceeded,
                                                  Reason::kCryptoBufferFull, 0x06});
        }
        return std::unexpected(
            TransportError{crypto_error(kUnexpectedMessage), Reason::kTlsAlert, 0x06});
    }
    STOQ_TRY(stream->on_frame(frame));
    STOQ_TRY(check_no_data_behind(level));
    return feed_tls();
}

// Bytes that TLS has not seen at a level that it has already left were made up.
TransportResult<void> Handshake::check_no_data_behind(EncryptionLevel level) const {
    //= 9001-4.1.3-2
    if (level >= session_->receive_level()) return {};
    const CryptoStream* stream = stream_of(space_of(level));
    if (stream == nullptr || stream->peek().empty()) return {};
    return std::unexpected(TransportError{TransportErrorCode::kProtocolViolation,
                                          Reason::kCryptoDataAtWrongLevel, 0x06});
}

// TLS changes the level that it reads while it reads, so ask again after every piece.
TransportResult<void> Handshake::feed_tls() {
    for (;;) {
        const EncryptionLevel level = session_->receive_level();
        CryptoStream* stream = stream_of(space_of(level));
        if (stream == nullptr) return {};
        const ByteView bytes = stream->peek();
        if (bytes.empty()) return {};
        const auto taken = session_->receive(level, bytes);
        collect_output();
        STOQ_TRY(taken);
        stream->consume(bytes.size());
    }
}

void Handshake::collect_output() {
    for (const EncryptionLevel level : kCryptoLevels) {
        const ByteView pending = session_->pending(level);
        if (pending.empty()) continue;
        if (CryptoStream* stream = stream_of(space_of(level))) stream->append(pending);
        session_->consume(level, pending.size());
    }
}

std::optional<tls::TlsEvent> Handshake::poll_event() {
    if (session_ == nullptr) return std::nullopt;
    auto event = session_->poll_event();
    if (event && std::holds_alternative<tls::HandshakeComplete>(*event)) complete_ = true;
    return event;
}

void Handshake::settle() {
    for (auto& stream : streams_) {
        if (stream) stream->settle();
    }
}

bool Handshake::has_pending(PacketNumberSpace space) const {
    const CryptoStream* stream = stream_of(space);
    return stream != nullptr && stream->has_pending();
}

bool Handshake::has_unacknowledged(PacketNumberSpace space) const {
    const CryptoStream* stream = stream_of(space);
    return stream != nullptr && stream->has_unacknowledged();
}

bool Handshake::write_crypto(PacketNumberSpace space, wire::PayloadWriter& writer) {
    CryptoStream* stream = stream_of(space);
    return stream != nullptr && stream->has_pending() && stream->write(writer);
}

void Handshake::on_acked(const wire::SentFrame& frame) {
    const auto level = static_cast<EncryptionLevel>(frame.id);
    if (CryptoStream* stream = stream_of(space_of(level))) stream->on_acked(frame);
}

void Handshake::on_lost(const wire::SentFrame& frame) {
    const auto level = static_cast<EncryptionLevel>(frame.id);
    if (CryptoStream* stream = stream_of(space_of(level))) stream->on_lost(frame);
}

void Handshake::restart_initial() {
    if (CryptoStream* stream = stream_of(PacketNumberSpace::kInitial)) stream->restart();
}

void Handshake::discard(PacketNumberSpace space) {
    streams_[index_of(space)].reset();
}

void Handshake::release_session() {
    if (session_ == nullptr) return;
    info_ = session_->info();
    session_.reset();
}

}  // namespace stoq::connection
