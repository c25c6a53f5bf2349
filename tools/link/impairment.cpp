#include "impairment.h"

#include <algorithm>

namespace stoq::link {
namespace {

// Headers lie here: changes in them are the interesting ones.
constexpr std::size_t kCorruptedFront = 50;

}  // namespace

bool Impairment::strikes(const RandomErrors& errors, unsigned& in_a_row) {
    if (errors.percent == 0) return false;
    // Drawn even where the burst is over, so that what follows does not depend on it.
    const bool drawn = random_.below(100) < errors.percent;
    const bool struck = drawn && in_a_row < errors.burst;
    in_a_row = struck ? in_a_row + 1 : 0;
    return struck;
}

void Impairment::corrupt(UdpView& datagram) {
    const Bytes payload = datagram.payload();
    const std::size_t position = random_.below(std::min(payload.size(), kCorruptedFront));
    payload[position] ^= static_cast<std::uint8_t>(1 + random_.below(255));
    datagram.fix_checksums();
}

bool Impairment::pass(UdpView& datagram, Counters& counters) {
    if (settings_.drops.contains(++seen_)) {
        ++counters.list_drops;
        return false;
    }
    if (strikes(settings_.drop, dropped_in_a_row_)) {
        ++counters.random_drops;
        return false;
    }
    // A changed Version Negotiation packet cannot be told from a true one: it is spared.
    const bool exempt = datagram.payload().empty() || is_version_negotiation(datagram.payload());
    if (!exempt && strikes(settings_.corrupt, corrupted_in_a_row_)) {
        ++counters.corrupted;
        corrupt(datagram);
    }
    return true;
}

}  // namespace stoq::link
