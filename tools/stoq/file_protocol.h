// The words of stoq-file/1, see docs/tool-protocol.md: lines of ASCII, one request per stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "stoq/types.h"

namespace stoq::tool {

inline constexpr std::string_view kFileProtocol = "stoq-file/1";
// With the line feed. A longer line is an error.
inline constexpr std::size_t kMaxLine = 8192;

enum class Method : std::uint8_t { kGet, kPut };

struct Request {
    Method method = Method::kGet;
    std::string path;          // decoded
    std::uint64_t number = 0;  // GET: the offset to start at. PUT: the size of the file.
    bool overwrite = false;    // PUT only
};

enum class Status : std::uint8_t {
    kOk,        // GET: the bytes follow. PUT: the file has its name.
    kContinue,  // PUT: send from the offset on
    kNotFound,
    kDenied,  // the name leads outside, or is no regular file, or the server is read-only
    kExists,
    kBusy,
    kBadRange,
    kBadHash,
    kBadRequest,
    kFailed,  // the server's disk
};

struct Response {
    Status status = Status::kOk;
    std::uint64_t number = 0;  // kOk: the size of the file. kContinue: the offset.
    std::string text;          // errors: why, for people
};

// All with their line feed.
std::string format_request(const Request& request);
std::string format_response(const Response& response);
std::string format_trailer(std::string_view sha256);

// Without the line feed. Nothing for a line that is not of the protocol.
std::optional<Request> parse_request(std::string_view line);
std::optional<Response> parse_response(std::string_view line);
std::optional<std::string> parse_trailer(std::string_view line);

// Length of a trailer with its line feed.
inline constexpr std::size_t kTrailerBytes = 7 + 64 + 1;

// Collects a line from pieces.
class LineReader {
public:
    // How many of `bytes` belong to the line; the rest is behind its line feed.
    std::size_t append(ByteView bytes);
    bool complete() const { return complete_; }
    bool too_long() const { return !complete_ && line_.size() >= kMaxLine; }
    const std::string& line() const { return line_; }
    void clear();

private:
    std::string line_;
    bool complete_ = false;
};

}  // namespace stoq::tool
