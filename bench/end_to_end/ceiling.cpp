#include "ceiling.h"

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <vector>

#include "io/clock.h"
#include "process.h"
#include "protection/open.h"
#include "protection/seal.h"

namespace stoq::bench {
namespace {

constexpr int kSocketBuffer = 16 << 20;
constexpr std::size_t kHeader = 13;
constexpr std::uint32_t kNumberOffset = 9;
constexpr double kBits = 8.0 * kDatagram;

// --- UDP without a protocol ---

struct UdpFigures {
    std::atomic<bool> done{false};
    double received = 0;  // bytes
    double receive_ns = 0;
};

int open_socket(int level, int option, int value) {
    const int descriptor = ::socket(AF_INET, SOCK_DGRAM, 0);
    const int size = kSocketBuffer;
    for (const int name : {SO_RCVBUF, SO_SNDBUF, SO_RCVBUFFORCE, SO_SNDBUFFORCE}) {
        (void)::setsockopt(descriptor, SOL_SOCKET, name, &size, sizeof size);
    }
    if (::setsockopt(descriptor, level, option, &value, sizeof value) != 0) {
        std::fprintf(stderr, "end_to_end_bench: no UDP offload %d\n", option);
    }
    return descriptor;
}

sockaddr_in bind_to_loopback(int descriptor) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(descriptor, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        give_up("cannot bind to 127.0.0.1");
    }
    return address;
}

void receive_raw(int descriptor, UdpFigures& figures) {
    pin_to_core(0);
    const timeval timeout{.tv_sec = 0, .tv_usec = 50'000};
    (void)::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    std::vector<std::uint8_t> buffer(65'536);
    const double begin = processor_nanoseconds();
    while (!figures.done) {
        const ssize_t length = ::recv(descriptor, buffer.data(), buffer.size(), 0);
        if (length > 0) figures.received += static_cast<double>(length);
    }
    figures.receive_ns = processor_nanoseconds() - begin;
}

// Returns how many bytes went out.
double send_raw(int descriptor, Duration span) {
    const std::vector<std::uint8_t> train(kDatagram * kTrain, 'x');
    double sent = 0;
    for (const Instant end = io::now() + span; io::now() < end;) {
        const ssize_t length = ::send(descriptor, train.data(), train.size(), 0);
        if (length > 0) sent += static_cast<double>(length);
    }
    return sent;
}

void measure_udp(Ceiling& ceiling, Duration span) {
    auto& figures = make_shared_value<UdpFigures>();
    const int receiver = open_socket(SOL_UDP, UDP_GRO, 1);
    const int sender = open_socket(SOL_UDP, UDP_SEGMENT, kDatagram);
    const sockaddr_in address = bind_to_loopback(receiver);
    if (::connect(sender, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        give_up("cannot connect over loopback");
    }
    const pid_t child = fork_process([&] { receive_raw(receiver, figures); });
    pin_to_core(1);
    const double begin = processor_nanoseconds();
    const double sent = send_raw(sender, span);
    const double send_ns = processor_nanoseconds() - begin;
    figures.done = true;
    if (!join_process(child)) give_up("the receiver of raw UDP failed");
    ::close(receiver);
    ::close(sender);
    const double seconds = std::chrono::duration<double>(span).count();
    ceiling.udp_gbps = figures.received * 8e-9 / seconds;
    ceiling.udp_send_ns = send_ns * kDatagram / sent;
    ceiling.udp_receive_ns = figures.receive_ns * kDatagram / figures.received;
    ::munmap(&figures, sizeof figures);
}

// --- Packet protection without anything else ---

struct Packets {
    Packets() : bytes(kDatagram * kTrain, 0x71), open(kTrain) {
        for (std::size_t i = 0; i < kTrain; ++i) {
            seal.push_back({.packet = bytes.data() + i * kDatagram,
                            .packet_number_offset = kNumberOffset,
                            .plaintext_end = kDatagram - crypto::kTagSize,
                            .packet_number_length = kHeader - kNumberOffset,
                            .packet_number = PacketNumber(i)});
        }
    }

    void arrive() {
        for (std::size_t i = 0; i < kTrain; ++i) {
            open[i] = protection::PacketToOpen{};
            open[i].packet = Bytes(bytes).subspan(i * kDatagram, kDatagram);
            open[i].packet_number_offset = kNumberOffset;
            open[i].type = wire::PacketType::kOneRtt;
        }
    }

    void write_headers() {
        for (std::size_t i = 0; i < kTrain; ++i) bytes[i * kDatagram] = 0x43;
    }

    std::vector<std::uint8_t> bytes;
    std::vector<protection::PacketToSeal> seal;
    std::vector<protection::PacketToOpen> open;
};

protection::PacketKeys make_keys(crypto::Direction direction) {
    return protection::make_packet_keys(
        {.suite = crypto::CipherSuite::kAes128GcmSha256, .backend = crypto::Backend::kAutomatic},
        direction, crypto::Secret::of_size(32));
}

// Nanoseconds of processor time that one of the packets `work` handles at a time takes.
template <typename Work>
double nanoseconds_per_packet(Duration span, const Work& work) {
    std::size_t packets = 0;
    const double begin = processor_nanoseconds();
    for (const Instant end = io::now() + span; io::now() < end; packets += 16 * kTrain) {
        for (int i = 0; i < 16; ++i) work();
    }
    return (processor_nanoseconds() - begin) / static_cast<double>(packets);
}

double measure_aead(Duration span) {
    Packets packets;
    std::vector<crypto::SealRequest> requests;
    for (const protection::PacketToSeal& packet : packets.seal) {
        requests.push_back({{packet.packet, kHeader},
                            {packet.packet + kHeader, kDatagram - kHeader - crypto::kTagSize},
                            packet.packet + kHeader,
                            crypto::Nonce{}});
    }
    const std::vector<std::uint8_t> key(16, 1);
    const auto aead = crypto::make_aead(crypto::CipherSuite::kAes128GcmSha256,
                                        crypto::Direction::kSeal, key, crypto::Backend::kAutomatic);
    return nanoseconds_per_packet(span, [&] { aead->seal(requests); });
}

double measure_seal(Duration span) {
    Packets packets;
    auto keys = make_keys(crypto::Direction::kSeal);
    return nanoseconds_per_packet(span, [&] {
        packets.write_headers();
        protection::seal(keys, packets.seal);
    });
}

// What is opened is noise: a failed tag costs what a good one does.
double measure_open(Duration span) {
    Packets packets;
    auto keys = make_keys(crypto::Direction::kOpen);
    return nanoseconds_per_packet(span, [&] {
        packets.write_headers();
        packets.arrive();
        protection::remove_header_protection(*keys.header, packets.open);
        protection::expand_packet_numbers(packets.open, PacketNumber(0));
        protection::open(keys.payload, packets.open);
    });
}

}  // namespace

Ceiling measure_ceiling(Duration span) {
    Ceiling ceiling;
    measure_udp(ceiling, span);
    ceiling.aead_gbps = kBits / measure_aead(span / 4);
    ceiling.seal_ns = measure_seal(span / 4);
    ceiling.open_ns = measure_open(span / 4);
    return ceiling;
}

Ceiling mean(const Ceiling& one, const Ceiling& other) {
    return {.udp_gbps = (one.udp_gbps + other.udp_gbps) / 2,
            .udp_send_ns = (one.udp_send_ns + other.udp_send_ns) / 2,
            .udp_receive_ns = (one.udp_receive_ns + other.udp_receive_ns) / 2,
            .aead_gbps = (one.aead_gbps + other.aead_gbps) / 2,
            .seal_ns = (one.seal_ns + other.seal_ns) / 2,
            .open_ns = (one.open_ns + other.open_ns) / 2};
}

}  // namespace stoq::bench
