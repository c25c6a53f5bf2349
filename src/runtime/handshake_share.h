// How much of the loop's time new handshakes get while data flows.
//
// A signature occupies the loop for a good part of a millisecond, in which nothing is received or
// sent. Without data that does not matter, and handshakes are served as they come. With data they
// get a share of the time: each is paid for afterwards, by the time that it took, and the next one
// begins when the debt is paid off.
#pragma once

#include <cstddef>
#include <limits>

#include "stoq/types.h"

namespace stoq::runtime {

class HandshakeShare {
public:
    static constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();
    // Data flows when so many bytes of 1-RTT packets have passed in such a time: 80 Mbit/s.
    static constexpr Duration kWindow = std::chrono::milliseconds(10);
    static constexpr std::size_t kFlow = 100'000;

    // `share` of the time, above 0; 1 or more: no limit.
    explicit HandshakeShare(double share) : share_(share) {}

    void on_data(std::size_t bytes) { bytes_ += bytes; }
    // How many may begin now: all of them, one, or none.
    std::size_t permits(Instant now);
    // One that was permitted has taken so long.
    void on_begun(Duration took);
    // When the next one may begin, seen from the last call of permits().
    Instant next() const;

private:
    bool is_limited() const { return flowing_ && share_ < 1; }

    double share_;
    bool flowing_ = false;
    std::size_t bytes_ = 0;  // in the present window
    Instant window_begun_{};
    Instant paid_until_{};
    Duration cost_{};
    Duration debt_{};  // time of handshakes that is not paid for
};

}  // namespace stoq::runtime
