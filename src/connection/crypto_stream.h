// CryptoStream: the CRYPTO frames of one encryption level, both directions (RFC 9000 section 19.6).
#pragma once

#include "stoq/error.h"
#include "streams/reassembler.h"
#include "streams/send_buffer.h"
#include "wire/frame.h"
#include "wire/payload_writer.h"

namespace stoq::connection {

class CryptoStream {
public:
    // Out-of-order handshake bytes that we hold; more closes the connection. A certificate chain
    // of 50 kB still fits.
    static constexpr std::uint64_t kMaxBuffered = 64 * 1024;

    CryptoStream(EncryptionLevel level, streams::BlockPool& pool)
        : level_(level), received_(pool), sending_(pool) {}

    // --- Receiving ---

    // @error kCryptoBufferExceeded.
    TransportResult<void> on_frame(const wire::CryptoFrame& frame);
    // Next bytes in order, to be handed to TLS and then consumed.
    ByteView peek() const { return received_.peek(); }
    void consume(std::size_t length) { received_.consume(length); }
    void settle() { received_.settle(); }

    // --- Sending ---

    void append(ByteView bytes) { sending_.append(bytes); }
    bool has_pending() const { return sending_.has_lost() || sending_.unsent() > 0; }
    bool has_unacknowledged() const { return !sending_.all_acked(); }
    // Appends CRYPTO frames as long as bytes and room are left; false when nothing was written.
    bool write(wire::PayloadWriter& writer);
    void on_acked(const wire::SentFrame& frame) { sending_.on_acked(frame.offset, frame.length); }
    void on_lost(const wire::SentFrame& frame) { sending_.on_lost(frame.offset, frame.length); }
    // Everything goes out again: the peer demanded a Retry.
    void restart() { sending_.restart(); }

private:
    bool write_frame(wire::PayloadWriter& writer, std::uint64_t offset, std::uint64_t available);

    EncryptionLevel level_;
    streams::Reassembler received_;
    streams::SendBuffer sending_;
};

}  // namespace stoq::connection
