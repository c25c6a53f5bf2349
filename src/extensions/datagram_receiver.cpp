#include "extensions/datagram_receiver.h"

#include "wire/frame_table.h"

namespace stoq::extensions {

TransportResult<void> DatagramReceiver::on_datagram(const wire::DatagramFrame& frame) {
    //= 9221-3-3
    //= 9221-3-4
    if (frame.encoded_size > max_frame_size_) {
        const Reason reason =
            max_frame_size_ == 0 ? Reason::kNotNegotiated : Reason::kDatagramTooLarge;
        return std::unexpected(TransportError{TransportErrorCode::kProtocolViolation, reason,
                                              wire::frame_type::kDatagram});
    }
    ++received_;
    //= 9221-5.3-1
    if (held_.size() >= kMaxHeld) {
        ++dropped_;
        return {};
    }
    held_.push_back({frame.data, {}});
    return {};
}

std::optional<ByteView> DatagramReceiver::poll() {
    if (next_ == held_.size()) return std::nullopt;
    return held_[next_++].bytes;
}

void DatagramReceiver::settle() {
    if (held_.empty()) return;
    drop_oldest_beyond_bound();
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(next_));
    next_ = 0;
    for (Held& held : held_) {
        if (!held.copy.empty() || held.bytes.empty()) continue;
        held.copy.assign(held.bytes.begin(), held.bytes.end());
        held.bytes = held.copy;
    }
}

void DatagramReceiver::drop_oldest_beyond_bound() {
    std::uint64_t bytes = 0;
    for (std::size_t i = next_; i < held_.size(); ++i) bytes += held_[i].bytes.size();
    for (; bytes > max_bytes_; ++next_, ++dropped_) bytes -= held_[next_].bytes.size();
}

}  // namespace stoq::extensions
