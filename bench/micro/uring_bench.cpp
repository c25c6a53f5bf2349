// System calls against io_uring, for what the UDP datapath does with them: trains of 44 datagrams
// by UDP_SEGMENT to a receiver with UDP_GRO, and echoes of 512 bytes between two threads that sleep
// in between. Two threads on a core each over loopback, no encryption and no protocol; both ways in
// turns, medians of the rounds.
//
//     uring_bench [rounds]
//
// Last line: RESULT call_gbps=... ring_gbps=... call_send_ns=... ring_send_ns=...
// call_receive_ns=... ring_receive_ns=... call_p50_us=... ring_p50_us=... call_p99_us=...
// ring_p99_us=...; nanoseconds of processor time for a datagram, microseconds for a round trip.
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::uint16_t kDatagram = 1452;
constexpr std::size_t kTrain = 44;
constexpr std::size_t kEcho = 512;
constexpr std::size_t kLongest = 65'536;
constexpr unsigned kDepth = 8;  // trains and receive buffers in the ring at once
constexpr auto kSpan = 500ms;
constexpr auto kPatience = 10ms;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "uring_bench: %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

void pin_to(unsigned core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core % std::thread::hardware_concurrency(), &set);
    ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
}

double processor_nanoseconds() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

struct Socket {
    Socket() : descriptor(::socket(AF_INET, SOCK_DGRAM, 0)) {
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        const int on = 1;
        const int buffer = 32 << 20;
        if (::bind(descriptor, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
            ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
            ::setsockopt(descriptor, SOL_UDP, UDP_GRO, &on, sizeof on) != 0) {
            fail("no socket");
        }
        // Whoever may not go beyond the system's limit gets that.
        if (::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0) {
            (void)::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
        }
    }
    ~Socket() { ::close(descriptor); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    int descriptor;
    sockaddr_in address{};
};

// A message with the bytes that it sends or receives.
struct Message {
    explicit Message(std::size_t length) : bytes(length, 'x'), piece{bytes.data(), bytes.size()} {
        header.msg_iov = &piece;
        header.msg_iovlen = 1;
    }
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;

    Message& to(const sockaddr_in& remote) {
        name = remote;
        header.msg_name = &name;
        header.msg_namelen = sizeof name;
        return *this;
    }
    Message& in_segments(std::uint16_t size) {
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        cmsghdr* const segment = CMSG_FIRSTHDR(&header);
        segment->cmsg_level = SOL_UDP;
        segment->cmsg_type = UDP_SEGMENT;
        segment->cmsg_len = CMSG_LEN(sizeof size);
        std::memcpy(CMSG_DATA(segment), &size, sizeof size);
        return *this;
    }

    std::vector<char> bytes;
    iovec piece;
    sockaddr_in name{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control{};
    msghdr header{};
};

class Ring {
public:
    Ring() {
        io_uring_params parameters{};
        parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
        const int error = ::io_uring_queue_init_params(4 * kDepth, &ring_, &parameters);
        errno = -error;
        if (error != 0) fail("no io_uring");
    }
    ~Ring() { ::io_uring_queue_exit(&ring_); }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    void send(int descriptor, const Message& message, std::uint64_t name) {
        io_uring_sqe* const entry = ::io_uring_get_sqe(&ring_);
        ::io_uring_prep_sendmsg(entry, descriptor, &message.header, 0);
        ::io_uring_sqe_set_data64(entry, name);
    }
    void receive(int descriptor, Message& message, std::uint64_t name) {
        io_uring_sqe* const entry = ::io_uring_get_sqe(&ring_);
        ::io_uring_prep_recvmsg(entry, descriptor, &message.header, 0);
        ::io_uring_sqe_set_data64(entry, name);
    }
    // Submits, waits for `least` results or some time, and tells them.
    template <typename Tell>
    void enter(unsigned least, const Tell& tell) {
        __kernel_timespec patience{0, std::chrono::nanoseconds(kPatience).count()};
        io_uring_cqe* completion = nullptr;
        (void)::io_uring_submit_and_wait_timeout(&ring_, &completion, least, &patience, nullptr);
        std::array<io_uring_cqe*, 4 * kDepth> completions{};
        const unsigned count =
            ::io_uring_peek_batch_cqe(&ring_, completions.data(), completions.size());
        for (unsigned i = 0; i < count; ++i) {
            tell(completions[i]->user_data, completions[i]->res);
            ::io_uring_cqe_seen(&ring_, completions[i]);
        }
    }

private:
    io_uring ring_{};
};

// --- Trains --------------------------------------------------------------------------------------

struct Bulk {
    double gbps = 0;
    double send_ns = 0;  // processor time of a datagram
    double receive_ns = 0;
};

std::uint64_t receive_by_calls(int descriptor, const std::atomic<bool>& done) {
    std::uint64_t bytes = 0;
    Message message(kLongest);
    while (!done) {
        const ssize_t length = ::recvmsg(descriptor, &message.header, MSG_DONTWAIT);
        if (length > 0) {
            bytes += static_cast<std::uint64_t>(length);
            continue;
        }
        pollfd readable{.fd = descriptor, .events = POLLIN, .revents = 0};
        (void)::poll(&readable, 1, static_cast<int>(kPatience / 1ms));
    }
    return bytes;
}

std::uint64_t receive_by_ring(int descriptor, const std::atomic<bool>& done) {
    std::uint64_t bytes = 0;
    std::array<std::optional<Message>, kDepth> messages;
    Ring ring;
    for (unsigned i = 0; i < kDepth; ++i)
        ring.receive(descriptor, messages[i].emplace(kLongest), i);
    while (!done) {
        ring.enter(1, [&](std::uint64_t name, int length) {
            if (length > 0) bytes += static_cast<std::uint64_t>(length);
            ring.receive(descriptor, *messages[name], name);
        });
    }
    return bytes;
}

std::uint64_t send_by_calls(int descriptor, const sockaddr_in& remote, Clock::time_point end) {
    std::uint64_t trains = 0;
    Message message(kTrain * kDatagram);
    message.to(remote).in_segments(kDatagram);
    while (Clock::now() < end) trains += ::sendmsg(descriptor, &message.header, 0) > 0 ? 1 : 0;
    return trains;
}

std::uint64_t send_by_ring(int descriptor, const sockaddr_in& remote, Clock::time_point end) {
    std::uint64_t trains = 0;
    std::array<std::optional<Message>, kDepth> messages;
    for (auto& message : messages) {
        message.emplace(kTrain * kDatagram).to(remote).in_segments(kDatagram);
    }
    Ring ring;
    while (Clock::now() < end) {
        for (const auto& message : messages) ring.send(descriptor, *message, 0);
        ring.enter(kDepth, [&](std::uint64_t, int length) { trains += length > 0 ? 1 : 0; });
    }
    return trains;
}

Bulk measure_bulk(bool by_ring) {
    Socket receiver;
    Socket sender;
    std::atomic<bool> done = false;
    std::uint64_t bytes = 0;
    double receiving = 0;
    std::thread reading([&] {
        pin_to(1);
        const double begin = processor_nanoseconds();
        bytes = by_ring ? receive_by_ring(receiver.descriptor, done)
                        : receive_by_calls(receiver.descriptor, done);
        receiving = processor_nanoseconds() - begin;
    });
    pin_to(0);
    const auto begin = Clock::now();
    const double before = processor_nanoseconds();
    const std::uint64_t trains =
        by_ring ? send_by_ring(sender.descriptor, receiver.address, begin + kSpan)
                : send_by_calls(sender.descriptor, receiver.address, begin + kSpan);
    const double sending = processor_nanoseconds() - before;
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    done = true;
    reading.join();
    const double received = static_cast<double>(bytes);
    return {received * 8e-9 / seconds, sending / static_cast<double>(trains * kTrain),
            receiving / (received / kDatagram)};
}

// --- Echoes --------------------------------------------------------------------------------------

struct Echoes {
    double p50_us = 0;
    double p99_us = 0;
};

// One end: answers what comes, or, with `round_trips`, begins and counts.
class End {
public:
    End(const Socket& own, const Socket& other, std::atomic<bool>& done,
        std::vector<double>* round_trips)
        : descriptor_(own.descriptor), done_(done), round_trips_(round_trips) {
        outgoing_.to(other.address);
    }

    void run_by_calls() {
        begin();
        while (!done_) {
            if (::recvmsg(descriptor_, &incoming_.header, MSG_DONTWAIT) <= 0) {
                pollfd readable{.fd = descriptor_, .events = POLLIN, .revents = 0};
                (void)::poll(&readable, 1, static_cast<int>(kPatience / 1ms));
                continue;
            }
            on_received();
            (void)::sendmsg(descriptor_, &outgoing_.header, 0);
        }
    }

    // Sending the answer and waiting for the next datagram is one system call.
    void run_by_ring() {
        constexpr std::uint64_t kReceived = 1;
        Ring ring;
        begin();
        ring.receive(descriptor_, incoming_, kReceived);
        while (!done_) {
            bool received = false;
            ring.enter(1, [&](std::uint64_t name, int) { received |= name == kReceived; });
            if (!received) continue;
            on_received();
            ring.send(descriptor_, outgoing_, 0);
            ring.receive(descriptor_, incoming_, kReceived);
        }
    }

private:
    void begin() {
        begun_ = sent_ = Clock::now();
        if (round_trips_ != nullptr) (void)::sendmsg(descriptor_, &outgoing_.header, 0);
    }

    void on_received() {
        if (round_trips_ == nullptr) return;
        const auto now = Clock::now();
        round_trips_->push_back(std::chrono::duration<double, std::micro>(now - sent_).count());
        if (now - begun_ > kSpan) done_ = true;
        sent_ = now;
    }

    int descriptor_;
    std::atomic<bool>& done_;
    std::vector<double>* round_trips_;
    Message outgoing_{kEcho};
    Message incoming_{kLongest};
    Clock::time_point begun_{};
    Clock::time_point sent_{};
};

Echoes measure_echoes(bool by_ring) {
    Socket client;
    Socket server;
    std::atomic<bool> done = false;
    std::vector<double> round_trips;
    round_trips.reserve(1 << 20);
    const auto run = [by_ring](End& end) { by_ring ? end.run_by_ring() : end.run_by_calls(); };
    End answering(server, client, done, nullptr);
    std::thread thread([&] {
        pin_to(0);
        run(answering);
    });
    pin_to(1);
    End asking(client, server, done, &round_trips);
    run(asking);
    thread.join();
    std::ranges::sort(round_trips);
    return {round_trips[round_trips.size() / 2], round_trips[round_trips.size() * 99 / 100]};
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
    const std::array names{"call_gbps",       "ring_gbps",       "call_send_ns", "ring_send_ns",
                           "call_receive_ns", "ring_receive_ns", "call_p50_us",  "ring_p50_us",
                           "call_p99_us",     "ring_p99_us"};
    std::array<std::vector<double>, names.size()> values;
    for (int round = 0; round < rounds; ++round) {
        for (const std::size_t ring : {std::size_t{0}, std::size_t{1}}) {
            const Bulk bulk = measure_bulk(ring != 0);
            const Echoes echoes = measure_echoes(ring != 0);
            const std::array measured{bulk.gbps, bulk.send_ns, bulk.receive_ns, echoes.p50_us,
                                      echoes.p99_us};
            for (std::size_t i = 0; i < measured.size(); ++i) {
                values[2 * i + ring].push_back(measured[i]);
            }
        }
    }
    std::printf("RESULT");
    for (std::size_t i = 0; i < names.size(); ++i) {
        std::printf(" %s=%.1f", names[i], median(values[i]));
    }
    std::puts("");
}
