#include "io/route_mtu.h"

#include "unit/io/udp_test_support.h"

namespace stoq::io {
namespace {

using namespace test;

TEST(RouteMtu, LoopbackTellsItsMtu) {
    const auto mtu = route_mtu(address("127.0.0.1:0"));
    ASSERT_TRUE(mtu.has_value());
    EXPECT_GE(*mtu, 1280u);
    EXPECT_LE(*mtu, 65'536u);
}

TEST(RouteMtu, Ipv6LoopbackTellsItsMtu) {
    if (!host_has_ipv6()) GTEST_SKIP() << "this host has no IPv6";
    const auto mtu = route_mtu(address("[::1]:443"));
    ASSERT_TRUE(mtu.has_value());
    EXPECT_GE(*mtu, 1280u);
}

TEST(RouteMtu, WhatIsNoAddressHasNoRoute) {
    EXPECT_FALSE(route_mtu(Address{}).has_value());
}

}  // namespace
}  // namespace stoq::io
