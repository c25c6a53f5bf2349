#include "exit_code.h"

#include <cstdio>
#include <cstring>

#include <fmt/format.h>

namespace stoq::tool {

std::string_view exit_code_help() {
    return "Exit codes:\n"
           "  0  done\n"
           "  1  another failure\n"
           "  2  wrong use of the command line\n"
           "  3  a local file cannot be read or written, or exists already\n"
           "  4  the host name was not found\n"
           "  5  refused: nobody listens there, or the server takes no connection\n"
           "  6  timed out: nothing, or not enough, came back\n"
           "  7  the server's certificate was not accepted\n"
           "  8  this machine cannot send UDP there\n"
           "  9  the server has no such file\n"
           "  10 the server denied the request: read-only, exists already, name not allowed\n"
           "  11 the hash does not match: what arrived is not what was sent\n"
           "  12 the connection broke\n";
}

Failure file_failure(std::string_view what, std::string_view name, int error) {
    return {ExitCode::kLocalFile,
            fmt::format("cannot {} {}: {}", what, name, std::strerror(error))};
}

void say_on_stderr(std::string_view line) noexcept {
    // One call, so that the lines of several threads do not mix.
    std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

}  // namespace stoq::tool
