#include "connection/crypto_stream.h"

#include "wire/frame_encode.h"

namespace stoq::connection {

TransportResult<void> CryptoStream::on_frame(const wire::CryptoFrame& frame) {
    //= 9000-7.5-1
    //= 9000-7.5-3
    if (frame.offset + frame.data.size() > received_.read_offset() + kMaxBuffered) {
        return std::unexpected(TransportError{TransportErrorCode::kCryptoBufferExceeded,
                                              Reason::kCryptoBufferFull, 0x06});
    }
    return received_.insert(frame.offset, frame.data);
}

bool CryptoStream::write(wire::PayloadWriter& writer) {
    bool wrote = false;
    while (sending_.has_lost() && writer.can_record()) {
        const Interval lost = sending_.first_lost();
        if (!write_frame(writer, lost.begin, lost.length())) return wrote;
        wrote = true;
    }
    if (sending_.unsent() > 0 && writer.can_record()) {
        wrote |= write_frame(writer, sending_.next_offset(), sending_.unsent());
    }
    return wrote;
}

bool CryptoStream::write_frame(wire::PayloadWriter& writer, std::uint64_t offset,
                               std::uint64_t available) {
    const auto length = wire::encode_crypto_header(writer.bytes(), offset, available);
    if (!length) return false;
    sending_.copy(offset, *writer.bytes().reserve(*length));
    sending_.on_sent(offset, *length);
    wire::SentFrame record{};
    record.kind = wire::SentFrameKind::kCrypto;
    record.id = index_of(level_);
    record.offset = offset;
    record.length = static_cast<std::uint32_t>(*length);
    writer.record(record);
    return true;
}

}  // namespace stoq::connection
