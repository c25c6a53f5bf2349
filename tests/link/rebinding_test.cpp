#include "rebinding.h"

#include <optional>
#include <set>

#include <gtest/gtest.h>

#include "packets.h"

namespace stoq::link {
namespace {

const Socket kServer = ipv4_socket(2, 443);

// What the server sees as the source of a datagram of `client`.
Socket seen(Rebinding& nat, const Socket& client) {
    Packet packet = udp_packet(client, client.ipv6 ? ipv6_socket(2, 443) : kServer, {1});
    auto view = UdpView::find(packet);
    EXPECT_TRUE(nat.translate(*view, Direction::kToServer));
    return view->source();
}

// Who gets what the server sends to `outer`.
std::optional<Socket> reached(Rebinding& nat, const Socket& outer) {
    Packet packet = udp_packet(outer.ipv6 ? ipv6_socket(2, 443) : kServer, outer, {1});
    auto view = UdpView::find(packet);
    if (!nat.translate(*view, Direction::kToClient)) return std::nullopt;
    return view->destination();
}

TEST(LinkRebinding, BeforeTheFirst_AddressesAreTheClients) {
    Rebinding nat(true, 1);
    const Socket client = ipv4_socket(1, 5000);
    EXPECT_FALSE(reached(nat, client)) << "nobody has asked for anything";
    EXPECT_EQ(seen(nat, client), client);
    EXPECT_EQ(reached(nat, client), client);
}

TEST(LinkRebinding, EachTime_ThePortIsNewAndTheOldOneLeadsNowhere) {
    for (const Socket& client : {ipv4_socket(1, 5000), ipv6_socket(1, 5000)}) {
        Rebinding nat(false, 4);
        Socket old = seen(nat, client);
        for (int i = 0; i < 100; ++i) {
            nat.rebind();
            const Socket outer = seen(nat, client);
            EXPECT_NE(outer.port, old.port);
            EXPECT_EQ(outer.ip, client.ip);
            EXPECT_EQ(reached(nat, outer), client);
            EXPECT_FALSE(reached(nat, old));
            old = outer;
        }
    }
}

TEST(LinkRebinding, WithAddresses_TheHostChangesWithinItsNetwork) {
    Rebinding nat(true, 9);
    const Socket client = ipv4_socket(1, 5000);
    Socket old = seen(nat, client);
    std::set<std::uint8_t> hosts;
    for (int i = 0; i < 100; ++i) {
        nat.rebind();
        const Socket outer = seen(nat, client);
        EXPECT_NE(outer.ip, old.ip);
        EXPECT_NE(outer.ip, client.ip);
        EXPECT_EQ(outer.ip[2], client.ip[2]);
        hosts.insert(outer.ip[3]);
        EXPECT_EQ(reached(nat, outer), client);
        old = outer;
    }
    EXPECT_GT(hosts.size(), 50U);
    EXPECT_FALSE(hosts.contains(0));
    EXPECT_FALSE(hosts.contains(255));
}

TEST(LinkRebinding, SeveralSockets_KeepApart) {
    Rebinding nat(false, 2);
    const Socket one = ipv4_socket(1, 5000), other = ipv4_socket(1, 5001);
    seen(nat, one);
    seen(nat, other);
    nat.rebind();
    EXPECT_NE(seen(nat, one), seen(nat, other));
    EXPECT_EQ(reached(nat, seen(nat, one)), one);
    EXPECT_EQ(reached(nat, seen(nat, other)), other);
}

TEST(LinkRebinding, BindingsAreBounded) {
    Rebinding nat(false, 2);
    int refused = 0;
    for (std::uint16_t port = 1; port <= 2000; ++port) {
        Packet packet = udp_packet(ipv4_socket(1, port), kServer, {1});
        auto view = UdpView::find(packet);
        if (!nat.translate(*view, Direction::kToServer)) ++refused;
    }
    EXPECT_EQ(refused, 2000 - 1024);
}

}  // namespace
}  // namespace stoq::link
