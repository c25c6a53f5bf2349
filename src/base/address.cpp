// The text form of addresses. Strict: one spelling of a number is as good as another only where
// RFC 4291 section 2.2 says so, and a text that is not understood to its end is refused.
#include <arpa/inet.h>

#include <charconv>
#include <cstring>
#include <optional>

#include "stoq/types.h"

namespace stoq {

namespace {

constexpr std::size_t kMappedPrefixBytes = 12;

// A decimal number without sign, space or leading zeros, that fits T.
template <typename T>
std::optional<T> parse_number(std::string_view text) {
    if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool parse_ip(std::string_view text, int family, std::array<std::uint8_t, 16>& out) {
    std::array<char, INET6_ADDRSTRLEN> terminated{};
    if (text.size() >= terminated.size()) return false;
    // A zero byte would end the copy early and hide what follows it.
    if (text.find('\0') != std::string_view::npos) return false;
    std::memcpy(terminated.data(), text.data(), text.size());
    return ::inet_pton(family, terminated.data(), out.data()) == 1;
}

bool is_mapped_ipv4(const std::array<std::uint8_t, 16>& ip) {
    constexpr std::array<std::uint8_t, kMappedPrefixBytes> kPrefix = {0, 0, 0, 0, 0,    0,
                                                                      0, 0, 0, 0, 0xff, 0xff};
    return std::memcmp(ip.data(), kPrefix.data(), kPrefix.size()) == 0;
}

// The datapath reports IPv4 peers as IPv4, so the mapped spelling must mean the same address.
Address unmapped(const Address& mapped) {
    Address address;
    address.family = Address::Family::kIpv4;
    address.port = mapped.port;
    std::memcpy(address.ip.data(), mapped.ip.data() + kMappedPrefixBytes, 4);
    return address;
}

// `host` is what stands between the brackets.
Address parse_ipv6(std::string_view host, std::uint16_t port) {
    Address address;
    const std::size_t percent = host.find('%');
    if (percent != std::string_view::npos) {
        const auto scope = parse_number<std::uint32_t>(host.substr(percent + 1));
        if (!scope) return {};
        address.scope_id = *scope;
        host = host.substr(0, percent);
    }
    if (!parse_ip(host, AF_INET6, address.ip)) return {};
    address.family = Address::Family::kIpv6;
    address.port = port;
    if (!is_mapped_ipv4(address.ip)) return address;
    return address.scope_id == 0 ? unmapped(address) : Address{};
}

Address parse_ipv4(std::string_view host, std::uint16_t port) {
    Address address;
    if (!parse_ip(host, AF_INET, address.ip)) return {};
    address.family = Address::Family::kIpv4;
    address.port = port;
    return address;
}

}  // namespace

std::string to_string(const Address& address) {
    if (address.family == Address::Family::kNone) return "none";
    const bool ipv4 = address.family == Address::Family::kIpv4;
    std::array<char, INET6_ADDRSTRLEN> ip{};
    ::inet_ntop(ipv4 ? AF_INET : AF_INET6, address.ip.data(), ip.data(), ip.size());
    // Built by appending: GCC 12 warns wrongly of std::string's operator+.
    std::string text;
    if (!ipv4) text += '[';
    text += ip.data();
    if (!ipv4 && address.scope_id != 0) text.append("%").append(std::to_string(address.scope_id));
    if (!ipv4) text += ']';
    text += ':';
    text += std::to_string(address.port);
    return text;
}

Address parse_address(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return {};
    const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
    const std::string_view host = text.substr(0, colon);
    if (!port || host.empty()) return {};
    if (host.front() != '[') return parse_ipv4(host, *port);
    if (host.size() < 2 || host.back() != ']') return {};
    return parse_ipv6(host.substr(1, host.size() - 2), *port);
}

}  // namespace stoq
