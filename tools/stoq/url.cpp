#include "url.h"

#include <charconv>

#include <fmt/format.h>

#include "exit_code.h"

namespace stoq::tool {
namespace {

[[noreturn]] void refuse(std::string_view text, std::string_view why) {
    throw Failure(ExitCode::kUsage, fmt::format("'{}': {}", text, why));
}

std::uint16_t parse_port(std::string_view digits, std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || end != digits.data() + digits.size()) {
        refuse(text, "the port is not a number from 0 to 65535");
    }
    return port;
}

int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~' || c == '/';
}

}  // namespace

Authority parse_authority(std::string_view text) {
    Authority authority;
    std::string_view rest;
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) refuse(text, "the bracket is not closed");
        authority.host = text.substr(1, close - 1);
        rest = text.substr(close + 1);
    } else {
        const std::size_t colon = text.find(':');
        if (colon != std::string_view::npos &&
            text.find(':', colon + 1) != std::string_view::npos) {
            refuse(text, "an IPv6 address needs brackets, as in [::1]:4433");
        }
        authority.host = text.substr(0, colon);
        rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
    }
    if (authority.host.empty()) refuse(text, "the host is missing");
    if (rest.empty()) return authority;
    if (!rest.starts_with(':')) refuse(text, "only :port may follow the host");
    authority.port = parse_port(rest.substr(1), text);
    return authority;
}

Url parse_url(std::string_view text) {
    constexpr std::string_view kScheme = "stoq://";
    if (!text.starts_with(kScheme)) refuse(text, "an address looks like stoq://host:port/path");
    const std::string_view body = text.substr(kScheme.size());
    const std::size_t slash = body.find('/');
    Url url;
    url.authority = parse_authority(body.substr(0, slash));
    if (slash != std::string_view::npos && !percent_decode(body.substr(slash + 1), url.path)) {
        refuse(text, "a % that no two hexadecimal digits follow");
    }
    return url;
}

std::string base_name(std::string_view path) {
    return std::string(path.substr(path.rfind('/') + 1));
}

std::string percent_encode(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (is_unreserved(c)) {
            out += c;
        } else {
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

bool percent_decode(std::string_view text, std::string& out) {
    out.clear();
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (text.size() - i < 3) return false;
        const int high = hex_value(text[i + 1]);
        const int low = hex_value(text[i + 2]);
        if (high < 0 || low < 0) return false;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return true;
}

std::string escape_for_terminal(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c >= ' ' && c <= '~') {
            out += c;
        } else {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

}  // namespace stoq::tool
