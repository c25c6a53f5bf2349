// What the drivers in C++ have in common: the runner's contract (tests/interop/README.md).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace interop {

inline constexpr std::size_t kLongestRequest = 4096;
inline constexpr std::uint64_t kUnknownFile = 1;
// The runner's links lose a third of all datagrams: patience belongs to the runner.
inline constexpr std::chrono::seconds kPatience{120};
inline constexpr std::chrono::seconds kTicketPatience{20};
// What a client has received when it updates its keys: well within the first megabyte.
inline constexpr std::size_t kUpdateKeysAfter = 100'000;

// A TESTCASE that the library has nothing for, in a role, and why.
struct Lack {
    std::string_view testcase;
    std::string_view role;
    std::string_view reason;
};

struct Url {
    std::string host;
    std::uint16_t port = 443;
    std::string path;

    std::string request() const { return "GET " + path + "\r\n"; }
};

struct Options {
    bool is_server = false;
    std::string testcase;
    std::uint16_t port = 443;  // of a server, for both families
    std::string certificate, key, ca;
    std::string root, downloads;
    std::vector<Url> urls;

    bool is(std::string_view name) const { return testcase == name; }
    // What each connection fetches, one after the other.
    std::vector<std::vector<Url>> rounds() const;
    void save(const Url& url, std::string_view content) const;
    // The file that a request names, if it lies directly in the directory.
    std::optional<std::string> answer(std::string_view request) const;
};

[[noreturn]] void fail(const std::string& text);

// As the runner calls it; what its containers mount is at WWW, DOWNLOADS and CERTS. Exits for what
// is not supported.
Options options_from_environment(std::span<const Lack> lacks);

}  // namespace interop
