// What the race's drivers in C++ have in common: the contract of bench/race/README.md.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace race {

using Bytes = std::span<const std::uint8_t>;
using Clock = std::chrono::steady_clock;

inline constexpr const char* kAlpn = "race";
inline constexpr const char* kServerName = "localhost";
inline constexpr std::size_t kHeader = 8;
// What a stream that pours asks for: more than any race lasts.
inline constexpr std::uint64_t kEndless = (std::uint64_t{1} << 56) - 1;

// What the first byte of a stream asks the server to do.
enum class Kind : std::uint8_t { kAnswer = 0, kPour = 1, kCount = 2 };

std::array<std::uint8_t, kHeader> header(Kind kind, std::uint64_t size);

// --- The bytes that every payload consists of ---

// Up to `most` bytes of the pattern from `offset` on; at least one period minus one of those asked.
Bytes pattern_from(std::uint64_t offset, std::uint64_t most);

// Compares a stream with the pattern.
class Checker {
public:
    void check(Bytes bytes);
    std::uint64_t offset() const { return offset_; }
    bool ok() const { return ok_; }

private:
    std::uint64_t offset_ = 0;
    bool ok_ = true;
};

// The header, then the pattern, `size` bytes in all.
std::vector<std::uint8_t> make_request(std::array<std::uint8_t, kHeader> head, std::size_t size);

// --- The server's side of one stream ---

class Served {
public:
    void on_bytes(Bytes bytes);
    // The request is whole. One that is not what it should be is answered with nothing.
    void on_end();
    bool has_answer() const { return answering_; }
    // What is to be sent next, empty when there is nothing (yet). Lives as long as this object.
    Bytes next() const;
    // A bulk transfer, beside which nothing should have to wait.
    bool is_bulk() const { return kind_ == Kind::kPour; }
    // Whether next() lives for ever.
    bool next_is_static() const { return kind_ != Kind::kCount; }
    void on_sent(std::size_t length) { sent_ += length; }
    // Everything was handed over: the stream can end.
    bool is_done() const { return answering_ && sent_ == size_; }

private:
    void on_header();

    std::array<std::uint8_t, kHeader> head_{};
    std::size_t head_length_ = 0;
    Kind kind_ = Kind::kAnswer;
    std::uint64_t asked_ = 0;
    Checker checker_;
    Clock::time_point first_{};
    bool answering_ = false;
    std::array<std::uint8_t, 16> count_{};
    std::uint64_t size_ = 0;
    std::uint64_t sent_ = 0;
};

// What the server says about an upload.
struct Count {
    std::uint64_t bytes = 0;
    double seconds = 0;
};
// Nothing when the answer is none, or says that the bytes were wrong.
std::optional<Count> parse_count(Bytes answer);

// --- The command line ---

enum class Mode : std::uint8_t {
    kDown,
    kUp,
    kBoth,
    kRequests,
    kDatagrams,
    kHandshakes,
    kIdle,
    kActive
};

struct Options {
    bool is_server = false;
    std::string listen = "127.0.0.1:0";
    std::string connect;
    std::string cert;
    std::string key;
    std::string ca;
    Mode mode = Mode::kDown;
    double seconds = 2;
    std::size_t streams = 1;
    std::size_t request = 64;
    std::uint64_t response = 64;
    std::size_t in_flight = 1;
    std::size_t connections = 1;
    std::size_t write = 262'084;  // bytes given to the library at once
    double rate = 0;              // bits per second that an upload is paced to; 0: unlimited
    bool bulk = false;            // a bulk transfer beside the requests
    bool resumed = false;
    std::uint16_t datagram = 1452;  // bytes of UDP payload
    std::uint64_t window = 1 << 20;
    std::uint64_t spin_us = 0;  // looks for work so long before it sleeps
};

// Says what is wrong and leaves when something is.
Options parse_options(int argc, char** argv);

// The measured part of a run; the first tenth lets congestion control and caches settle.
struct Span {
    Clock::time_point begin;
    Clock::time_point end;

    double seconds() const { return std::chrono::duration<double>(end - begin).count(); }
};
Span span_of(const Options& options, Clock::time_point now);

// --- What a client measured ---

class Latencies {
public:
    void add(Clock::duration time) { times_.push_back(time.count()); }
    std::uint64_t count() const { return times_.size(); }
    double quantile_us(double share);

private:
    std::vector<std::int64_t> times_;
};

struct Report {
    std::uint64_t bytes_down = 0;
    std::uint64_t bytes_up = 0;
    std::uint64_t count = 0;
    double seconds = 0;
    bool verified = true;
    Latencies latencies{};

    // One line of JSON.
    void print();
};

// Says why this library has no such figure, and leaves.
[[noreturn]] void unsupported(const char* reason);
[[noreturn]] void fail(const std::string& what);

// --- Sockets ---

// Asks for buffers as large as the machine lets anybody have.
void set_socket_buffers(int descriptor);

}  // namespace race
