// Flow control windows, for a stream and for a connection alike (RFC 9000 section 4).
#pragma once

#include <cstdint>
#include <optional>

#include "stoq/types.h"

namespace stoq::streams {

// The bytes that all connections of an endpoint have promised to buffer. Stream windows do not
// count: what arrives on streams is bounded by the window of their connection.
class ReceiveBudget {
public:
    explicit ReceiveBudget(std::uint64_t limit) : limit_(limit) {}

    // A new connection's first window, which was promised already and cannot be refused.
    void take(std::uint64_t bytes) { used_ += bytes; }
    // Growth; false when the budget does not allow it.
    bool try_take(std::uint64_t bytes) {
        if (used_ >= limit_ || bytes > limit_ - used_) return false;
        used_ += bytes;
        return true;
    }
    void give_back(std::uint64_t bytes) { used_ -= bytes; }

    std::uint64_t used() const { return used_; }

private:
    std::uint64_t limit_;
    std::uint64_t used_ = 0;
};

// What the peer may send us. The window grows with the bandwidth-delay product: when half of it is
// consumed within two round trips, the sender is probably waiting for us, so it doubles.
class ReceiveWindow {
public:
    struct Tuning {
        Instant now;
        Duration rtt;  // smoothed; zero while unknown: no growth
        // Asked before growing; nullptr where growth is free (streams).
        ReceiveBudget* budget;
    };

    ReceiveWindow() = default;
    ReceiveWindow(std::uint64_t initial, std::uint64_t max)
        : limit_(initial), size_(initial), max_size_(max < initial ? initial : max) {}

    // The limit that the peer knows of: bytes it may send in total.
    std::uint64_t limit() const { return limit_; }
    std::uint64_t size() const { return size_; }
    std::uint64_t consumed() const { return consumed_; }

    // The application took `bytes`, or nobody ever will. True when a larger limit is due: less than
    // half of the window is left to the peer.
    bool on_consumed(std::uint64_t bytes, const Tuning& tuning);
    // The newest limit; from now on it is the one that holds.
    std::uint64_t renew() { return limit_ = next_limit(); }
    std::uint64_t next_limit() const {
        return consumed_ + size_ > limit_ ? consumed_ + size_ : limit_;
    }

private:
    void tune(const Tuning& tuning);

    std::uint64_t limit_ = 0;
    std::uint64_t size_ = 0;
    std::uint64_t max_size_ = 0;
    std::uint64_t consumed_ = 0;
    // When and at which consumption the present measurement began.
    std::uint64_t epoch_consumed_ = 0;
    std::optional<Instant> epoch_start_;
};

// What we may send to the peer.
class SendWindow {
public:
    SendWindow() = default;
    explicit SendWindow(std::uint64_t limit) : limit_(limit) {}

    std::uint64_t limit() const { return limit_; }
    std::uint64_t used() const { return used_; }
    std::uint64_t available() const { return limit_ > used_ ? limit_ - used_ : 0; }

    void use(std::uint64_t bytes) { used_ += bytes; }
    // False when it is no larger than the limit that we know.
    bool raise(std::uint64_t limit);
    // True the first time that we are blocked at the present limit: tell the peer.
    bool should_report_blocked();
    // 0-RTT was rejected: nothing was sent and nothing is known.
    void restart() { *this = SendWindow(); }

private:
    std::uint64_t limit_ = 0;
    std::uint64_t used_ = 0;
    // The limit at which the peer was told that we are blocked, plus one; 0 for none.
    std::uint64_t reported_ = 0;
};

}  // namespace stoq::streams
