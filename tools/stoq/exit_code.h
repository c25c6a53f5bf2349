// How the program ends, told apart so that scripts can act on it. Listed in `stoq --help`.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "stoq/error.h"

namespace stoq::tool {

enum class ExitCode : int {
    kSuccess = 0,
    kOther = 1,
    kUsage = 2,
    kLocalFile = 3,       // a file or directory here cannot be read or written, or exists already
    kNameNotFound = 4,    // the host name has no address
    kRefused = 5,         // nobody listens there, or the server refused the connection
    kTimedOut = 6,        // nothing, or not enough, came back
    kCertificate = 7,     // the server is not who it has to be
    kNoUdp = 8,           // this machine cannot send UDP there
    kNotOnServer = 9,     // the server has no such file
    kRequestDenied = 10,  // the server does not do this: read-only, file exists, bad name
    kHashMismatch = 11,   // what arrived is not what was sent
    kConnection = 12,     // the connection broke: an error of the protocol, or closed by the peer
};

// The table of the above for --help.
std::string_view exit_code_help();

// Ends a command with a message for people.
class Failure : public std::runtime_error {
public:
    Failure(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
    ExitCode code() const { return code_; }

private:
    ExitCode code_;
};

// The value, or a Failure with what the error says.
template <typename T, typename Error>
T value_or_fail(Result<T, Error> result) {
    if (!result) throw Failure(ExitCode::kOther, result.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// "cannot open FILE: No such file or directory", from errno.
Failure file_failure(std::string_view what, std::string_view name, int error);

// Writes the line and its end to stderr. Where that cannot be (a full disk, a reader who has gone),
// it is lost: a server serves on without its log.
void say_on_stderr(std::string_view line) noexcept;

}  // namespace stoq::tool
