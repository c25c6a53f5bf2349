// Receiving: many buffers in one call, coalesced trains cut into their datagrams.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "io/datapath.h"
#include "io/socket_address.h"
#include "io/udp/control_messages.h"
#include "io/udp/udp_socket.h"

namespace stoq::io {

class UdpReceiver {
public:
    UdpReceiver(const UdpSocket& socket, const UdpSettings& settings);

    // See Datapath::receive_batch(). Sets `path_error_seen` when the system reports an error that
    // came back from the network, and counts into `counters`.
    std::span<ReceivedDatagram> receive(DatapathCounters& counters, bool& path_error_seen);

private:
    struct Buffer {
        SocketAddress remote;
        ControlBuffer control;
    };

    std::size_t batch_size() const;
    int receive_messages(DatapathCounters& counters, bool& path_error_seen);
    void arm(std::size_t index);
    void deliver(std::size_t index, DatapathCounters& counters);
    void cut(const ReceivedDatagram& whole, std::size_t step, DatapathCounters& counters);
    void count_drops(std::uint32_t total, DatapathCounters& counters);

    const SystemCalls& calls_;
    int descriptor_;
    Address bound_;
    std::size_t buffer_bytes_;
    std::unique_ptr<std::uint8_t[]> memory_;
    std::vector<Buffer> buffers_;
    std::vector<iovec> vectors_;
    std::vector<mmsghdr> messages_;
    std::size_t used_ = 0;     // messages that the last call has filled, to be armed again
    std::size_t longest_ = 0;  // bytes of the longest of these
    std::vector<ReceivedDatagram> datagrams_;
    std::size_t delivered_ = 0;
    std::uint32_t drops_ = 0;
};

}  // namespace stoq::io
