#include "tun.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace stoq::link {
namespace {

constexpr std::size_t kLongestPacket = 65536;

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

class Descriptor {
public:
    Descriptor(const std::string& path, int flags)
        : value_(::open(path.c_str(), flags | O_CLOEXEC)) {
        if (value_ < 0) fail(path);
    }
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    int get() const { return value_; }
    int release() {
        const int value = value_;
        value_ = -1;
        return value;
    }

private:
    int value_;
};

// The calling thread is in another network namespace while this lives.
class Visit {
public:
    explicit Visit(const std::string& network_namespace) : home_("/proc/self/ns/net", O_RDONLY) {
        const std::string path = "/run/netns/" + network_namespace;
        const Descriptor there(path, O_RDONLY);
        if (::setns(there.get(), CLONE_NEWNET) != 0) fail(path);
    }
    ~Visit() { (void)::setns(home_.get(), CLONE_NEWNET); }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

private:
    Descriptor home_;
};

int make_device(const std::string& network_namespace, const std::string& name) {
    const Visit visit(network_namespace);
    Descriptor tun("/dev/net/tun", O_RDWR | O_NONBLOCK);
    ifreq request{};
    if (name.size() >= sizeof(request.ifr_name)) {
        errno = ENAMETOOLONG;
        fail(name);
    }
    std::memcpy(static_cast<char*>(request.ifr_name), name.data(), name.size());
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (::ioctl(tun.get(), TUNSETIFF, &request) != 0) fail("cannot make the device " + name);
    return tun.release();
}

}  // namespace

Tun::Tun(const std::string& network_namespace, const std::string& name)
    : descriptor_(make_device(network_namespace, name)) {}

Tun::~Tun() {
    ::close(descriptor_);
}

std::optional<Packet> Tun::read() {
    std::array<std::uint8_t, kLongestPacket> buffer;
    const ssize_t length = ::read(descriptor_, buffer.data(), buffer.size());
    if (length <= 0) return std::nullopt;
    return Packet(buffer.begin(), buffer.begin() + length);
}

bool Tun::write(ByteView packet) {
    return ::write(descriptor_, packet.data(), packet.size()) ==
           static_cast<ssize_t>(packet.size());
}

}  // namespace stoq::link
