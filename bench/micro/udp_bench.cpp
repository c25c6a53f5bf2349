// How many bits a second the UDP datapath carries over loopback, by the length of the train: a
// sender and a receiver on a core each, no encryption and no protocol. Every figure counts bytes
// that arrived.
//
//     udp_bench [seconds for each length]
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "io/clock.h"
#include "io/udp/udp_datapath.h"

namespace {

using namespace stoq;

constexpr std::size_t kDatagram = 1452;

struct Figures {
    double sent_gbps = 0;
    double received_gbps = 0;
    double datagrams_per_receive_call = 0;
    std::uint64_t drops = 0;
};

void pin_to(unsigned core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core % std::thread::hardware_concurrency(), &set);
    ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
}

std::unique_ptr<io::UdpDatapath> open_datapath() {
    io::UdpSettings settings;
    settings.local = parse_address("127.0.0.1:0");
    settings.receive_buffer = std::size_t{32} << 20;
    auto datapath = io::UdpDatapath::create(settings);
    if (!datapath) {
        std::fprintf(stderr, "udp_bench: %s\n", datapath.error().message().c_str());
        std::exit(1);
    }
    return std::move(*datapath);
}

void receive_until(io::UdpDatapath& datapath, const std::atomic<bool>& done) {
    pin_to(1);
    while (!done) {
        if (datapath.receive_batch().empty()) {
            datapath.wait(std::chrono::milliseconds(50), nullptr);
        }
        datapath.recycle();
    }
}

// Fills every slot as a protocol would, without the protocol: the bytes are there already.
std::uint64_t send_for(io::UdpDatapath& datapath, const Address& remote, std::size_t train,
                       Duration span) {
    const std::size_t slots_per_flush = train >= 16 ? 1 : 16 / train;
    std::uint64_t bytes = 0;
    const Instant end = io::now() + span;
    while (io::now() < end) {
        for (std::size_t i = 0; i < slots_per_flush; ++i) {
            TransmitSlot* slot = datapath.transmit_slot();
            if (slot == nullptr) break;
            slot->length = train * kDatagram;
            slot->datagram_length = kDatagram;
            slot->remote = remote;
            slot->ecn = Ecn::kEct0;
            datapath.commit(*slot);
        }
        bytes += datapath.flush().sent_datagrams * kDatagram;
        if (datapath.wants_writable()) datapath.wait(std::chrono::milliseconds(1), nullptr);
    }
    return bytes;
}

Figures measure(std::size_t train, Duration span) {
    const auto receiver = open_datapath();
    const auto sender = open_datapath();
    std::atomic<bool> done = false;
    std::thread reading([&] { receive_until(*receiver, done); });
    pin_to(0);
    for (std::size_t i = 0; i < 16; ++i) {
        std::memset(sender->transmit_slot()->buffer.data(), 'x', train * kDatagram);
    }
    const Instant begin = io::now();
    const std::uint64_t bytes = send_for(*sender, receiver->local_address(), train, span);
    const double seconds = std::chrono::duration<double>(io::now() - begin).count();
    done = true;
    reading.join();
    const io::DatapathCounters& counters = receiver->counters();
    Figures figures;
    figures.sent_gbps = static_cast<double>(bytes) * 8e-9 / seconds;
    figures.received_gbps = static_cast<double>(counters.received_bytes) * 8e-9 / seconds;
    figures.datagrams_per_receive_call = static_cast<double>(counters.received_datagrams) /
                                         static_cast<double>(counters.receive_calls);
    figures.drops = counters.receive_buffer_drops;
    return figures;
}

}  // namespace

int main(int argc, char** argv) {
    const int seconds = argc > 1 ? std::atoi(argv[1]) : 2;
    std::string result = "RESULT datagram_bytes=" + std::to_string(kDatagram);
    for (const std::size_t train : {44, 16, 8, 1}) {
        const Figures figures = measure(train, std::chrono::seconds(seconds));
        std::printf(
            "train %2zu: sent %6.2f Gbit/s, received %6.2f Gbit/s, %6.1f datagrams a receive "
            "call, %llu dropped by the socket\n",
            train, figures.sent_gbps, figures.received_gbps, figures.datagrams_per_receive_call,
            static_cast<unsigned long long>(figures.drops));
        char text[64];
        std::snprintf(text, sizeof text, " gbps_%zu=%.2f", train, figures.received_gbps);
        result += text;
    }
    std::puts(result.c_str());
    return 0;
}
