#include "io/udp/udp_socket.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/try.h"
#include "base/wildcard.h"
#include "io/socket_address.h"

namespace stoq::io {

namespace {

std::error_code last_error() {
    return {errno, std::system_category()};
}

Address ipv4_wildcard(std::uint16_t port) {
    Address address;
    address.family = Address::Family::kIpv4;
    address.port = port;
    return address;
}

// The size granted, in payload bytes: the kernel reports twice that, for its own bookkeeping.
std::size_t grow_buffer(const SystemCalls& calls, int descriptor, int name, int force_name,
                        std::size_t wanted) {
    const int value = static_cast<int>(std::min(wanted, std::size_t{1} << 30));
    // The forced variant passes the system's limit, but needs CAP_NET_ADMIN.
    if (calls.setsockopt(descriptor, SOL_SOCKET, force_name, &value, sizeof value) != 0) {
        (void)calls.setsockopt(descriptor, SOL_SOCKET, name, &value, sizeof value);
    }
    int granted = 0;
    socklen_t size = sizeof granted;
    if (calls.getsockopt(descriptor, SOL_SOCKET, name, &granted, &size) != 0) return 0;
    return static_cast<std::size_t>(granted) / 2;
}

}  // namespace

SystemResult<UdpSocket> UdpSocket::open(const UdpSettings& settings, const SystemCalls& calls) {
    if (settings.local.family == Address::Family::kNone) {
        return std::unexpected(std::make_error_code(std::errc::invalid_argument));
    }
    const int family = settings.local.family == Address::Family::kIpv4 ? AF_INET : AF_INET6;
    const int descriptor = ::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0 && errno == EAFNOSUPPORT && family == AF_INET6 && !settings.ipv6_only &&
        is_wildcard(settings.local)) {
        // A host without IPv6: "everything" is everything over IPv4.
        UdpSettings ipv4 = settings;
        ipv4.local = ipv4_wildcard(settings.local.port);
        return open(ipv4, calls);
    }
    if (descriptor < 0) return std::unexpected(last_error());
    UdpSocket result(descriptor, family, calls);
    const bool dual_stack = family == AF_INET6 && !settings.ipv6_only;
    const bool both = family == AF_INET6 &&
                      result.set_option(IPPROTO_IPV6, IPV6_V6ONLY, dual_stack ? 0 : 1) &&
                      dual_stack && is_wildcard(settings.local);
    result.capabilities_.dual_stack = both;
    if (settings.reuse_port && !result.set_option(SOL_SOCKET, SO_REUSEPORT, 1)) {
        return std::unexpected(last_error());
    }
    if (const std::error_code error = result.bind_to(settings.local)) return std::unexpected(error);
    result.probe_capabilities(settings);
    result.ask_for_buffers(settings);
    return result;
}

UdpSocket::~UdpSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

UdpSocket::UdpSocket(UdpSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      family_(other.family_),
      calls_(other.calls_),
      local_(other.local_),
      capabilities_(std::move(other.capabilities_)) {}

UdpSocket& UdpSocket::operator=(UdpSocket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    family_ = other.family_;
    calls_ = other.calls_;
    local_ = other.local_;
    capabilities_ = std::move(other.capabilities_);
    return *this;
}

std::error_code UdpSocket::bind_to(const Address& local) {
    SocketAddress address{};
    const socklen_t length = to_socket_address(local, family_, address);
    if (::bind(descriptor_, &address.any, length) != 0) return last_error();
    SocketAddress bound{};
    socklen_t bound_length = sizeof bound;
    if (::getsockname(descriptor_, &bound.any, &bound_length) != 0) return last_error();
    local_ = from_socket_address(bound);
    return {};
}

bool UdpSocket::set_option(int level, int name, int value) const {
    return calls_->setsockopt(descriptor_, level, name, &value, sizeof value) == 0;
}

// A socket that serves both families needs both options; true when all that it needs are set.
bool UdpSocket::set_for_families(Option ipv4, Option ipv6) const {
    const bool needs_ipv4 = family_ == AF_INET || capabilities_.dual_stack;
    const bool ipv4_set = !needs_ipv4 || set_option(IPPROTO_IP, ipv4.name, ipv4.value);
    const bool ipv6_set = family_ == AF_INET || set_option(IPPROTO_IPV6, ipv6.name, ipv6.value);
    return ipv4_set && ipv6_set;
}

void UdpSocket::probe_capabilities(const UdpSettings& settings) {
    auto& can = capabilities_;
    //= 9000-14-2
    //= 9000-14-3
    can.dont_fragment = set_for_families({IP_MTU_DISCOVER, IP_PMTUDISC_PROBE},
                                         {IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE});
    can.ecn = set_for_families({IP_RECVTOS, 1}, {IPV6_RECVTCLASS, 1});
    can.path_errors = set_for_families({IP_RECVERR, 1}, {IPV6_RECVERR, 1});
    // A socket bound to one address knows where its datagrams arrive without being told.
    can.packet_info =
        !is_wildcard(local_) || set_for_families({IP_PKTINFO, 1}, {IPV6_RECVPKTINFO, 1});
    can.drop_counter = set_option(SOL_SOCKET, SO_RXQ_OVFL, 1);
    // Zero sets no segment size for the socket: each train brings its own.
    can.segmentation_offload = settings.segmentation_offload && set_option(SOL_UDP, UDP_SEGMENT, 0);
    can.receive_coalescing = settings.receive_coalescing && set_option(SOL_UDP, UDP_GRO, 1);
}

void UdpSocket::ask_for_buffers(const UdpSettings& settings) {
    auto& can = capabilities_;
    can.receive_buffer =
        grow_buffer(*calls_, descriptor_, SO_RCVBUF, SO_RCVBUFFORCE, settings.receive_buffer);
    can.send_buffer =
        grow_buffer(*calls_, descriptor_, SO_SNDBUF, SO_SNDBUFFORCE, settings.send_buffer);
    std::string limits;
    if (can.receive_buffer < settings.receive_buffer) {
        limits += " net.core.rmem_max=" + std::to_string(settings.receive_buffer);
    }
    if (can.send_buffer < settings.send_buffer) {
        limits += " net.core.wmem_max=" + std::to_string(settings.send_buffer);
    }
    if (limits.empty()) return;
    can.buffer_hint = "socket buffers are smaller than wanted (receive " +
                      std::to_string(can.receive_buffer) + ", send " +
                      std::to_string(can.send_buffer) + " bytes); as root: sysctl -w" + limits;
}

}  // namespace stoq::io
