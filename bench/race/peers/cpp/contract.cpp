#include "contract.h"

#include <sys/socket.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

namespace race {
namespace {

// Prime, so that bytes of the wrong place do not match.
constexpr std::size_t kPeriod = 65'521;
constexpr std::size_t kBlock = 4 * kPeriod;
constexpr int kSocketBuffer = 8 << 20;

// One period more than is written at once.
const std::vector<std::uint8_t>& pattern() {
    static const std::vector<std::uint8_t> bytes = [] {
        std::vector<std::uint8_t> made(kBlock + kPeriod);
        std::uint64_t state = 0x9e3779b97f4a7c15;
        for (std::size_t i = 0; i < kPeriod; ++i) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            made[i] = static_cast<std::uint8_t>(state >> 56);
        }
        for (std::size_t i = kPeriod; i < made.size(); ++i) made[i] = made[i - kPeriod];
        return made;
    }();
    return bytes;
}

std::uint64_t read_uint64(Bytes bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) value = (value << 8) | bytes[i];
    return value;
}

void write_uint64(std::uint8_t* out, std::uint64_t value) {
    for (int i = 7; i >= 0; --i, value >>= 8) out[i] = static_cast<std::uint8_t>(value);
}

}  // namespace

std::array<std::uint8_t, kHeader> header(Kind kind, std::uint64_t size) {
    std::array<std::uint8_t, kHeader> bytes{};
    write_uint64(bytes.data(), (static_cast<std::uint64_t>(kind) << 56) | size);
    return bytes;
}

Bytes pattern_from(std::uint64_t offset, std::uint64_t most) {
    return Bytes(pattern()).subspan(offset % kPeriod, std::min<std::uint64_t>(most, kBlock));
}

void Checker::check(Bytes bytes) {
    while (!bytes.empty()) {
        const Bytes expected = pattern_from(offset_, bytes.size());
        ok_ = ok_ && std::memcmp(bytes.data(), expected.data(), expected.size()) == 0;
        offset_ += expected.size();
        bytes = bytes.subspan(expected.size());
    }
}

std::vector<std::uint8_t> make_request(std::array<std::uint8_t, kHeader> head, std::size_t size) {
    std::vector<std::uint8_t> bytes(head.begin(), head.end());
    while (bytes.size() < size) {
        const Bytes rest = pattern_from(bytes.size() - kHeader, size - bytes.size());
        bytes.insert(bytes.end(), rest.begin(), rest.end());
    }
    return bytes;
}

void Served::on_bytes(Bytes bytes) {
    if (head_length_ < kHeader) {
        const std::size_t length = std::min(bytes.size(), kHeader - head_length_);
        std::copy_n(bytes.begin(), length, head_.begin() + static_cast<long>(head_length_));
        head_length_ += length;
        bytes = bytes.subspan(length);
        if (head_length_ == kHeader) on_header();
    }
    if (bytes.empty()) return;
    checker_.check(bytes);
}

void Served::on_header() {
    const std::uint64_t value = read_uint64(head_);
    kind_ = static_cast<Kind>(value >> 56);
    asked_ = value & kEndless;
    if (kind_ == Kind::kCount) first_ = Clock::now();
    if (kind_ != Kind::kPour) return;
    size_ = asked_;
    answering_ = true;
}

void Served::on_end() {
    if (answering_) return;
    answering_ = true;
    if (head_length_ < kHeader) return;
    if (kind_ == Kind::kAnswer) size_ = checker_.ok() ? asked_ : 0;
    if (kind_ != Kind::kCount) return;
    const auto span = Clock::now() - first_;
    write_uint64(count_.data(), checker_.ok() ? checker_.offset() : UINT64_MAX);
    write_uint64(count_.data() + 8, static_cast<std::uint64_t>(span.count()));
    size_ = count_.size();
}

Bytes Served::next() const {
    if (!answering_) return {};
    if (kind_ == Kind::kCount) return Bytes(count_).subspan(sent_);
    return pattern_from(sent_, size_ - sent_);
}

std::optional<Count> parse_count(Bytes answer) {
    if (answer.size() != 16 || read_uint64(answer) == UINT64_MAX) return {};
    return Count{read_uint64(answer), static_cast<double>(read_uint64(answer.subspan(8))) / 1e9};
}

// --- The command line ---

