// A UDP socket set up for a transport protocol: never fragmenting, telling ECN marks, local
// addresses, drops and ICMP errors, with large buffers; each as far as the system grants it.
#pragma once

#include "io/datapath.h"
#include "io/system_calls.h"
#include "stoq/error.h"

namespace stoq::io {

struct UdpSettings {
    // Family::kIpv6 with an all-zero address serves both families. Port 0 lets the system choose.
    Address local;
    bool reuse_port = false;           // SO_REUSEPORT: several sockets share the port
    bool segmentation_offload = true;  // false: trains are sent one datagram at a time
    bool receive_coalescing = true;    // false: every datagram arrives in a buffer of its own
    bool ipv6_only = false;
    std::size_t receive_buffer = std::size_t{8} << 20;  // bytes to ask the system for
    std::size_t send_buffer = std::size_t{4} << 20;
    std::size_t transmit_slots = 16;   // trains that can be queued before flush()
    std::size_t receive_buffers = 16;  // 64 kB each with coalescing
    // Datagrams longer than this are dropped when there is no coalescing.
    std::size_t max_datagram = 2048;
};

class UdpSocket {
public:
    // Fails when there can be no socket at that address; a capability that is refused is only
    // missing from capabilities().
    static SystemResult<UdpSocket> open(const UdpSettings& settings,
                                        const SystemCalls& calls = real_system_calls());
    ~UdpSocket();
    UdpSocket(UdpSocket&& other) noexcept;
    UdpSocket& operator=(UdpSocket&& other) noexcept;

    int descriptor() const { return descriptor_; }
    int family() const { return family_; }  // AF_INET or AF_INET6
    const Address& local_address() const { return local_; }
    const DatapathCapabilities& capabilities() const { return capabilities_; }
    const SystemCalls& calls() const { return *calls_; }

private:
    struct Option {
        int name;
        int value;
    };

    UdpSocket(int descriptor, int family, const SystemCalls& calls)
        : descriptor_(descriptor), family_(family), calls_(&calls) {}

    std::error_code bind_to(const Address& local);
    bool set_option(int level, int name, int value) const;
    bool set_for_families(Option ipv4, Option ipv6) const;
    void probe_capabilities(const UdpSettings& settings);
    void ask_for_buffers(const UdpSettings& settings);

    int descriptor_ = -1;
    int family_ = 0;
    const SystemCalls* calls_;
    Address local_;
    DatapathCapabilities capabilities_;
};

}  // namespace stoq::io
