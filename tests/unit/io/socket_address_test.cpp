#include "io/socket_address.h"

#include <gtest/gtest.h>

namespace stoq::io {
namespace {

struct Case {
    const char* text;
    int socket_family;
    int written_family;  // AF_UNSPEC: cannot be expressed
};

class SocketAddressTest : public testing::TestWithParam<Case> {};

TEST_P(SocketAddressTest, ComesBackAsItWent) {
    const Address address = parse_address(GetParam().text);
    SocketAddress written{};
    const socklen_t length = to_socket_address(address, GetParam().socket_family, written);
    if (GetParam().written_family == AF_UNSPEC) {
        EXPECT_EQ(length, 0u);
        return;
    }
    EXPECT_EQ(length,
              GetParam().written_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    EXPECT_EQ(written.any.sa_family, GetParam().written_family);
    EXPECT_EQ(from_socket_address(written), address);
}

INSTANTIATE_TEST_SUITE_P(Families, SocketAddressTest,
                         testing::Values(Case{"192.0.2.7:443", AF_INET, AF_INET},
                                         Case{"192.0.2.7:443", AF_INET6, AF_INET6},
                                         Case{"[2001:db8::1]:65535", AF_INET6, AF_INET6},
                                         Case{"[fe80::1%3]:1", AF_INET6, AF_INET6},
                                         Case{"[2001:db8::1]:443", AF_INET, AF_UNSPEC},
                                         Case{"no address", AF_INET6, AF_UNSPEC}));

TEST(SocketAddress, Ipv4OnAnIpv6SocketIsWrittenMapped) {
    SocketAddress written{};
    to_socket_address(parse_address("192.0.2.7:443"), AF_INET6, written);
    EXPECT_TRUE(IN6_IS_ADDR_V4MAPPED(&written.ipv6.sin6_addr));
    EXPECT_EQ(written.ipv6.sin6_addr.s6_addr[15], 7);
}

TEST(SocketAddress, OtherFamiliesAreNoAddress) {
    SocketAddress unix_socket{};
    unix_socket.any.sa_family = AF_UNIX;
    EXPECT_EQ(from_socket_address(unix_socket), Address{});
}

}  // namespace
}  // namespace stoq::io
