#include "io/udp/udp_socket.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include "unit/io/udp_test_support.h"

namespace stoq::io {
namespace {

using namespace test;

SystemResult<UdpSocket> open_socket(const UdpSettings& settings) {
    return UdpSocket::open(settings);
}

TEST(UdpSocket, PortZeroGetsAPortAndSaysWhich) {
    const auto socket = open_socket(settings_for("127.0.0.1:0"));
    ASSERT_TRUE(socket.has_value());
    EXPECT_NE(socket->local_address().port, 0);
    EXPECT_EQ(socket->local_address(), at_port("127.0.0.1", socket->local_address().port));
}

TEST(UdpSocket, AnEmptyAddressIsRefused) {
    const auto socket = open_socket(UdpSettings{});
    ASSERT_FALSE(socket.has_value());
    EXPECT_EQ(socket.error(), std::errc::invalid_argument);
}

TEST(UdpSocket, AnAddressOfAnotherHostIsRefused) {
    const auto socket = open_socket(settings_for("192.0.2.1:0"));
    ASSERT_FALSE(socket.has_value());
    EXPECT_EQ(socket.error(), std::errc::address_not_available);
}

TEST(UdpSocket, APortIsTakenUnlessBothReuseIt) {
    for (const bool reuse : {false, true}) {
        UdpSettings settings = settings_for("127.0.0.1:0");
        settings.reuse_port = reuse;
        const auto first = open_socket(settings);
        ASSERT_TRUE(first.has_value());
        settings.local = first->local_address();
        const auto second = open_socket(settings);
        EXPECT_EQ(second.has_value(), reuse);
        if (!reuse && !second) {
            EXPECT_EQ(second.error(), std::errc::address_in_use);
        }
    }
}

TEST(UdpSocket, OnlyTheIpv6WildcardServesBothFamilies) {
    if (!host_has_ipv6()) GTEST_SKIP() << "this host has no IPv6";
    struct Case {
        const char* local;
        bool ipv6_only;
        bool dual_stack;
    };
    for (const Case& test : {Case{"[::]:0", false, true}, Case{"[::]:0", true, false},
                             Case{"[::1]:0", false, false}, Case{"0.0.0.0:0", false, false}}) {
        UdpSettings settings = settings_for(test.local);
        settings.ipv6_only = test.ipv6_only;
        const auto socket = open_socket(settings);
        ASSERT_TRUE(socket.has_value()) << test.local;
        EXPECT_EQ(socket->capabilities().dual_stack, test.dual_stack) << test.local;
    }
}

//= test 9000-14-3
TEST(UdpSocket, ThisKernelGrantsTheBasics) {
    for (const char* local : {"127.0.0.1:0", "0.0.0.0:0"}) {
        const auto socket = open_socket(settings_for(local));
        ASSERT_TRUE(socket.has_value());
        const DatapathCapabilities& can = socket->capabilities();
        EXPECT_TRUE(can.ecn && can.packet_info && can.dont_fragment) << local;
        EXPECT_TRUE(can.drop_counter && can.path_errors) << local;
        EXPECT_GT(can.receive_buffer, 0u);
        EXPECT_GT(can.send_buffer, 0u);
    }
}

TEST(UdpSocket, ASmallBufferRequestIsGrantedWithoutAHint) {
    UdpSettings settings = settings_for("127.0.0.1:0");
    settings.receive_buffer = settings.send_buffer = 16'384;
    const auto socket = open_socket(settings);
    ASSERT_TRUE(socket.has_value());
    EXPECT_GE(socket->capabilities().receive_buffer, 16'384u);
    EXPECT_EQ(socket->capabilities().buffer_hint, "");
}

TEST(UdpSocket, RefusedBuffersGiveTheCommandThatAllowsThem) {
    FaultyKernel kernel;
    kernel.missing_options = {{SOL_SOCKET, SO_RCVBUFFORCE}, {SOL_SOCKET, SO_RCVBUF}};
    UdpSettings settings = settings_for("127.0.0.1:0");
    settings.receive_buffer = std::size_t{512} << 20;
    settings.send_buffer = 16'384;
    const auto socket = UdpSocket::open(settings, kernel.calls());
    ASSERT_TRUE(socket.has_value());
    const std::string& hint = socket->capabilities().buffer_hint;
    EXPECT_NE(hint.find("sysctl -w net.core.rmem_max=536870912"), std::string::npos) << hint;
    EXPECT_EQ(hint.find("wmem_max"), std::string::npos) << hint;
    EXPECT_EQ(hint.find('\n'), std::string::npos) << hint;
}

struct Missing {
    const char* name;
    std::pair<int, int> option;
    bool DatapathCapabilities::* capability;
};

class MissingOption : public testing::TestWithParam<Missing> {};

TEST_P(MissingOption, LeavesASocketWithoutThatCapability) {
    FaultyKernel kernel;
    kernel.missing_options = {GetParam().option};
    const auto socket = UdpSocket::open(settings_for("0.0.0.0:0"), kernel.calls());
    ASSERT_TRUE(socket.has_value());
    EXPECT_FALSE(socket->capabilities().*GetParam().capability);
    EXPECT_NE(socket->capabilities().dont_fragment,
              GetParam().option == std::pair(int{IPPROTO_IP}, IP_MTU_DISCOVER))
        << "the others stay";
}

INSTANTIATE_TEST_SUITE_P(
    Options, MissingOption,
    testing::Values(
        Missing{"Ecn", {IPPROTO_IP, IP_RECVTOS}, &DatapathCapabilities::ecn},
        Missing{"PacketInfo", {IPPROTO_IP, IP_PKTINFO}, &DatapathCapabilities::packet_info},
        Missing{
            "DontFragment", {IPPROTO_IP, IP_MTU_DISCOVER}, &DatapathCapabilities::dont_fragment},
        Missing{"PathErrors", {IPPROTO_IP, IP_RECVERR}, &DatapathCapabilities::path_errors},
        Missing{"Drops", {SOL_SOCKET, SO_RXQ_OVFL}, &DatapathCapabilities::drop_counter},
        Missing{"Gso", {SOL_UDP, UDP_SEGMENT}, &DatapathCapabilities::segmentation_offload},
        Missing{"Gro", {SOL_UDP, UDP_GRO}, &DatapathCapabilities::receive_coalescing}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace stoq::io
