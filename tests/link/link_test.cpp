#include "link.h"

#include <vector>

#include <gtest/gtest.h>

#include "packets.h"

namespace stoq::link {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kStart = Instant(seconds(1000));

struct Arrival {
    Instant time;
    Delivery delivery;
};

// Lets time run until nothing is under way.
std::vector<Arrival> run_dry(Link& link) {
    std::vector<Arrival> arrivals;
    while (link.next_event() != kNever) {
        const Instant now = link.next_event();
        while (auto delivery = link.take(now)) arrivals.push_back({now, std::move(*delivery)});
    }
    return arrivals;
}

// A datagram each `interval`, both ways, for a while; what came out, with times.
std::vector<Arrival> exchange(Link& link, Duration interval, Duration length) {
    std::vector<Arrival> arrivals;
    for (Instant now = kStart; now < kStart + length; now += interval) {
        link.offer(Direction::kToServer, client_datagram(100), now);
        link.offer(Direction::kToClient, server_datagram(100), now);
        while (auto delivery = link.take(now)) arrivals.push_back({now, std::move(*delivery)});
    }
    const auto rest = run_dry(link);
    arrivals.insert(arrivals.end(), rest.begin(), rest.end());
    return arrivals;
}

TEST(Link, WithDefaults_PassesEverythingUnchangedAtOnce) {
    Link link(LinkSettings{});
    link.offer(Direction::kToServer, client_datagram(10), kStart);
    const auto delivery = link.take(kStart);
    ASSERT_TRUE(delivery);
    EXPECT_EQ(delivery->direction, Direction::kToServer);
    EXPECT_EQ(delivery->packet, client_datagram(10));
    EXPECT_EQ(link.next_event(), kNever);
}

TEST(Link, BothDirections_HaveTheirOwnQueueAndCounters) {
    LinkSettings settings;
    settings.bits_per_second = 1'000'000;
    settings.queue_packets = 1;
    Link link(settings);
    for (int i = 0; i < 4; ++i) link.offer(Direction::kToServer, client_datagram(100), kStart);
    link.offer(Direction::kToClient, server_datagram(100), kStart);
    EXPECT_EQ(run_dry(link).size(), 3U);
    const Counters& up = link.counters(Direction::kToServer);
    const Counters& down = link.counters(Direction::kToClient);
    EXPECT_EQ(up.offered, 4U);
    EXPECT_EQ(up.queue_drops, 2U);
    EXPECT_EQ(up.delivered, 2U);
    EXPECT_EQ(up.delivered_bytes, 2U * 128U);
    EXPECT_EQ(down.delivered, 1U);
    EXPECT_EQ(down.queue_drops, 0U);
}

TEST(Link, ABlackhole_SwallowsBothDirectionsForItsTimeAndAsOftenAsAsked) {
    LinkSettings settings;
    settings.on = seconds(5);
    settings.off = seconds(2);
    settings.repeat = 2;
    Link link(settings);
    std::uint64_t in_hole = 0;
    for (const Arrival& arrival : exchange(link, milliseconds(100), seconds(30))) {
        const Duration time = arrival.time - kStart;
        if ((time >= seconds(5) && time < seconds(7)) ||
            (time >= seconds(12) && time < seconds(14)))
            ++in_hole;
    }
    EXPECT_EQ(in_hole, 0U);
    for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
        EXPECT_EQ(link.counters(direction).blackhole_drops, 2U * 20U);
        EXPECT_EQ(link.counters(direction).delivered, 300U - 40U);
    }
}

TEST(Link, Time_CountsFromTheFirstDatagram) {
    LinkSettings settings;
    settings.on = seconds(1);
    settings.off = seconds(1);
    Link link(settings);
    Packet neighbour_discovery = udp_packet(ipv6_socket(1, 1), ipv6_socket(2, 2), {1, 2, 3});
    neighbour_discovery[6] = 58;
    link.offer(Direction::kToServer, neighbour_discovery, kStart);
    link.offer(Direction::kToServer, client_datagram(10), kStart + seconds(60));
    link.offer(Direction::kToServer, client_datagram(10),
               kStart + seconds(60) + milliseconds(1500));
    link.offer(Direction::kToServer, client_datagram(10), kStart + seconds(63));
    EXPECT_EQ(run_dry(link).size(), 3U);
    EXPECT_EQ(link.counters(Direction::kToServer).blackhole_drops, 1U);
}

TEST(Link, Rebinding_ChangesThePortAtItsTimes) {
    LinkSettings settings;
    settings.first_rebind = seconds(1);
    settings.rebind_interval = seconds(5);
    Link link(settings);
    std::vector<Duration> changes;
    std::uint16_t port = 5000;
    for (Arrival& arrival : exchange(link, milliseconds(100), seconds(12))) {
        const auto view = UdpView::find(arrival.delivery.packet);
        ASSERT_TRUE(view);
        if (arrival.delivery.direction == Direction::kToClient) continue;
        if (view->source().port == port) continue;
        port = view->source().port;
        changes.push_back(arrival.time - kStart);
    }
    EXPECT_EQ(changes, (std::vector<Duration>{seconds(1), seconds(6), seconds(11)}));
    EXPECT_EQ(link.rebinds(), 3U);
    // The server of this test goes on sending to port 5000.
    EXPECT_EQ(link.counters(Direction::kToClient).binding_drops, 110U);
    EXPECT_EQ(link.counters(Direction::kToClient).delivered, 10U);
}

TEST(Link, WithoutAnInterval_RebindsOnce) {
    LinkSettings settings;
    settings.first_rebind = seconds(1);
    Link link(settings);
    (void)exchange(link, milliseconds(100), seconds(12));
    EXPECT_EQ(link.rebinds(), 1U);
}

TEST(Link, PacketsThatAreNotUdp_PassEveryKindOfError) {
    LinkSettings settings;
    settings.first_rebind = seconds(1);
    for (DirectionSettings& direction : settings.directions) {
        direction.drop.percent = 100;
        direction.corrupt.percent = 100;
        direction.drops = {1, 2, 3};
    }
    Link link(settings);
    Packet tcp = client_datagram(100);
    tcp[9] = 6;
    for (int i = 0; i < 10; ++i) link.offer(Direction::kToServer, tcp, kStart + i * seconds(1));
    const auto arrivals = run_dry(link);
    ASSERT_EQ(arrivals.size(), 10U);
    for (const Arrival& arrival : arrivals) EXPECT_EQ(arrival.delivery.packet, tcp);
}

TEST(Link, TheSameSeed_GivesTheSameRun) {
    LinkSettings settings;
    settings.delay = milliseconds(15);
    settings.bits_per_second = 10'000'000;
    settings.first_rebind = seconds(1);
    settings.rebind_interval = milliseconds(700);
    settings.rebind_address = true;
    for (DirectionSettings& direction : settings.directions) {
        direction.drop = {20, 3};
        direction.corrupt = {20, 3};
    }
    const auto run = [&settings](std::uint64_t seed) {
        settings.seed = seed;
        Link link(settings);
        std::vector<std::pair<Instant, Packet>> seen;
        for (Arrival& arrival : exchange(link, milliseconds(10), seconds(5)))
            seen.emplace_back(arrival.time, std::move(arrival.delivery.packet));
        return seen;
    };
    EXPECT_EQ(run(11), run(11));
    EXPECT_NE(run(11), run(12));
}

}  // namespace
}  // namespace stoq::link
