// Two ends of a link exchange trains through the UDP datapath; the far end echoes each train, the
// near end compares it. Started by udp_namespaces.sh, one end in each network namespace.
//
//     udp_exchange echo ADDRESS
//     udp_exchange send ADDRESS REMOTE MTU
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "io/clock.h"
#include "io/route_mtu.h"
#include "io/udp/udp_datapath.h"

namespace {

using namespace stoq;

constexpr Duration kPatience = std::chrono::seconds(10);
constexpr std::size_t kTrains = 20;
constexpr std::size_t kTrainDatagrams = 44;
constexpr std::uint8_t kHello = 1;
constexpr std::uint8_t kGoodbye = 2;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "udp_exchange: %s\n", what);
    std::exit(1);
}

std::unique_ptr<io::UdpDatapath> open_datapath(const char* text) {
    io::UdpSettings settings;
    settings.local = parse_address(text);
    auto datapath = io::UdpDatapath::create(settings);
    if (!datapath) fail(datapath.error().message().c_str());
    return std::move(*datapath);
}

std::vector<std::uint8_t> pattern(std::size_t length, std::size_t seed) {
    std::vector<std::uint8_t> bytes(length);
    for (std::size_t i = 0; i < length; ++i) {
        bytes[i] = static_cast<std::uint8_t>(i * 31 + i / 251 + seed * 97);
    }
    return bytes;
}

struct Peer {
    Address remote;
    Address local;
};

io::FlushOutcome send(io::UdpDatapath& datapath, const Peer& peer, ByteView bytes,
                      std::size_t datagram_length) {
    TransmitSlot* slot = datapath.transmit_slot();
    if (slot == nullptr) fail("no slot");
    std::copy(bytes.begin(), bytes.end(), slot->buffer.begin());
    slot->length = bytes.size();
    slot->datagram_length = datagram_length;
    slot->remote = peer.remote;
    slot->local = peer.local;
    slot->ecn = Ecn::kEct0;
    datapath.commit(*slot);
    return datapath.flush();
}

void send_word(io::UdpDatapath& datapath, const Peer& peer, std::uint8_t word) {
    (void)send(datapath, peer, ByteView(&word, 1), 1);
}

void say_counters(const char* end, const io::UdpDatapath& datapath) {
    const io::DatapathCounters& counters = datapath.counters();
    std::printf("  %s: %llu datagrams in %llu sends, %llu in %llu receives, %llu fallbacks\n", end,
                static_cast<unsigned long long>(counters.sent_datagrams),
                static_cast<unsigned long long>(counters.send_calls),
                static_cast<unsigned long long>(counters.received_datagrams),
                static_cast<unsigned long long>(counters.receive_calls),
                static_cast<unsigned long long>(counters.segmentation_fallbacks));
}

int echo(const char* local) {
    const auto datapath = open_datapath(local);
    std::vector<std::uint8_t> train;
    std::size_t datagrams = 0;
    std::size_t datagram_length = 0;
    const Instant end = io::now() + 3 * kPatience;
    while (io::now() < end) {
        datapath->wait(end - io::now(), nullptr);
        for (const ReceivedDatagram& datagram : datapath->receive_batch()) {
            const Peer peer{datagram.remote, datagram.local};
            if (datagram.data.size() == 1 && datagram.data[0] == kGoodbye) {
                say_counters("far end", *datapath);
                return 0;
            }
            if (datagram.data.size() == 1) {
                send_word(*datapath, peer, kHello);
                continue;
            }
            if (datagrams == 0) datagram_length = datagram.data.size();
            train.insert(train.end(), datagram.data.begin(), datagram.data.end());
            if (++datagrams < kTrainDatagrams) continue;
            (void)send(*datapath, peer, train, datagram_length);
            train.clear();
            datagrams = 0;
        }
        (void)datapath->path_errors();
    }
    fail("nobody said goodbye");
}

// The far end may start later than this one: until then nothing, or an ICMP error, comes back.
void greet(io::UdpDatapath& datapath, const Peer& peer) {
    const Instant end = io::now() + kPatience;
    while (io::now() < end) {
        send_word(datapath, peer, kHello);
        datapath.wait(std::chrono::milliseconds(50), nullptr);
        (void)datapath.path_errors();
        if (!datapath.receive_batch().empty()) return;
    }
    fail("the far end does not answer");
}

std::vector<std::uint8_t> receive_train(io::UdpDatapath& datapath) {
    std::vector<std::uint8_t> train;
    std::size_t datagrams = 0;
    const Instant end = io::now() + kPatience;
    while (datagrams < kTrainDatagrams && io::now() < end) {
        datapath.wait(end - io::now(), nullptr);
        for (const ReceivedDatagram& datagram : datapath.receive_batch()) {
            if (datagram.data.size() == 1) continue;  // the answer to a repeated greeting
            if (datagram.ecn != Ecn::kEct0) fail("the ECN mark is gone");
            train.insert(train.end(), datagram.data.begin(), datagram.data.end());
            ++datagrams;
        }
    }
    return train;
}

// A datagram that just does not fit must be refused here, and not blamed on segmentation.
void check_too_big(io::UdpDatapath& datapath, const Peer& peer, std::size_t fitting) {
    const auto too_big = pattern(2 * (fitting + 1), 0);
    const io::FlushOutcome outcome = send(datapath, peer, too_big, fitting + 1);
    if (outcome.sent_datagrams != 0 || outcome.failures.size() != 1 ||
        outcome.failures[0].error != std::errc::message_size) {
        fail("a datagram above the MTU was not refused");
    }
    if (datapath.counters().segmentation_fallbacks != 0) fail("segmentation was blamed");
    if (datapath.path_errors().empty()) fail("the MTU was not reported");
}

int exchange(const char* local, const char* remote, std::size_t mtu) {
    const auto datapath = open_datapath(local);
    const Peer peer{parse_address(remote), Address{}};
    if (io::route_mtu(peer.remote) != mtu) fail("the route's MTU is not the interface's");
    const bool ipv4 = peer.remote.family == Address::Family::kIpv4;
    const std::size_t fitting = mtu - (ipv4 ? 28 : 48);
    greet(*datapath, peer);
    for (std::size_t i = 0; i < kTrains; ++i) {
        const auto train = pattern(kTrainDatagrams * fitting - i, i);
        if (send(*datapath, peer, train, fitting).sent_datagrams != kTrainDatagrams) {
            fail("a train was not sent whole");
        }
        if (receive_train(*datapath) != train) fail("a train came back damaged or not at all");
    }
    check_too_big(*datapath, peer, fitting);
    send_word(*datapath, peer, kGoodbye);
    say_counters("near end", *datapath);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view role = argc > 1 ? argv[1] : "";
    if (role == "echo" && argc == 3) return echo(argv[2]);
    if (role == "send" && argc == 5) {
        return exchange(argv[2], argv[3], static_cast<std::size_t>(std::atoi(argv[4])));
    }
    fail("echo ADDRESS | send ADDRESS REMOTE MTU");
}
