#include <gtest/gtest.h>

#include "stoq/types.h"

namespace stoq {
namespace {

struct Good {
    const char* text;
    const char* printed;
    Address::Family family;
    std::uint16_t port;
};

class GoodAddress : public testing::TestWithParam<Good> {};

TEST_P(GoodAddress, IsParsedAndPrintedInItsShortestForm) {
    const Address address = parse_address(GetParam().text);
    EXPECT_EQ(address.family, GetParam().family);
    EXPECT_EQ(address.port, GetParam().port);
    EXPECT_EQ(to_string(address), GetParam().printed);
    EXPECT_EQ(parse_address(to_string(address)), address);
}

constexpr auto kIpv4 = Address::Family::kIpv4;
constexpr auto kIpv6 = Address::Family::kIpv6;

INSTANTIATE_TEST_SUITE_P(
    Texts, GoodAddress,
    testing::Values(Good{"192.0.2.1:443", "192.0.2.1:443", kIpv4, 443},
                    Good{"0.0.0.0:0", "0.0.0.0:0", kIpv4, 0},
                    Good{"255.255.255.255:65535", "255.255.255.255:65535", kIpv4, 65535},
                    Good{"[::]:1", "[::]:1", kIpv6, 1},
                    Good{"[::1]:4433", "[::1]:4433", kIpv6, 4433},
                    Good{"[2001:DB8:0:0:0:0:0:1]:443", "[2001:db8::1]:443", kIpv6, 443},
                    Good{"[1:2:3:4:5:6:7:8]:443", "[1:2:3:4:5:6:7:8]:443", kIpv6, 443},
                    Good{"[fe80::1%2]:443", "[fe80::1%2]:443", kIpv6, 443},
                    Good{"[::ffff:192.0.2.1]:443", "192.0.2.1:443", kIpv4, 443}));

class BadAddress : public testing::TestWithParam<const char*> {};

TEST_P(BadAddress, IsRefused) {
    EXPECT_EQ(parse_address(GetParam()), Address{});
}

INSTANTIATE_TEST_SUITE_P(
    Texts, BadAddress,
    testing::Values("", ":", ":443", "192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:-1",
                    "192.0.2.1:+1", "192.0.2.1: 443", "192.0.2.1:443 ", " 192.0.2.1:443",
                    "192.0.2.1:0443", "192.0.2.1:4a", "192.0.2.1:99999999999", "192.0.2:443",
                    "192.0.2.256:443", "192.0.2.01:443", "192.0.2.1.5:443", "localhost:443",
                    "::1:443", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]443", "[::1:443",
                    "::1]:443", "[]:443", "[::1]]:443", "[[::1]]:443", "[:::1]:443", "[12345::]:1",
                    "[1:2:3:4:5:6:7]:443", "[fe80::1%]:443", "[fe80::1%eth0]:443",
                    "[fe80::1%4294967296]:443", "[fe80::1%-1]:443", "[192.0.2.1]:443",
                    "[::ffff:192.0.2.1%3]:443", "none",
                    "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb]:443"));

TEST(Address, ZeroByteDoesNotHideWhatFollows) {
    EXPECT_EQ(parse_address(std::string_view("192.0.2.1\0x:443", 15)), Address{});
}

TEST(Address, EmptyOneIsPrintedAsNone) {
    EXPECT_EQ(to_string(Address{}), "none");
}

TEST(Address, BytesAreInNetworkOrderAndAsManyAsTheFamilyHas) {
    const Address ipv4 = parse_address("192.0.2.1:443");
    EXPECT_EQ(ipv4.ip_bytes().size(), 4u);
    EXPECT_EQ(ipv4.ip[0], 192);
    EXPECT_EQ(ipv4.ip[3], 1);
    const Address ipv6 = parse_address("[2001:db8::7%9]:443");
    EXPECT_EQ(ipv6.ip_bytes().size(), 16u);
    EXPECT_EQ(ipv6.ip[0], 0x20);
    EXPECT_EQ(ipv6.ip[15], 7);
    EXPECT_EQ(ipv6.scope_id, 9u);
    EXPECT_TRUE(Address{}.ip_bytes().empty());
}

}  // namespace
}  // namespace stoq
