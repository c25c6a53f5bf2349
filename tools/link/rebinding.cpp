#include "rebinding.h"

namespace stoq::link {
namespace {

constexpr std::uint16_t kLowestPort = 1024;
constexpr std::uint8_t kLowestHost = 1;
constexpr std::uint8_t kHighestHost = 254;
// A client with more sockets than this gets no new bindings.
constexpr std::size_t kMaxBindings = 1024;

}  // namespace

bool Rebinding::translate(UdpView& datagram, Direction direction) {
    if (direction == Direction::kToClient) {
        const auto inner = inner_of_.find(datagram.destination());
        if (inner == inner_of_.end()) return false;
        datagram.set_destination(inner->second);
        datagram.fix_checksums();
        return true;
    }
    const Socket source = datagram.source();
    auto outer = outer_of_.find(source);
    if (outer == outer_of_.end()) {
        if (outer_of_.size() >= kMaxBindings) return false;
        outer = outer_of_.emplace(source, source).first;
        inner_of_.emplace(source, source);
    }
    datagram.set_source(outer->second);
    datagram.fix_checksums();
    return true;
}

Socket Rebinding::fresh_outer(const Socket& inner, const Socket& old) {
    Socket fresh = inner;
    std::uint8_t& host = fresh.ip[fresh.ip_length() - 1];
    const std::uint8_t old_host = old.ip[old.ip_length() - 1];
    const std::uint8_t own_host = host;
    do {
        fresh.port = static_cast<std::uint16_t>(kLowestPort + random_.below(65536 - kLowestPort));
        if (!change_address_) continue;
        host = static_cast<std::uint8_t>(kLowestHost + random_.below(kHighestHost));
    } while (fresh.port == old.port || inner_of_.contains(fresh) ||
             (change_address_ && (host == old_host || host == own_host)));
    return fresh;
}

void Rebinding::rebind() {
    inner_of_.clear();
    for (auto& [inner, outer] : outer_of_) {
        outer = fresh_outer(inner, outer);
        inner_of_.emplace(outer, inner);
    }
}

}  // namespace stoq::link
