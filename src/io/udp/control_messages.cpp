#include "io/udp/control_messages.h"

#include <netinet/in.h>
#include <netinet/udp.h>

#include <cstring>

#include "base/check.h"
#include "io/socket_address.h"

namespace stoq::io {

namespace {

template <typename T>
void append(msghdr& message, int level, int type, const T& value) {
    const std::size_t space = CMSG_SPACE(sizeof(T));
    STOQ_CHECK(message.msg_controllen + space <= kControlBytes);
    auto* at = static_cast<std::uint8_t*>(message.msg_control) + message.msg_controllen;
    auto* header = reinterpret_cast<cmsghdr*>(at);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(sizeof(T));
    std::memcpy(CMSG_DATA(header), &value, sizeof(T));
    message.msg_controllen += space;
}

void append_source(msghdr& message, const SendControl& control) {
    if (control.source.family != control.family) return;
    if (control.family == Address::Family::kIpv4) {
        in_pktinfo info{};
        info.ipi_spec_dst = to_ipv4(control.source);
        append(message, IPPROTO_IP, IP_PKTINFO, info);
    } else {
        in6_pktinfo info{};
        info.ipi6_addr = to_ipv6(control.source);
        info.ipi6_ifindex = control.source.scope_id;
        append(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
}

// The kernel passes some values in one byte and some in an int.
int read_number(const cmsghdr& header) {
    const unsigned char* data = CMSG_DATA(&header);
    if (header.cmsg_len < CMSG_LEN(sizeof(int))) return *data;
    int value = 0;
    std::memcpy(&value, data, sizeof value);
    return value;
}

template <typename T>
T read_value(const cmsghdr& header) {
    T value{};
    if (header.cmsg_len >= CMSG_LEN(sizeof(T))) std::memcpy(&value, CMSG_DATA(&header), sizeof(T));
    return value;
}

void read_ipv4(const cmsghdr& header, ReceivedControl& out) {
    if (header.cmsg_type == IP_TOS) out.ecn = static_cast<Ecn>(read_number(header) & 3);
    if (header.cmsg_type == IP_PKTINFO) {
        out.local = from_ipv4(read_value<in_pktinfo>(header).ipi_addr);
    }
}

void read_ipv6(const cmsghdr& header, ReceivedControl& out) {
    if (header.cmsg_type == IPV6_TCLASS) out.ecn = static_cast<Ecn>(read_number(header) & 3);
    if (header.cmsg_type == IPV6_PKTINFO) {
        const auto info = read_value<in6_pktinfo>(header);
        out.local = from_ipv6(info.ipi6_addr, info.ipi6_ifindex);
    }
}

}  // namespace

void write_control(const SendControl& control, ControlBuffer& buffer, msghdr& message) {
    message.msg_control = buffer.bytes.data();
    message.msg_controllen = 0;
    append_source(message, control);
    if (control.ecn != Ecn::kNotEct) {
        // The destination's family decides, also on a socket that serves both.
        const bool ipv4 = control.family == Address::Family::kIpv4;
        append(message, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_TOS : IPV6_TCLASS,
               static_cast<int>(control.ecn));
    }
    if (control.segment_size != 0) {
        append(message, SOL_UDP, UDP_SEGMENT, static_cast<std::uint16_t>(control.segment_size));
    }
    if (message.msg_controllen == 0) message.msg_control = nullptr;
}

ReceivedControl read_control(const msghdr& message) {
    ReceivedControl result;
    // CMSG_NXTHDR wants a header that it may not change anyway.
    auto& walked = const_cast<msghdr&>(message);
    for (cmsghdr* header = CMSG_FIRSTHDR(&walked); header != nullptr;
         header = CMSG_NXTHDR(&walked, header)) {
        if (header->cmsg_level == IPPROTO_IP) {
            read_ipv4(*header, result);
        } else if (header->cmsg_level == IPPROTO_IPV6) {
            read_ipv6(*header, result);
        } else if (header->cmsg_level == SOL_UDP && header->cmsg_type == UDP_GRO) {
            result.segment_size = static_cast<std::size_t>(read_number(*header));
        } else if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SO_RXQ_OVFL) {
            result.drops = read_value<std::uint32_t>(*header);
        }
    }
    return result;
}

}  // namespace stoq::io
