// Loss and corruption of the UDP datagrams of one direction.
#pragma once

#include <cstdint>

#include "packet.h"
#include "random.h"
#include "settings.h"

namespace stoq::link {

class Impairment {
public:
    Impairment(const DirectionSettings& settings, std::uint64_t seed)
        : settings_(settings), random_(seed) {}

    // False: the datagram is lost. One that is corrupted has a byte near its front changed, with a
    // checksum that fits, so that it is for the receiver's QUIC to notice.
    bool pass(UdpView& datagram, Counters& counters);

private:
    bool strikes(const RandomErrors& errors, unsigned& in_a_row);
    void corrupt(UdpView& datagram);

    DirectionSettings settings_;
    Random random_;
    std::uint64_t seen_ = 0;
    unsigned dropped_in_a_row_ = 0;
    unsigned corrupted_in_a_row_ = 0;
};

}  // namespace stoq::link