namespace {

Mode mode_of(const std::string& name) {
    static const std::map<std::string, Mode> modes = {
        {"down", Mode::kDown},           {"up", Mode::kUp},
        {"both", Mode::kBoth},           {"requests", Mode::kRequests},
        {"datagrams", Mode::kDatagrams}, {"handshakes", Mode::kHandshakes},
        {"idle", Mode::kIdle},           {"active", Mode::kActive}};
    const auto at = modes.find(name);
    if (at == modes.end()) fail("no such mode: " + name);
    return at->second;
}

class Flags {
public:
    Flags(int argc, char** argv) {
        for (int i = 2; i < argc; i += 2) {
            if (i + 1 == argc) fail(std::string(argv[i]) + ": no value");
            values_[argv[i]] = argv[i + 1];
        }
    }

    void take(const char* name, std::string& value) {
        const auto at = values_.find(name);
        if (at == values_.end()) return;
        value = at->second;
        values_.erase(at);
    }

    template <typename Number>
    void take(const char* name, Number& value) {
        std::string text;
        take(name, text);
        if (!text.empty()) value = static_cast<Number>(std::strtod(text.c_str(), nullptr));
    }

    void nothing_is_left() const {
        if (!values_.empty()) fail("no such flag: " + values_.begin()->first);
    }

private:
    std::map<std::string, std::string> values_;
};

}  // namespace

Options parse_options(int argc, char** argv) {
    const std::string role = argc > 1 ? argv[1] : "";
    if (role != "server" && role != "client") fail("usage: server|client --flag value ...");
    Options options;
    options.is_server = role == "server";
    Flags flags(argc, argv);
    std::string mode = "down";
    flags.take("--listen", options.listen);
    flags.take("--connect", options.connect);
    flags.take("--cert", options.cert);
    flags.take("--key", options.key);
    flags.take("--ca", options.ca);
    flags.take("--mode", mode);
    flags.take("--seconds", options.seconds);
    flags.take("--streams", options.streams);
    flags.take("--request", options.request);
    flags.take("--response", options.response);
    flags.take("--in-flight", options.in_flight);
    flags.take("--connections", options.connections);
    flags.take("--write", options.write);
    flags.take("--rate", options.rate);
    flags.take("--bulk", options.bulk);
    flags.take("--resumed", options.resumed);
    flags.take("--datagram", options.datagram);
    flags.take("--window", options.window);
    flags.take("--spin", options.spin_us);
    flags.nothing_is_left();
    options.mode = mode_of(mode);
    return options;
}

Span span_of(const Options& options, Clock::time_point now) {
    const auto whole =
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds));
    return {now + whole / 10, now + whole};
}

// --- What a client measured ---

double Latencies::quantile_us(double share) {
    if (times_.empty()) return 0;
    const double rank = std::ceil(share * static_cast<double>(times_.size()));
    const auto at = times_.begin() + std::max(0L, static_cast<long>(rank) - 1);
    std::nth_element(times_.begin(), at, times_.end());
    return static_cast<double>(*at) / 1e3;
}

void Report::print() {
    std::printf(
        "{\"bytes_down\": %llu, \"bytes_up\": %llu, \"count\": %llu, \"seconds\": %.6f, "
        "\"verified\": %s, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f}\n",
        static_cast<unsigned long long>(bytes_down), static_cast<unsigned long long>(bytes_up),
        static_cast<unsigned long long>(count), seconds, verified ? "true" : "false",
        latencies.quantile_us(0.5), latencies.quantile_us(0.99), latencies.quantile_us(0.999));
    std::fflush(stdout);
}

void unsupported(const char* reason) {
    std::printf("{\"unsupported\": \"%s\"}\n", reason);
    std::fflush(stdout);
    std::_Exit(0);
}

void fail(const std::string& what) {
    std::fprintf(stderr, "driver: %s\n", what.c_str());
    std::_Exit(1);
}

void set_socket_buffers(int descriptor) {
    // The forced kinds need a privilege; the plain ones are cut to the machine's limit.
    for (const int name : {SO_RCVBUF, SO_SNDBUF, SO_RCVBUFFORCE, SO_SNDBUFFORCE}) {
        (void)::setsockopt(descriptor, SOL_SOCKET, name, &kSocketBuffer, sizeof kSocketBuffer);
    }
}

}  // namespace race
