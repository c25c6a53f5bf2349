#include "file_protocol.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include <fmt/format.h>

#include "url.h"

namespace stoq::tool {
namespace {

struct StatusWord {
    Status status;
    std::string_view word;
};

constexpr std::array<StatusWord, 10> kWords = {{
    {Status::kOk, "OK"},
    {Status::kContinue, "CONTINUE"},
    {Status::kNotFound, "NOT-FOUND"},
    {Status::kDenied, "DENIED"},
    {Status::kExists, "EXISTS"},
    {Status::kBusy, "BUSY"},
    {Status::kBadRange, "BAD-RANGE"},
    {Status::kBadHash, "BAD-HASH"},
    {Status::kBadRequest, "BAD-REQUEST"},
    {Status::kFailed, "FAILED"},
}};

std::string_view take_word(std::string_view& line) {
    const std::size_t space = line.find(' ');
    const std::string_view word = line.substr(0, space);
    line = space == std::string_view::npos ? std::string_view{} : line.substr(space + 1);
    return word;
}

bool to_number(std::string_view word, std::uint64_t& out) {
    const char* const first = std::to_address(word.begin());
    const char* const last = std::to_address(word.end());
    const auto [end, error] = std::from_chars(first, last, out);
    // Files larger than a signed 64-bit offset do not exist.
    return error == std::errc{} && end == last && out <= INT64_MAX;
}

bool has_number(Status status) {
    return status == Status::kOk || status == Status::kContinue;
}

}  // namespace

std::string format_request(const Request& request) {
    const std::string path = percent_encode(request.path);
    if (request.method == Method::kGet) return fmt::format("GET {} {}\n", path, request.number);
    return fmt::format("PUT {} {} {}\n", path, request.number,
                       request.overwrite ? "overwrite" : "new");
}

std::string format_response(const Response& response) {
    const auto found = std::ranges::find(kWords, response.status, &StatusWord::status);
    if (has_number(response.status)) return fmt::format("{} {}\n", found->word, response.number);
    return fmt::format("{} {}\n", found->word, response.text);
}

std::string format_trailer(std::string_view sha256) {
    return fmt::format("SHA256 {}\n", sha256);
}

std::optional<Request> parse_request(std::string_view line) {
    Request request;
    const std::string_view method = take_word(line);
    if (method != "GET" && method != "PUT") return std::nullopt;
    request.method = method == "GET" ? Method::kGet : Method::kPut;
    if (!percent_decode(take_word(line), request.path)) return std::nullopt;
    if (!to_number(take_word(line), request.number)) return std::nullopt;
    if (request.method == Method::kGet) return line.empty() ? std::optional(request) : std::nullopt;
    if (line != "new" && line != "overwrite") return std::nullopt;
    request.overwrite = line == "overwrite";
    return request;
}

std::optional<Response> parse_response(std::string_view line) {
    const auto found = std::ranges::find(kWords, take_word(line), &StatusWord::word);
    if (found == kWords.end()) return std::nullopt;
    Response response{.status = found->status, .number = 0, .text = {}};
    if (!has_number(response.status)) {
        response.text = line;
    } else if (!to_number(line, response.number)) {
        return std::nullopt;
    }
    return response;
}

std::optional<std::string> parse_trailer(std::string_view line) {
    if (line.size() + 1 != kTrailerBytes || !line.starts_with("SHA256 ")) return std::nullopt;
    line.remove_prefix(7);
    if (line.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
    return std::string(line);
}

std::size_t LineReader::append(ByteView bytes) {
    std::size_t used = 0;
    while (!complete_ && used < bytes.size() && line_.size() < kMaxLine) {
        const char c = static_cast<char>(bytes[used++]);
        complete_ = c == '\n';
        if (!complete_) line_ += c;
    }
    return used;
}

void LineReader::clear() {
    line_.clear();
    complete_ = false;
}

}  // namespace stoq::tool
