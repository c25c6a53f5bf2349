// Names and addresses as people write them.
#include <netdb.h>

#include <cerrno>
#include <charconv>
#include <memory>

#include "io/socket_address.h"
#include "stoq/runtime.h"

namespace stoq {
namespace {

// What getaddrinfo() answers, as std::error_code.
class ResolverCategory final : public std::error_category {
public:
    const char* name() const noexcept override { return "resolver"; }
    std::string message(int code) const override { return ::gai_strerror(code); }
};

std::error_code resolver_error(int code) {
    static const ResolverCategory category;
    if (code == EAI_SYSTEM) return {errno, std::system_category()};
    return {code, category};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return port;
}

io::SocketAddress to_union(const addrinfo& info) {
    io::SocketAddress address{};
    if (info.ai_family == AF_INET6) {
        address.ipv6 = *reinterpret_cast<const sockaddr_in6*>(info.ai_addr);
    } else if (info.ai_family == AF_INET) {
        address.ipv4 = *reinterpret_cast<const sockaddr_in*>(info.ai_addr);
    }
    return address;
}

}  // namespace

SystemResult<std::vector<Address>> resolve(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    if (failed != 0) return std::unexpected(resolver_error(failed));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
    std::vector<Address> addresses;
    for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
        Address address = io::from_socket_address(to_union(*info));
        if (address.family == Address::Family::kNone) continue;
        address.port = port;
        addresses.push_back(address);
    }
    if (addresses.empty()) return std::unexpected(resolver_error(EAI_NONAME));
    return addresses;
}

std::optional<HostAndPort> split_host_and_port(std::string_view text,
                                               std::optional<std::uint16_t> default_port) {
    std::string_view host = text;
    std::string_view rest;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        host = text.substr(1, end - 1);
        rest = text.substr(end + 1);
    } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
        host = text.substr(0, colon);
        rest = text.substr(colon);
    }
    if (host.empty() || (!rest.empty() && rest.front() != ':')) return std::nullopt;
    const auto port = rest.empty() ? default_port : parse_port(rest.substr(1));
    if (!port) return std::nullopt;
    return HostAndPort{std::string(host), *port};
}

}  // namespace stoq
