#include "io/local_channel.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/try.h"
#include "io/wakeup.h"

namespace stoq::io {
namespace {

std::unexpected<std::error_code> last_error() {
    return std::unexpected(std::error_code(errno, std::system_category()));
}

std::unexpected<std::error_code> failure(std::errc error) {
    return std::unexpected(std::make_error_code(error));
}

SystemResult<sockaddr_un> name_of(const std::string& path) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof name.sun_path) {
        return failure(std::errc::filename_too_long);
    }
    std::memcpy(name.sun_path, path.data(), path.size());
    return name;
}

// Sleeps until `descriptor` is readable.
SystemResult<void> wait_readable(int descriptor, int stop, Duration patience) {
    std::array<WaitSource, 2> sources;
    sources[0].descriptor = descriptor;
    sources[1].descriptor = stop;
    const std::size_t count = stop >= 0 ? 2 : 1;
    const auto now = [] { return std::chrono::steady_clock::now(); };
    const bool for_ever = patience == Duration::max();
    const auto end = for_ever ? std::chrono::steady_clock::time_point::max() : now() + patience;
    // A signal may end a sleep early.
    while (wait_for(std::span(sources).first(count), for_ever ? patience : end - now()) == 0) {
        if (!for_ever && now() >= end) return failure(std::errc::timed_out);
    }
    if (sources[1].readable) return failure(std::errc::operation_canceled);
    return {};
}

constexpr std::size_t kControlBytes = CMSG_SPACE(LocalChannel::kMaxDescriptors * sizeof(int));

struct alignas(cmsghdr) Control {
    std::array<char, kControlBytes> bytes{};
};

void take_descriptors(msghdr& header, ReceivedDescriptors& descriptors) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr;
         part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof descriptor, sizeof descriptor);
            descriptors.add(descriptor);
        }
    }
}

}  // namespace

ReceivedDescriptors::~ReceivedDescriptors() {
    for (const int descriptor : descriptors_) {
        if (descriptor >= 0) ::close(descriptor);
    }
}

ReceivedDescriptors::ReceivedDescriptors(ReceivedDescriptors&& other) noexcept
    : descriptors_(std::exchange(other.descriptors_, {})) {}

ReceivedDescriptors& ReceivedDescriptors::operator=(ReceivedDescriptors&& other) noexcept {
    std::swap(descriptors_, other.descriptors_);
    return *this;
}

int ReceivedDescriptors::take(std::size_t index) {
    return std::exchange(descriptors_[index], -1);
}

SystemResult<LocalChannel> LocalChannel::connect(const std::string& path) {
    const sockaddr_un name = STOQ_TRY(name_of(path));
    LocalChannel channel(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (channel.descriptor_ < 0) return last_error();
    if (::connect(channel.descriptor_, reinterpret_cast<const sockaddr*>(&name), sizeof name) !=
        0) {
        return last_error();
    }
    return channel;
}

LocalChannel::~LocalChannel() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

LocalChannel::LocalChannel(LocalChannel&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

LocalChannel& LocalChannel::operator=(LocalChannel&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

SystemResult<void> LocalChannel::send(ByteView message, std::span<const int> descriptors) const {
    if (message.empty() || message.size() > kMaxMessage || descriptors.size() > kMaxDescriptors) {
        return failure(std::errc::message_size);
    }
    iovec vector{const_cast<std::uint8_t*>(message.data()), message.size()};
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    Control control;
    if (!descriptors.empty()) {
        header.msg_control = control.bytes.data();
        header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* const part = CMSG_FIRSTHDR(&header);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(part), descriptors.data(), descriptors.size_bytes());
    }
    if (::sendmsg(descriptor_, &header, MSG_NOSIGNAL) < 0) return last_error();
    return {};
}

SystemResult<LocalMessage> LocalChannel::receive(Duration patience, int stop) const {
    STOQ_TRY(wait_readable(descriptor_, stop, patience));
    LocalMessage message;
    message.bytes.resize(kMaxMessage);
    iovec vector{message.bytes.data(), message.bytes.size()};
    Control control;
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes.data();
    header.msg_controllen = control.bytes.size();
    const ssize_t length = ::recvmsg(descriptor_, &header, MSG_CMSG_CLOEXEC);
    if (length < 0) return last_error();
    take_descriptors(header, message.descriptors);
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return failure(std::errc::message_size);
    message.bytes.resize(static_cast<std::size_t>(length));
    return message;
}

bool LocalChannel::is_same_user() const {
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(descriptor_, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           peer.uid == ::geteuid();
}

SystemResult<LocalListener> LocalListener::create(const std::string& path) {
    // Made under another name and moved: there is no moment without a socket, and none in which
    // another user could connect.
    const std::string fresh = path + ".new";
    const sockaddr_un name = STOQ_TRY(name_of(fresh));
    LocalListener listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), {});
    if (listener.descriptor_ < 0) return last_error();
    ::unlink(fresh.c_str());
    if (::bind(listener.descriptor_, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 ||
        ::chmod(fresh.c_str(), S_IRUSR | S_IWUSR) != 0 || ::listen(listener.descriptor_, 4) != 0 ||
        std::rename(fresh.c_str(), path.c_str()) != 0) {
        return last_error();
    }
    listener.path_ = path;
    return listener;
}

LocalListener::~LocalListener() {
    if (!path_.empty()) ::unlink(path_.c_str());
    if (descriptor_ >= 0) ::close(descriptor_);
}

LocalListener::LocalListener(LocalListener&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::exchange(other.path_, {})) {}

LocalListener& LocalListener::operator=(LocalListener&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(path_, other.path_);
    return *this;
}

SystemResult<LocalChannel> LocalListener::accept(int stop) const {
    STOQ_TRY(wait_readable(descriptor_, stop, Duration::max()));
    LocalChannel channel(::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC));
    if (channel.descriptor_ < 0) return last_error();
    return channel;
}

}  // namespace stoq::io
