// DatagramReceiver: received datagrams until the application has seen them (RFC 9221).
//
// They are shown where they were received and decrypted; only those that nobody asked for until
// settle() are copied, and then the oldest are dropped where they exceed the bound. There is no
// flow control: what exceeds the bounds is dropped and counted.
#pragma once

#include <optional>
#include <vector>

#include "stoq/error.h"
#include "stoq/types.h"
#include "wire/frame.h"

namespace stoq::extensions {

class DatagramReceiver {
public:
    // Datagrams between two calls of settle(), and those kept from before.
    static constexpr std::size_t kMaxHeld = 4096;

    // `max_frame_size`: what we told the peer; 0: no DATAGRAM frames at all. `max_bytes`: payload
    // that is copied and kept for later.
    DatagramReceiver(std::uint64_t max_frame_size, std::uint64_t max_bytes)
        : max_frame_size_(max_frame_size), max_bytes_(max_bytes) {}

    // Borrows the frame's bytes until settle().
    // @error kProtocolViolation: not offered, or larger than offered.
    TransportResult<void> on_datagram(const wire::DatagramFrame& frame);
    // The next one; valid until settle().
    std::optional<ByteView> poll();
    // Datagram memory goes away.
    void settle();

    std::uint64_t received() const { return received_; }
    std::uint64_t dropped() const { return dropped_; }

private:
    struct Held {
        ByteView bytes;
        std::vector<std::uint8_t> copy;  // once settled
    };

    void drop_oldest_beyond_bound();

    std::uint64_t max_frame_size_;
    std::uint64_t max_bytes_;
    std::vector<Held> held_;
    std::size_t next_ = 0;  // of `held_`, to be shown
    std::uint64_t received_ = 0;
    std::uint64_t dropped_ = 0;
};

}  // namespace stoq::extensions
