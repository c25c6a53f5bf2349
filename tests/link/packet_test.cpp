#include "packet.h"

#include <gtest/gtest.h>

#include "packets.h"

namespace stoq::link {
namespace {

std::uint16_t sum_of(ByteView bytes, std::uint64_t start = 0) {
    for (std::size_t i = 0; i < bytes.size(); ++i)
        start += std::uint64_t{bytes[i]} << (i % 2 == 0 ? 8 : 0);
    while (start >> 16 != 0) start = (start & 0xffff) + (start >> 16);
    return static_cast<std::uint16_t>(start);
}

// RFC 1071: the sum over everything, its own field included, is all ones.
void expect_valid_checksums(const Packet& packet, bool ipv6) {
    const ByteView bytes(packet);
    const std::size_t header = ipv6 ? 40 : 20;
    if (!ipv6) {
        EXPECT_EQ(sum_of(bytes.first(20)), 0xffff);
    }
    const ByteView addresses = ipv6 ? bytes.subspan(8, 32) : bytes.subspan(12, 8);
    const std::uint64_t pseudo_header = sum_of(addresses) + 17 + (packet.size() - header);
    EXPECT_EQ(sum_of(bytes.subspan(header), pseudo_header), 0xffff);
}

TEST(LinkPacket, UdpOfBothFamilies_IsFoundWithItsSocketsAndPayload) {
    for (const bool ipv6 : {false, true}) {
        const Socket from = ipv6 ? ipv6_socket(1, 5000) : ipv4_socket(1, 5000);
        const Socket to = ipv6 ? ipv6_socket(2, 443) : ipv4_socket(2, 443);
        Packet packet = udp_packet(from, to, {1, 2, 3});
        const auto view = UdpView::find(packet);
        ASSERT_TRUE(view);
        EXPECT_EQ(view->source(), from);
        EXPECT_EQ(view->destination(), to);
        EXPECT_EQ(std::vector(view->payload().begin(), view->payload().end()),
                  (std::vector<std::uint8_t>{1, 2, 3}));
        expect_valid_checksums(packet, ipv6);
    }
}

TEST(LinkPacket, RewrittenSockets_HaveValidChecksums) {
    for (const std::size_t length : {0U, 1U, 2U, 1201U}) {
        Packet packet = client_datagram(length);
        auto view = UdpView::find(packet);
        ASSERT_TRUE(view);
        view->set_source(ipv4_socket(77, 65535));
        view->fix_checksums();
        EXPECT_EQ(UdpView::find(packet)->source(), ipv4_socket(77, 65535));
        expect_valid_checksums(packet, false);
    }
}

TEST(LinkPacket, AnythingElse_IsLeftAlone) {
    Packet tcp = client_datagram(20);
    tcp[9] = 6;
    Packet fragment = client_datagram(20);
    fragment[6] = 0x20;
    Packet later_fragment = client_datagram(20);
    later_fragment[7] = 1;
    Packet claims_too_much = client_datagram(20);
    claims_too_much[25] = 29;
    Packet claims_too_little = client_datagram(20);
    claims_too_little[25] = 7;
    Packet truncated = client_datagram(20);
    truncated.resize(27);
    Packet long_header = client_datagram(0);
    long_header[0] = 0x4f;
    for (Packet packet : {tcp, fragment, later_fragment, claims_too_much, claims_too_little,
                          truncated, long_header, Packet{}, Packet(19, 0x45), Packet(39, 0x60)})
        EXPECT_FALSE(UdpView::find(packet));
}

TEST(LinkPacket, DoNotFragment_IsNoFragment) {
    Packet packet = client_datagram(20);
    packet[6] = 0x40;
    EXPECT_TRUE(UdpView::find(packet));
}

TEST(LinkPacket, VersionNegotiation_IsALongHeaderWithVersionZero) {
    const std::vector<std::uint8_t> negotiation = {0x80, 0, 0, 0, 0, 8};
    const std::vector<std::uint8_t> initial = {0xc0, 0, 0, 0, 1, 8};
    const std::vector<std::uint8_t> one_rtt = {0x40, 0, 0, 0, 0, 8};
    EXPECT_TRUE(is_version_negotiation(negotiation));
    EXPECT_FALSE(is_version_negotiation(initial));
    EXPECT_FALSE(is_version_negotiation(one_rtt));
    EXPECT_FALSE(is_version_negotiation(ByteView(negotiation).first(4)));
}

}  // namespace
}  // namespace stoq::link
