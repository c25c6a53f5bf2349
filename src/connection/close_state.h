// CloseState: from open to forgotten (RFC 9000 section 10).
//
//   kOpen ──we close──────────> kClosing ──┐
//     │                            │       ├──3 probe timeouts──> kClosed
//     ├──the peer closes───────────┴─> kDraining
//     └──idle, reset, nothing to say──────────────────────────> kClosed
//
// While closing, the CONNECTION_CLOSE goes out once and then in answer to the 1st, 2nd, 4th, 8th
// ... datagram that still arrives, so that two endpoints cannot keep each other busy.
#pragma once

#include <cstdint>

#include "stoq/event.h"
#include "stoq/types.h"

namespace stoq::connection {

enum class ClosePhase : std::uint8_t { kOpen, kClosing, kDraining, kClosed };

class CloseState {
public:
    ClosePhase phase() const { return phase_; }
    bool is_open() const { return phase_ == ClosePhase::kOpen; }
    const CloseInfo& info() const { return info_; }
    Instant deadline() const { return deadline_; }

    // Each only has an effect in an earlier phase; the first cause is the one that is remembered.
    void start_closing(CloseInfo info, Instant until) {
        if (enter(ClosePhase::kClosing, std::move(info), until)) send_due_ = true;
    }
    void start_draining(CloseInfo info, Instant until) {
        //= 9000-10.2.2-1
        //= 9000-10.2.2-3
        //= 9000-10.2.2-4
        if (phase_ == ClosePhase::kClosing) {
            phase_ = ClosePhase::kDraining;
            send_due_ = false;
        } else {
            enter(ClosePhase::kDraining, std::move(info), until);
        }
    }
    void finish(CloseInfo info) {
        if (!enter(ClosePhase::kClosed, std::move(info), kNever)) expire();
    }
    // The closing or draining period is over.
    void expire() {
        phase_ = ClosePhase::kClosed;
        deadline_ = kNever;
        send_due_ = false;
    }

    //= 9000-10.2.1-1
    void on_datagram() {
        if (phase_ != ClosePhase::kClosing) return;
        ++datagrams_;
        if ((datagrams_ & (datagrams_ - 1)) == 0) send_due_ = true;
    }
    bool send_due() const { return send_due_; }
    void on_sent() { send_due_ = false; }

private:
    bool enter(ClosePhase phase, CloseInfo info, Instant until) {
        if (!is_open()) return false;
        phase_ = phase;
        info_ = std::move(info);
        deadline_ = until;
        return true;
    }

    CloseInfo info_;
    Instant deadline_ = kNever;
    std::uint32_t datagrams_ = 0;
    ClosePhase phase_ = ClosePhase::kOpen;
    bool send_due_ = false;
};

}  // namespace stoq::connection
