// Sending: a queue of trains, each one message with UDP_SEGMENT where the route takes it, else one
// message per datagram, and as many messages as there are in one call.
#pragma once

#include <memory>
#include <vector>

#include "io/datapath.h"
#include "io/socket_address.h"
#include "io/udp/control_messages.h"
#include "io/udp/segmentation_table.h"
#include "io/udp/udp_socket.h"

namespace stoq::io {

class UdpSender {
public:
    UdpSender(const UdpSocket& socket, const UdpSettings& settings);

    // See Datapath for these three.
    TransmitSlot* slot();
    void commit(TransmitSlot& slot);
    // Sets `path_error_seen` when the system reports an error that came back from the network.
    FlushOutcome flush(DatapathCounters& counters, bool& path_error_seen);

    // How the last flush ended, as long as something is queued.
    SendBlock block() const { return queued_ == 0 ? SendBlock::kNone : block_; }

private:
    // How to go on with the train at the head of the queue.
    struct Head {
        std::size_t sent = 0;       // bytes that the system has taken
        bool one_by_one = false;    // the kernel refused it as a train
        bool blamed_route = false;  // and the route has been noted for that
        bool retried = false;       // the last message has failed once
    };

    struct Message {
        SocketAddress remote;
        ControlBuffer control;
        iovec vector;
        std::size_t train;      // distance from the head of the queue
        std::size_t datagrams;  // 1, or more with segmentation
    };

    enum class Step : std::uint8_t { kContinue, kStop };

    TransmitSlot& train(std::size_t distance) { return slots_[(head_ + distance) % slots_.size()]; }
    bool may_segment(const TransmitSlot& slot);
    void gather();
    void gather_train(std::size_t distance);
    void add_message(std::size_t distance, std::size_t offset, std::size_t length);
    int send_messages(DatapathCounters& counters);
    void on_sent(std::size_t messages, DatapathCounters& counters, FlushOutcome& outcome);
    Step on_error(int error, DatapathCounters& counters, bool& path_error_seen);
    void drop_failed(int error, DatapathCounters& counters);
    void report(const SendFailure& failure);
    void advance(std::size_t bytes);

    const SystemCalls& calls_;
    const UdpSocket& socket_;
    std::unique_ptr<std::uint8_t[]> memory_;
    std::vector<TransmitSlot> slots_;
    std::size_t head_ = 0;
    std::size_t queued_ = 0;
    Head state_;
    SendBlock block_ = SendBlock::kNone;
    SegmentationTable refused_;
    std::vector<Message> messages_;
    std::vector<mmsghdr> headers_;
    std::size_t gathered_ = 0;
    std::vector<SendFailure> failures_;
};

}  // namespace stoq::io
