// One end of a bulk transfer: an endpoint and a socket in a tight loop, and what its time went to.
#pragma once

#include <memory>

#include "io/system_random.h"
#include "io/udp/udp_datapath.h"
#include "stoq/endpoint.h"

namespace stoq::bench {

// Running totals of one end at one moment.
struct Snapshot {
    double wall_ns = 0;
    double processor_ns = 0;
    double receive_ns = 0;  // inside receive_batch()
    double send_ns = 0;     // inside flush()
    double wait_ns = 0;     // inside wait()
    std::uint64_t allocations = 0;
    std::uint64_t rounds = 0;
    std::uint64_t trains = 0;         // coalesced buffers received
    std::uint64_t payload_bytes = 0;  // of the stream, given to the endpoint or taken from it
    std::uint64_t bytes_copied = 0;   // of the stream, inside the endpoint
    io::DatapathCounters datapath;
};

// What an end says when it is done.
struct EndReport {
    Snapshot begin;  // of the steady state
    Snapshot end;
    Snapshot whole;
    ConnectionStatistics connection;
    double seconds = 0;  // receiver: from the first byte to the last
    std::uint64_t bytes = 0;
    bool complete = false;
    bool verified = false;  // receiver: every byte was the one that was sent
};

// The settings that both ends run with.
Settings bulk_settings();

std::unique_ptr<io::UdpDatapath> open_datapath();

class End {
public:
    End(io::UdpDatapath& datapath, Instant started);

    Endpoint& endpoint() { return endpoint_; }
    Instant now() const { return now_; }
    void count_payload(std::size_t bytes) { totals_.payload_bytes += bytes; }
    Snapshot snapshot() const;

    // One round of the loop; `work` is the application, which reads and writes. Sleeps only when
    // nothing came and nothing went.
    template <typename Work>
    void round(const Work& work) {
        begin_round();
        work();
        end_round();
    }

private:
    void begin_round();
    void end_round();
    void count_trains(std::span<const ReceivedDatagram> datagrams);
    void transmit();
    void flush();
    void sleep();

    io::UdpDatapath& datapath_;
    io::SystemRandom random_;
    Endpoint endpoint_;
    Instant now_;
    Instant started_;
    Snapshot totals_;
    bool idle_ = false;
    unsigned idle_rounds_ = 0;
};

// The application of each side. The sender stops when `span` is over.
void run_sender(io::UdpDatapath& datapath, const ClientConfig& config, Duration span,
                EndReport& report);
void run_receiver(io::UdpDatapath& datapath, const ServerConfig& config, Duration span,
                  EndReport& report);

}  // namespace stoq::bench
