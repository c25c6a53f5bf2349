// stoq://host:port/path, and host:port.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stoq::tool {

inline constexpr std::uint16_t kDefaultPort = 4433;

struct Authority {
    std::string host;  // a name, or an IP address literal without brackets
    std::uint16_t port = kDefaultPort;
};

struct Url {
    Authority authority;
    std::string path;  // percent-decoded, without the leading slash; may be empty
};

// Both throw Failure (kUsage) for what they cannot read.
Url parse_url(std::string_view text);
// "host", "host:port", "192.0.2.1:4433", "[2001:db8::1]:4433", "[::]".
Authority parse_authority(std::string_view text);

// The last component of a path, empty when it ends in a slash.
std::string base_name(std::string_view path);

// Percent-encodes everything but unreserved characters and slashes, so that a path is one word.
std::string percent_encode(std::string_view text);
// False for a malformed escape.
bool percent_decode(std::string_view text, std::string& out);

// Control characters and bytes beyond ASCII as \xNN: words of a peer on our terminal.
std::string escape_for_terminal(std::string_view text);

}  // namespace stoq::tool
