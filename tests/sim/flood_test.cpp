// A flood of forged Initials beside a live transfer: what it costs the server is bounded, and the
// transfer does not notice.
#include <malloc.h>

#include <cstdio>

#include <gtest/gtest.h>

#include "sim/scenario.h"
#include "support/forged_initial.h"

namespace stoq::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Packet = std::vector<std::uint8_t>;

constexpr std::size_t kFlood = 100'000;
constexpr std::size_t kPerStep = 500;
constexpr std::size_t kHeapPerConnection = 200'000;
constexpr Duration kStep = milliseconds(20);

// The CRYPTO frames of a client that this library would be, one element a datagram.
std::vector<Packet> first_flight_frames(Instant now) {
    SeededRandom random(17);
    Endpoint client = std::move(Endpoint::create({}, random).value());
    EXPECT_TRUE(client.connect(client_config({}), now));
    std::vector<Packet> frames;
    std::vector<std::uint8_t> memory(1'500);
    TransmitSlot slot;
    slot.buffer = memory;
    while (client.transmit(slot, now)) {
        const Bytes sent = slot.buffer.first(slot.length);
        frames.push_back(test::initial_frames({sent.begin(), sent.end()}));
    }
    return frames;
}

// Datagrams of all kinds that somebody may send to a server's port without being a client, each
// from an address of its own.
class Forger {
public:
    Forger(std::uint64_t seed, Instant now) : random_(seed), hello_(first_flight_frames(now)) {}

    // One datagram, or as many as a ClientHello takes.
    std::vector<Datagram> next() {
        const std::size_t kind = count_++ % 10;
        const wire::ConnectionId destination = test::random_connection_id(random_);
        const wire::ConnectionId source = test::random_connection_id(random_);
        const Address address =
            host_address(static_cast<std::uint8_t>(100 + count_ % 150),
                         static_cast<std::uint16_t>(1'000 + (count_ / 150) % 60'000));
        std::vector<Datagram> datagrams;
        const auto add = [&](Packet bytes) {
            datagrams.push_back({std::move(bytes), address, server_address()});
        };
        if (kind < 3) {  // a whole ClientHello, whose parameters are those of another connection
            for (std::uint64_t i = 0; i < hello_.size(); ++i) {
                add(test::forge_initial({destination, source, i, hello_[i]}));
            }
            return datagrams;
        }
        const Packet half = test::forge_initial({destination, source, 0, hello_.front()});
        switch (kind) {
            case 3: add(half); break;
            case 4: add(replayed_.empty() ? half : replayed_); break;
            case 5: add(with_false_token(destination, source)); break;
            default: add(spoiled(half, kind));
        }
        if (kind == 3) replayed_ = half;
        return datagrams;
    }

private:
    Packet with_false_token(const wire::ConnectionId& destination,
                            const wire::ConnectionId& source) {
        constexpr std::array<std::uint8_t, 1> kPing{0x01};
        std::array<std::uint8_t, 30> token;
        random_.fill(token);
        return test::forge_initial({destination, source, 0, kPing, token});
    }
    Packet spoiled(Packet bytes, std::size_t kind) {
        constexpr std::size_t kHeader = 30;
        switch (kind) {
            case 6: bytes[kHeader + random_.next_uint64() % 1'170] ^= 0x10; break;
            case 7: random_.fill(Bytes(bytes).subspan(kHeader)); break;
            case 8: bytes.resize(random_.next_uint64() % bytes.size()); break;
            default: random_.fill(Bytes(bytes).subspan(1)); break;  // most likely another version
        }
        return bytes;
    }

    SeededRandom random_;
    std::vector<Packet> hello_;
    Packet replayed_;
    std::size_t count_ = 0;
};

struct Peaks {
    std::uint64_t connections = 0;
    std::uint64_t half_open = 0;
    std::uint64_t receive_budget = 0;
    std::size_t heap = 0;
    std::size_t flooded = 0;
};

// Bytes of the C library's heap in use, those of OpenSSL included; 0 under a sanitizer, which
// brings a heap of its own.
std::size_t heap_in_use() {
    return mallinfo2().uordblks;
}

// Sends the flood at 25 000 datagrams a second, looking at the server after each step.
Peaks flood(World& world, Forger& forger) {
    Peaks peaks;
    while (peaks.flooded < kFlood) {
        const Instant start = world.simulation().now();
        for (std::size_t sent = 0; sent < kPerStep;) {
            const Instant at = start + kStep * sent / kPerStep;
            for (Datagram& datagram : forger.next()) {
                world.simulation().inject(std::move(datagram), at);
                ++sent;
                ++peaks.flooded;
            }
        }
        world.simulation().run_for(kStep);
        const EndpointStatistics counts = world.server_host().endpoint().statistics();
        peaks.connections = std::max(peaks.connections, counts.connections_now);
        peaks.half_open = std::max(peaks.half_open, counts.half_open_now);
        peaks.receive_budget = std::max(peaks.receive_budget, counts.receive_budget_used);
        peaks.heap = std::max(peaks.heap, heap_in_use());
    }
    return peaks;
}

// 8 megabytes at 16 Mbit/s: four seconds, as long as the flood.
Scenario scenario_of(std::uint64_t seed) {
    Scenario scenario = plain_scenario(seed, 8'000'000);
    scenario.plan.streams[0].response = 100'000;
    scenario.up.bits_per_second = 16'000'000;
    scenario.up.queue_bytes = 100'000;
    scenario.server_endpoint.max_half_open = 200;
    return scenario;
}

TEST(SimFlood, AHundredThousandForgedInitialsLeaveMemoryBoundedAndALiveTransferExact) {
    constexpr std::uint64_t kSeed = 21;
    SCOPED_TRACE(testing::Message() << "seed " << kSeed);
    const Scenario scenario = scenario_of(kSeed);
    World world(scenario);
    world.start();
    ASSERT_TRUE(world.run([&] { return world.both_established(); })) << world.describe();
    Forger forger(kSeed, world.simulation().now());
    const std::size_t heap_before = heap_in_use();
    const Peaks peaks = flood(world, forger);
    EXPECT_GE(peaks.flooded, kFlood);
    EXPECT_FALSE(world.server().complete()) << "the flood came too late";

    // Half of the half-open limit is let in; from there on a Retry is asked for. Who is let in and
    // breaks the protocol keeps its place for the three probe timeouts of closing, and the next
    // takes it: twice in four seconds.
    const EndpointStatistics counts = world.server_host().endpoint().statistics();
    EXPECT_LE(peaks.half_open, 100u);
    EXPECT_LE(peaks.connections, 101u);
    EXPECT_LE(counts.connections_accepted, 201u);
    EXPECT_GE(counts.retries_sent, kFlood / 10);
    EXPECT_GE(counts.datagrams_dropped, kFlood / 8);
    EXPECT_LE(peaks.heap, heap_before + 101 * kHeapPerConnection);
    std::printf("connections %llu, accepted %llu, retries %llu, heap +%zu bytes\n",
                static_cast<unsigned long long>(peaks.connections),
                static_cast<unsigned long long>(counts.connections_accepted),
                static_cast<unsigned long long>(counts.retries_sent), peaks.heap - heap_before);
    // What windows promise: those of each connection that was let in, and no more.
    EXPECT_LE(peaks.receive_budget, 101 * scenario.server.max_connection_window);

    ASSERT_TRUE(world.run_transfer()) << world.describe();
    ASSERT_TRUE(world.run_close(42, "done")) << world.describe();
    world.simulation().run_for(seconds(120));
    const EndpointStatistics after = world.server_host().endpoint().statistics();
    EXPECT_EQ(after.connections_now, 0u);
    EXPECT_EQ(after.half_open_now, 0u);
    EXPECT_EQ(after.receive_budget_used, 0u);
}

}  // namespace
}  // namespace stoq::sim
