#include "options.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include "stoq/runtime.h"

namespace stoq_hq {
namespace {

constexpr std::string_view kScheme = "https://";

struct Case {
    std::optional<Feature> client;
    std::optional<Feature> server;
};

// By the value of TESTCASE. A role without a value does not support the case.
const std::map<std::string, Case, std::less<>>& cases() {
    static const std::map<std::string, Case, std::less<>> all = {
        {"handshake", {Feature::kNone, Feature::kNone}},
        {"transfer", {Feature::kNone, Feature::kNone}},
        {"chacha20", {Feature::kChaCha20, Feature::kNone}},
        {"retry", {Feature::kNone, Feature::kRetry}},
        {"keyupdate", {Feature::kKeyUpdate, Feature::kNone}},
        {"multiconnect", {Feature::kMulticonnect, Feature::kNone}},
        {"resumption", {Feature::kResumption, Feature::kNone}},
        {"zerortt", {Feature::kZeroRtt, Feature::kZeroRtt}},
        {"v2", {Feature::kVersion2, Feature::kVersion2}},
        {"connectionmigration", {Feature::kNone, Feature::kMigration}},
        {"ecn", {Feature::kNone, Feature::kNone}},
        {"http3", {Feature::kHttp3, Feature::kHttp3}},
    };
    return all;
}

[[noreturn]] void usage() {
    fail(
        "usage: stoq_hq server --listen HOST:PORT --cert FILE --key FILE --root DIR [--identity "
        "DIR]\n"
        "       stoq_hq client --downloads DIR (--ca FILE | --insecure) --url URL...\n"
        "       stoq_hq endpoint        (by ROLE, TESTCASE, REQUESTS ...)\n"
        "       all take --pq off|prefer|require, --early and --reset-at");
}

void read_flags(const std::vector<std::string>& arguments, std::size_t first, Options& options) {
    const std::map<std::string_view, std::string*> texts = {
        {"--listen", &options.listen},   {"--cert", &options.certificate},
        {"--key", &options.key},         {"--root", &options.root},
        {"--ca", &options.ca},           {"--downloads", &options.downloads},
        {"--pq", &options.post_quantum}, {"--identity", &options.identity}};
    for (std::size_t i = first; i < arguments.size(); ++i) {
        const auto text = texts.find(arguments[i]);
        if (arguments[i] == "--insecure") {
            options.insecure = true;
        } else if (arguments[i] == "--early") {
            options.feature = Feature::kZeroRtt;
        } else if (arguments[i] == "--reset-at") {
            options.feature = Feature::kResetAt;
        } else if (text != texts.end() && i + 1 < arguments.size()) {
            *text->second = arguments[++i];
        } else if (arguments[i] != "--url" && !arguments[i].starts_with("--")) {
            options.urls.push_back(arguments[i]);
        } else if (arguments[i] != "--url") {
            usage();
        }
    }
}

std::vector<std::string> words(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> all;
    for (std::string word; stream >> word;) all.push_back(word);
    return all;
}

// The contract of the QUIC interoperability runner: docker's mounts are the defaults.
Options from_runner() {
    Options options;
    const std::string role = from_environment("ROLE");
    if (role != "client" && role != "server") fail("ROLE is neither client nor server");
    options.server = role == "server";
    const std::string name = from_environment("TESTCASE");
    const auto found = cases().find(name);
    const auto feature = found == cases().end()
                             ? std::nullopt
                             : (options.server ? found->second.server : found->second.client);
    if (!feature) {
        std::fprintf(stderr, "unsupported: no case '%s' as %s\n", name.c_str(), role.c_str());
        std::exit(kUnsupported);
    }
    options.feature = *feature;
    const std::string certificates = from_environment("CERTS", "/certs");
    options.listen = from_environment("LISTEN", "[::]:443");
    options.certificate = certificates + "/cert.pem";
    options.key = certificates + "/priv.key";
    options.ca = certificates + "/ca.pem";
    options.root = from_environment("WWW", "/www");
    options.downloads = from_environment("DOWNLOADS", "/downloads");
    options.urls = words(from_environment("REQUESTS"));
    read_flags(words(from_environment(options.server ? "SERVER_PARAMS" : "CLIENT_PARAMS")), 0,
               options);
    return options;
}

bool is_complete(const Options& options) {
    if (options.server) return !options.listen.empty() && !options.root.empty();
    return !options.urls.empty() && !options.downloads.empty();
}

}  // namespace

void fail(const std::string& text) {
    std::fprintf(stderr, "stoq_hq: %s\n", text.c_str());
    std::exit(1);
}

std::string from_environment(const char* name, std::string_view otherwise) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string(otherwise) : std::string(value);
}

Options read_options(const std::vector<std::string>& arguments) {
    if (arguments.empty()) usage();
    const std::string& first = arguments.front();
    Options options;
    if (first == "endpoint") {
        options = from_runner();
    } else if (first == "server" || first == "client") {
        options.server = first == "server";
        read_flags(arguments, 1, options);
    } else {
        usage();
    }
    if (!is_complete(options)) usage();
    return options;
}

std::string authority_of(std::string_view url) {
    if (!url.starts_with(kScheme)) fail("not an https URL: " + std::string(url));
    url.remove_prefix(kScheme.size());
    const auto parts = stoq::split_host_and_port(url.substr(0, url.find('/')), 443);
    if (!parts) fail("not a host and a port: " + std::string(url));
    const bool ipv6 = parts->host.find(':') != std::string::npos;
    return (ipv6 ? "[" + parts->host + "]" : parts->host) + ":" + std::to_string(parts->port);
}

std::string path_of(std::string_view url) {
    const std::size_t slash = url.find('/', kScheme.size());
    if (slash == std::string_view::npos || url.ends_with('/'))
        fail("no file in the URL " + std::string(url));
    return std::string(url.substr(slash));
}

std::string last_component(std::string_view path) {
    return std::string(path.substr(path.rfind('/') + 1));
}

}  // namespace stoq_hq
