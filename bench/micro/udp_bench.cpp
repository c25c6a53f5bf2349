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
    // Processor time of each thread, so also meaningful on a machine that does other things.
    double send_nanoseconds = 0;     // per datagram sent
    double receive_nanoseconds = 0;  // per datagram received
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

double thread_nanoseconds() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Returns the processor time that receiving took.
double receive_until(io::UdpDatapath& datapath, const std::atomic<bool>& done) {
    pin_to(1);
    const double begin = thread_nanoseconds();
    while (!done) {
        if (datapath.receive_batch().empty()) {
            datapath.wait(std::chrono::milliseconds(50), nullptr);
        }
        datapath.recycle();
    }
    return thread_nanoseconds() - begin;
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
    double receiving = 0;
    std::thread reading([&] { receiving = receive_until(*receiver, done); });
    pin_to(0);
    for (std::size_t i = 0; i < 16; ++i) {
        std::memset(sender->transmit_slot()->buffer.data(), 'x', train * kDatagram);
    }
    const Instant begin = io::now();
    const double sending_since = thread_nanoseconds();
    const std::uint64_t bytes = send_for(*sender, receiver->local_address(), train, span);
    const double seconds = std::chrono::duration<double>(io::now() - begin).count();
    const double sending = thread_nanoseconds() - sending_since;
    done = true;
    reading.join();
    const io::DatapathCounters& counters = receiver->counters();
    Figures figures;
    figures.sent_gbps = static_cast<double>(bytes) * 8e-9 / seconds;
    figures.received_gbps = static_cast<double>(counters.received_bytes) * 8e-9 / seconds;
    figures.datagrams_per_receive_call = static_cast<double>(counters.received_datagrams) /
                                         static_cast<double>(counters.receive_calls);
    figures.send_nanoseconds = sending / static_cast<double>(sender->counters().sent_datagrams);
    figures.receive_nanoseconds = receiving / static_cast<double>(counters.received_datagrams);
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
            "train %2zu: sent %6.2f Gbit/s, received %6.2f; processor time of a datagram: "
            "sending %6.1f ns, receiving %6.1f; %6.1f datagrams a receive call, %llu dropped by "
            "the socket\n",
            train, figures.sent_gbps, figures.received_gbps, figures.send_nanoseconds,
            figures.receive_nanoseconds, figures.datagrams_per_receive_call,
            static_cast<unsigned long long>(figures.drops));
        char text[128];
        std::snprintf(text, sizeof text, " gbps_%zu=%.2f send_ns_%zu=%.1f receive_ns_%zu=%.1f",
                      train, figures.received_gbps, train, figures.send_nanoseconds, train,
                      figures.receive_nanoseconds);
        result += text;
    }
    std::puts(result.c_str());
    return 0;
}
