// PathState: everything that belongs to one path, except recovery and congestion control, which
// the connection adds.
#pragma once

#include <cstdint>

#include "base/wildcard.h"
#include "path/amplification_limit.h"
#include "path/ecn_validator.h"
#include "path/mtu_discovery.h"
#include "path/path_validator.h"
#include "stoq/types.h"

namespace stoq::path {

struct AddressPair {
    Address local;  // family kNone: the system chooses, or nobody told
    Address remote;
};

// An unknown local address equals every other, and a wildcard those with its port.
constexpr bool same_local(const Address& a, const Address& b) {
    if (a == b || a.family == Address::Family::kNone || b.family == Address::Family::kNone) {
        return true;
    }
    return a.port == b.port && (is_wildcard(a) || is_wildcard(b));
}

constexpr bool same_path(const AddressPair& a, const AddressPair& b) {
    return a.remote == b.remote && same_local(a.local, b.local);
}

// The only difference is the peer's port: most likely a NAT rebinding.
constexpr bool differs_in_port_only(const AddressPair& a, const AddressPair& b) {
    AddressPair moved = a;
    moved.remote.port = b.remote.port;
    return a.remote.port != b.remote.port && same_path(moved, b);
}

struct PathState {
    AddressPair addresses;
    Address local_seen{};                    // where datagrams arrive, if the system tells
    std::uint64_t serial = 0;                // never used again, for logs
    std::uint64_t received_on_sequence = 0;  // which of our ids the peer uses on it
    PathValidator validator;
    PathResponses responses;
    AmplificationLimit amplification;
    EcnValidator ecn;
    MtuDiscovery mtu{MtuSettings{}};
    bool in_use = false;  // this place of the set holds a path

    // What a datagram with path validation frames has to be expanded to, as far as allowed.
    bool may_expand() const { return amplification.allows(kMinPathDatagramSize); }
};

}  // namespace stoq::path
