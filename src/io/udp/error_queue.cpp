#include "io/udp/error_queue.h"

#include <linux/errqueue.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>

#include "io/socket_address.h"
#include "io/udp/control_messages.h"

namespace stoq::io {

namespace {

constexpr std::size_t kMaxReports = 32;

bool is_path_error(const cmsghdr& header) {
    return (header.cmsg_level == IPPROTO_IP && header.cmsg_type == IP_RECVERR) ||
           (header.cmsg_level == IPPROTO_IPV6 && header.cmsg_type == IPV6_RECVERR);
}

std::optional<sock_extended_err> find_error(msghdr& message) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (!is_path_error(*header) || header->cmsg_len < CMSG_LEN(sizeof(sock_extended_err))) {
            continue;
        }
        sock_extended_err error{};
        std::memcpy(&error, CMSG_DATA(header), sizeof error);
        return error;
    }
    return std::nullopt;
}

PathErrorReport to_report(const sock_extended_err& error, const SocketAddress& remote) {
    PathErrorReport report;
    report.remote = from_socket_address(remote);
    report.error = static_cast<std::errc>(error.ee_errno);
    report.mtu = error.ee_errno == EMSGSIZE ? error.ee_info : 0;
    report.from_network = error.ee_origin != SO_EE_ORIGIN_LOCAL;
    return report;
}

}  // namespace

ErrorQueue::ErrorQueue(const UdpSocket& socket)
    : calls_(socket.calls()), descriptor_(socket.descriptor()) {
    reports_.reserve(kMaxReports);
}

std::span<const PathErrorReport> ErrorQueue::drain(DatapathCounters& counters, bool& more) {
    reports_.clear();
    more = true;
    while (reports_.size() < kMaxReports) {
        SocketAddress remote{};
        ControlBuffer control;
        std::uint8_t quoted = 0;  // what the error quotes of our datagram is of no use here
        iovec vector{&quoted, sizeof quoted};
        msghdr message{};
        message.msg_name = &remote;
        message.msg_namelen = sizeof remote;
        message.msg_iov = &vector;
        message.msg_iovlen = 1;
        message.msg_control = control.bytes.data();
        message.msg_controllen = kControlBytes;
        if (calls_.recvmsg(descriptor_, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
            more = errno == EINTR;
            break;
        }
        const auto error = find_error(message);
        if (!error) continue;
        reports_.push_back(to_report(*error, remote));
        ++counters.path_errors;
    }
    return reports_;
}

}  // namespace stoq::io
