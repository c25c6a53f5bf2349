// A NAT in front of the client, which forgets its bindings.
#pragma once

#include <cstdint>
#include <map>

#include "packet.h"
#include "random.h"

namespace stoq::link {

class Rebinding {
public:
    Rebinding(bool change_address, std::uint64_t seed)
        : change_address_(change_address), random_(seed) {}

    // Puts the outer address into what the client sends, and the client's into what comes back.
    // False: there is no binding for it (any more), and the datagram is gone.
    bool translate(UdpView& datagram, Direction direction);
    // Every binding gets a new outer port, and address if so set; the old ones lead nowhere.
    void rebind();

private:
    Socket fresh_outer(const Socket& inner, const Socket& old);

    bool change_address_;
    Random random_;
    std::map<Socket, Socket> outer_of_;  // by the client's own socket
    std::map<Socket, Socket> inner_of_;
};

}  // namespace stoq::link
