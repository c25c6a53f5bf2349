#include "contract.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

namespace interop {
namespace {

constexpr int kUnsupported = 127;
constexpr std::string_view kScheme = "https://";
constexpr std::array<std::string_view, 12> kCases = {
    "handshake", "transfer",  "chacha20", "retry",        "resumption", "zerortt",
    "http3",     "keyupdate", "ecn",      "multiconnect", "v2",         "connectionmigration"};

[[noreturn]] void refuse(const std::string& reason) {
    std::fprintf(stderr, "unsupported: %s\n", reason.c_str());
    std::exit(kUnsupported);
}

std::string environment(const char* name, std::string_view otherwise) {
    const char* const value = std::getenv(name);
    return value == nullptr || *value == '\0' ? std::string(otherwise) : value;
}

Url parse_url(std::string_view text) {
    if (!text.starts_with(kScheme)) fail("not an https URL: " + std::string(text));
    text.remove_prefix(kScheme.size());
    const std::size_t slash = std::min(text.find('/'), text.size());
    const std::string_view authority = text.substr(0, slash);
    const std::size_t colon = authority.rfind(':');
    Url url{.host = std::string(authority.substr(0, colon)),
            .path = std::string(text.substr(slash))};
    if (colon != std::string_view::npos)
        url.port = static_cast<std::uint16_t>(std::stoi(std::string(authority.substr(colon + 1))));
    return url;
}

std::string name_of(std::string_view path) {
    return std::string(path.substr(path.rfind('/') + 1));
}

}  // namespace

void fail(const std::string& text) {
    std::fprintf(stderr, "%s\n", text.c_str());
    std::exit(1);
}

std::vector<std::vector<Url>> Options::rounds() const {
    std::vector<std::vector<Url>> all;
    const bool resumes = is("resumption") || is("zerortt");
    for (const Url& url : urls) {
        if (all.empty() || is("multiconnect") || (resumes && all.size() == 1)) all.emplace_back();
        all.back().push_back(url);
    }
    return all;
}

void Options::save(const Url& url, std::string_view content) const {
    std::ofstream file(downloads + "/" + name_of(url.path), std::ios::binary);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    if (!file) fail("cannot write to " + downloads);
}

std::optional<std::string> Options::answer(std::string_view request) const {
    constexpr std::string_view kMethod = "GET /";
    while (request.ends_with('\r') || request.ends_with('\n')) request.remove_suffix(1);
    if (!request.starts_with(kMethod)) return std::nullopt;
    const std::string_view name = request.substr(kMethod.size());
    if (name.empty() || name.starts_with('.') || name.find('/') != std::string_view::npos)
        return std::nullopt;
    std::ifstream file(root + "/" + std::string(name), std::ios::binary);
    if (!file) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(file), {});
}

Options options_from_environment(std::span<const Lack> lacks) {
    const std::string role = environment("ROLE", "");
    Options options;
    options.testcase = environment("TESTCASE", "");
    options.is_server = role == "server";
    if (std::ranges::find(kCases, options.testcase) == kCases.end() ||
        (role != "server" && role != "client")) {
        refuse("no case '" + options.testcase + "' as " + role);
    }
    for (const Lack& lack : lacks) {
        if (lack.testcase == options.testcase && lack.role == role)
            refuse(std::string(lack.reason));
    }
    const std::string certificates = environment("CERTS", "/certs");
    options.certificate = certificates + "/cert.pem";
    options.key = certificates + "/priv.key";
    options.ca = certificates + "/ca.pem";
    options.root = environment("WWW", "/www");
    options.downloads = environment("DOWNLOADS", "/downloads");
    const std::string listen = environment("LISTEN", "[::]:443");
    options.port = static_cast<std::uint16_t>(std::stoi(listen.substr(listen.rfind(':') + 1)));
    std::istringstream words(environment("REQUESTS", ""));
    for (std::string word; words >> word;) options.urls.push_back(parse_url(word));
    if (!options.is_server && options.urls.empty()) fail("REQUESTS is empty");
    return options;
}

}  // namespace interop
