// A TUN device in a network namespace: IP packets in and out of a descriptor.
#pragma once

#include <optional>
#include <string>

#include "packet.h"
#include "stoq/types.h"

namespace stoq::link {

class Tun {
public:
    // Makes the device `name` in the namespace that `ip netns add` called `network_namespace`; it
    // goes with this object. Throws std::system_error.
    Tun(const std::string& network_namespace, const std::string& name);
    ~Tun();
    Tun(const Tun&) = delete;
    Tun& operator=(const Tun&) = delete;

    int descriptor() const { return descriptor_; }
    // The next packet that was sent to the device; nothing when none waits.
    std::optional<Packet> read();
    // False when the kernel does not take it, as when the device is down.
    bool write(ByteView packet);

private:
    int descriptor_;
};

}  // namespace stoq::link
