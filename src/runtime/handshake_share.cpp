#include "runtime/handshake_share.h"

#include <algorithm>

namespace stoq::runtime {

std::size_t HandshakeShare::permits(Instant now) {
    if (now - window_begun_ >= kWindow) {
        flowing_ = bytes_ >= kFlow;
        bytes_ = 0;
        window_begun_ = now;
    }
    const auto passed = static_cast<double>((now - paid_until_).count());
    paid_until_ = now;
    // Nothing is saved up for later: a burst of signatures would stall what flows.
    debt_ =
        std::max(debt_ - Duration(static_cast<Duration::rep>(passed * share_)), Duration::zero());
    if (!is_limited()) return kUnlimited;
    return debt_ == Duration::zero() ? 1 : 0;
}

// The second datagram of a ClientHello may come later than the first, and the signature with it,
// unseen: the dearest of the last handshakes is what one costs.
void HandshakeShare::on_begun(Duration took) {
    cost_ = std::max(took, cost_ / 16 * 15);
    debt_ += cost_;
}

Instant HandshakeShare::next() const {
    if (!is_limited()) return paid_until_;
    const auto wait = static_cast<double>(debt_.count()) / share_;
    return paid_until_ + Duration(static_cast<Duration::rep>(wait));
}

}  // namespace stoq::runtime
