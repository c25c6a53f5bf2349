// What the command line or the environment asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stoq_hq {

// What a case of the interoperability runner asks of an endpoint beyond a plain transfer.
enum class Feature {
    kNone,
    kRetry,         // server: every address has to be proved
    kChaCha20,      // client: offers no other cipher suite
    kKeyUpdate,     // client: updates its keys early in the transfer
    kMulticonnect,  // client: a connection for each file
    kResumption,    // client: a second connection resumes the first
    kZeroRtt,       // the same, with 0-RTT data
    kVersion2,      // prefers QUIC version 2; a client begins with version 1
    kMigration,     // server: has a preferred address
    kHttp3,
    kResetAt,  // server: resets each stream behind the first half of its file
};

// Of the streams that are reset on purpose.
inline constexpr std::uint64_t kResetAtCode = 7;

struct Options {
    bool server = false;
    Feature feature = Feature::kNone;
    std::string listen, certificate, key, root;  // server
    std::string downloads, ca;                   // client
    std::vector<std::string> urls;               // client
    std::string identity;                        // server: a second one, of `stoq keygen`
    std::string post_quantum;                    // off, prefer (also if empty) or require
    bool insecure = false;
};

// The exit code that tells the runner that a case is not supported.
inline constexpr int kUnsupported = 127;

[[noreturn]] void fail(const std::string& text);

// Arguments without the program's name: `server|client` and options, or `endpoint`, which reads
// the runner's environment. Exits with 1 for misuse and with 127 for an unknown case.
Options read_options(const std::vector<std::string>& arguments);

std::string from_environment(const char* name, std::string_view otherwise = {});

// --- URLs ---

// "host:port" of an https URL; 443 when it names no port.
std::string authority_of(std::string_view url);
// "/name" of a URL.
std::string path_of(std::string_view url);
// "/a/b" has the name "b".
std::string last_component(std::string_view path);

}  // namespace stoq_hq
