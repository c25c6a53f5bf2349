// The datapath over an ordinary UDP socket: trains out by UDP_SEGMENT, trains in by UDP_GRO.
#pragma once

#include <memory>

#include "io/datapath.h"
#include "io/udp/udp_socket.h"

namespace stoq::io {

class UdpDatapath final : public Datapath {
public:
    static SystemResult<std::unique_ptr<UdpDatapath>> create(
        const UdpSettings& settings, const SystemCalls& calls = real_system_calls());
    ~UdpDatapath() override;

    std::span<ReceivedDatagram> receive_batch() override;
    void recycle() override {}
    TransmitSlot* transmit_slot() override;
    void commit(TransmitSlot& slot) override;
    FlushOutcome flush() override;
    bool wants_writable() const override;
    std::span<const PathErrorReport> path_errors() override;
    WaitOutcome wait(Duration timeout, Waker* waker) override;
    int native_handle() const override;
    const Address& local_address() const override;
    const DatapathCapabilities& capabilities() const override;
    const DatapathCounters& counters() const override;

private:
    struct Parts;
    explicit UdpDatapath(std::unique_ptr<Parts> parts);

    std::unique_ptr<Parts> parts_;
};

}  // namespace stoq::io
