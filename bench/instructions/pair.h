// Two endpoints in one process, with a clock of their own and no sockets: every run executes the
// same instructions. tools/dev/check-instructions counts them under callgrind.
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "stoq/endpoint.h"

namespace stoq::bench {

inline constexpr std::uint16_t kDatagram = 1452;
inline constexpr std::size_t kTrainsPerTurn = 4;
inline constexpr Duration kTurn = std::chrono::microseconds(50);
inline constexpr std::uint64_t kWarmUp = 20'000;
inline constexpr int kTurnsAtMost = 1'000'000;

[[noreturn]] inline void give_up(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::_Exit(1);
}

// What one end has sent and the other has not received yet.
struct Trains {
    std::array<std::vector<std::uint8_t>, kTrainsPerTurn> memory;
    std::vector<ReceivedDatagram> datagrams;
};

struct End {
    End(std::uint64_t seed, const char* address)
        : random(seed), own_address(parse_address(address)), endpoint(make_endpoint(random)) {
        for (auto& train : outgoing.memory) train.resize(65'507);
        outgoing.datagrams.reserve(kTrainsPerTurn * 64);
    }

    static Endpoint make_endpoint(RandomSource& random) {
        auto made = Endpoint::create({}, random);
        if (!made) give_up("no endpoint");
        return std::move(*made);
    }

    void receive(Trains& incoming, Instant now) {
        if (!incoming.datagrams.empty()) endpoint.receive(incoming.datagrams, now);
        if (endpoint.next_timeout() <= now) endpoint.on_timeout(now);
    }

    void transmit(Instant now) {
        endpoint.settle();
        outgoing.datagrams.clear();
        for (auto& memory : outgoing.memory) {
            TransmitSlot slot;
            slot.buffer = memory;
            slot.max_datagrams = 64;
            if (!endpoint.transmit(slot, now)) return;
            for (std::size_t at = 0; at < slot.length; at += slot.datagram_length) {
                const std::size_t length = std::min(slot.datagram_length, slot.length - at);
                outgoing.datagrams.push_back({.data = slot.buffer.subspan(at, length),
                                              .local = slot.remote,
                                              .remote = own_address,
                                              .ecn = slot.ecn});
            }
        }
    }

    SeededRandom random;
    Address own_address;
    Endpoint endpoint;
    Trains outgoing;
};

struct Pair {
    explicit Pair(const Settings& settings) {
        auto pem = generate_identity({.names = {"localhost"}});
        if (!pem) give_up("no identity");
        auto identity = Identity::from_pem(pem->certificate(), pem->key());
        if (!identity) give_up("no identity");
        ServerConfig server_config;
        server_config.credentials.identities = {*identity};
        server_config.credentials.alpn = {"bench"};
        server_config.credentials.cipher_suites = {true, false, false};
        server_config.settings = settings;
        if (!server.endpoint.listen(server_config)) give_up("cannot listen");
        auto trust = Trust::ca_pem(pem->certificate());
        if (!trust) give_up("no trust");
        auto credentials = std::make_shared<Credentials>();
        credentials->trust = *trust;
        credentials->alpn = {"bench"};
        credentials->cipher_suites = {true, false, false};
        ClientConfig client_config;
        client_config.remote = server.own_address;
        client_config.server_name = "localhost";
        client_config.credentials = credentials;
        client_config.settings = settings;
        auto made = client.endpoint.connect(client_config, now);
        if (!made) give_up("cannot connect");
        connection = *made;
    }

    End client{1, "127.0.0.1:1001"};
    End server{2, "127.0.0.1:1002"};
    ConnectionHandle connection;  // of the client
    Instant now{std::chrono::seconds(1)};
};

// Runs turns of `transfer` until its count() has grown by `count`, after a warm-up: those that are
// counted by the functions that are given.
template <typename Transfer>
void run(Transfer& transfer, std::uint64_t count, void (*counted_client_turn)(Transfer&),
         void (*counted_server_turn)(Transfer&)) {
    int turns = 0;
    for (; transfer.count() < kWarmUp && turns < kTurnsAtMost; ++turns) {
        transfer.client_turn();
        transfer.server_turn();
        transfer.ends.now += kTurn;
    }
    const std::uint64_t first = transfer.count();
    for (; transfer.count() < first + count && turns < kTurnsAtMost; ++turns) {
        counted_client_turn(transfer);
        counted_server_turn(transfer);
        transfer.ends.now += kTurn;
    }
    if (turns == kTurnsAtMost) give_up("no progress");
    const auto statistics = transfer.ends.client.endpoint.statistics(transfer.ends.connection);
    if (!statistics || statistics->packets_lost != 0) give_up("packets were lost");
    std::printf("count=%llu\n", static_cast<unsigned long long>(transfer.count() - first));
}

// How many the command line asks for.
inline std::uint64_t wanted_count(int argc, char** argv) {
    const int count = argc > 1 ? std::atoi(argv[1]) : 20'000;
    if (count < 1) give_up("how many: 1 or more");
    return static_cast<std::uint64_t>(count);
}

}  // namespace stoq::bench
