// The last line of get and put.
#pragma once

#include <fmt/format.h>

#include "client_session.h"
#include "file_protocol.h"

namespace stoq::tool {

inline void print_result(std::uint64_t bytes, Duration time, const ConnectionInfo& info) {
    fmt::print("RESULT bytes={} seconds={:.3f} gbps={:.3f} sha256=ok {}\n", bytes, seconds(time),
               gigabits_per_second(bytes, time), negotiated(info));
}

// Why the server did not do what a request asked for.
inline Failure denied(const Response& response) {
    const std::string text = "the server: " + escape_for_terminal(response.text);
    switch (response.status) {
        case Status::kNotFound: return {ExitCode::kNotOnServer, text};
        case Status::kBadHash: return {ExitCode::kHashMismatch, text};
        case Status::kFailed: return {ExitCode::kOther, text};
        default: return {ExitCode::kRequestDenied, text};
    }
}

}  // namespace stoq::tool
