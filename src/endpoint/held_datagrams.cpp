#include "endpoint/held_datagrams.h"

#include <utility>

namespace stoq::endpoint {

bool HeldDatagrams::push(const ReceivedDatagram& datagram, Instant now) {
    if (datagram.data.size() > kMaxBytes - bytes_) return false;
    bytes_ += datagram.data.size();
    held_.push_back({.bytes = {datagram.data.begin(), datagram.data.end()},
                     .local = datagram.local,
                     .remote = datagram.remote,
                     .ecn = datagram.ecn,
                     .arrived = now});
    return true;
}

HeldDatagrams::Held HeldDatagrams::pop() {
    Held first = std::move(held_.front());
    held_.pop_front();
    bytes_ -= first.bytes.size();
    return first;
}

}  // namespace stoq::endpoint
