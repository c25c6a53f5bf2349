// The two applications: one writes a pattern as fast as it is taken, the other compares what comes.
#include <algorithm>
#include <cstring>

#include "end.h"
#include "io/clock.h"
#include "process.h"

namespace stoq::bench {
namespace {

// Prime, so that bytes of the wrong place never match: neither packets nor pages repeat with it.
constexpr std::size_t kPeriod = 65'521;
constexpr std::size_t kPeriodsPerWrite = 4;
constexpr Duration kSettlingTime = std::chrono::seconds(2);
// The ends do not begin in the same moment: the steady state ends before either of them does.
constexpr Duration kLeadOut = std::chrono::milliseconds(200);
constexpr Duration kPatience = std::chrono::seconds(20);

// The pattern, one period more often than it is written at once.
const std::vector<std::uint8_t>& pattern() {
    static const std::vector<std::uint8_t> bytes = [] {
        std::vector<std::uint8_t> made(kPeriod * (kPeriodsPerWrite + 1));
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

// Whether `bytes` are those of the pattern from `offset` on.
bool matches(ByteView bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
        const std::size_t length = std::min(bytes.size(), kPeriod * kPeriodsPerWrite);
        if (std::memcmp(bytes.data(), pattern().data() + offset % kPeriod, length) != 0) {
            return false;
        }
        bytes = bytes.subspan(length);
        offset += length;
    }
    return true;
}

// Notes the totals at the begin and the end of the steady state.
void note_steady_state(const End& end, Instant first, Duration span, EndReport& report) {
    const Duration past = end.now() - first;
    if (report.begin.rounds == 0 && past >= std::min(kSettlingTime, span / 4)) {
        report.begin = end.snapshot();
    }
    if (report.end.rounds == 0 && past >= span - kLeadOut) report.end = end.snapshot();
}

class Sender {
public:
    Sender(io::UdpDatapath& datapath, const ClientConfig& config, Duration span, EndReport& report)
        : end_(datapath, io::now()),
          block_(SharedBytes::immortal(ByteView(pattern()).first(kPeriod * kPeriodsPerWrite))),
          span_(span),
          report_(report) {
        auto connection = end_.endpoint().connect(config, end_.now());
        if (!connection) give_up("cannot connect");
        connection_ = *connection;
    }

    void run() {
        const Instant give_up_at = io::now() + span_ + kPatience;
        while (!closed_ && end_.now() < give_up_at) {
            end_.round([this] { work(); });
        }
        report_.whole = end_.snapshot();
    }

private:
    void work() {
        while (const auto event = end_.endpoint().poll_event()) {
            if (std::holds_alternative<ConnectionEstablished>(*event)) begin();
            if (std::holds_alternative<StreamDelivered>(*event)) delivered();
            if (std::holds_alternative<ConnectionClosed>(*event)) closed_ = true;
        }
        if (!stream_ || finished_) return;
        note_steady_state(end_, first_, span_, report_);
        if (end_.now() - first_ < span_) {
            write();
        } else {
            finish();
        }
    }

    void begin() {
        const auto stream =
            end_.endpoint().open_stream(connection_, Directionality::kBidirectional);
        if (!stream) give_up("no stream");
        stream_ = *stream;
        first_ = end_.now();
    }

    void write() {
        while (end_.endpoint().write(connection_, *stream_, block_).value_or(0) > 0) {
            end_.count_payload(block_.size());
        }
    }

    void finish() {
        (void)end_.endpoint().finish(connection_, *stream_);
        finished_ = true;
        report_.bytes = end_.snapshot().payload_bytes;
    }

    void delivered() {
        report_.complete = true;
        if (const auto statistics = end_.endpoint().statistics(connection_)) {
            report_.connection = *statistics;
        }
        (void)end_.endpoint().close(connection_, 0);
    }

    End end_;
    SharedBytes block_;
    Duration span_;
    EndReport& report_;
    ConnectionHandle connection_;
    std::optional<StreamId> stream_;
    Instant first_;
    bool finished_ = false;
    bool closed_ = false;
};

class Receiver {
public:
    Receiver(io::UdpDatapath& datapath, const ServerConfig& config, Duration span,
             EndReport& report)
        : end_(datapath, io::now()), span_(span), report_(report) {
        if (!end_.endpoint().listen(config)) give_up("cannot listen");
        report_.verified = true;
    }

    void run() {
        const Instant give_up_at = io::now() + span_ + kPatience;
        while (!closed_ && end_.now() < give_up_at) {
            end_.round([this] { work(); });
        }
        report_.whole = end_.snapshot();
    }

private:
    void work() {
        while (const auto event = end_.endpoint().poll_event()) {
            if (const auto* readable = std::get_if<StreamReadable>(&*event)) read(*readable);
            if (std::holds_alternative<ConnectionClosed>(*event)) closed_ = true;
        }
        if (report_.bytes > 0) note_steady_state(end_, first_, span_, report_);
    }

    void read(const StreamReadable& readable) {
        if (report_.bytes == 0) first_ = end_.now();
        std::array<ByteView, 64> pieces;
        for (;;) {
            const auto shown = end_.endpoint().peek(readable.connection, readable.stream, pieces);
            if (!shown || (shown->length == 0 && !shown->finished)) return;
            for (const ByteView& piece : std::span(pieces).first(shown->count)) {
                report_.verified &= matches(piece, report_.bytes);
                report_.bytes += piece.size();
            }
            end_.count_payload(shown->length);
            (void)end_.endpoint().consume(readable.connection, readable.stream, shown->length);
            if (shown->finished) return complete(readable);
        }
    }

    void complete(const StreamReadable& readable) {
        report_.complete = true;
        report_.seconds = std::chrono::duration<double>(end_.now() - first_).count();
        if (const auto statistics = end_.endpoint().statistics(readable.connection)) {
            report_.connection = *statistics;
        }
    }

    End end_;
    Duration span_;
    EndReport& report_;
    Instant first_;
    bool closed_ = false;
};

}  // namespace

void run_sender(io::UdpDatapath& datapath, const ClientConfig& config, Duration span,
                EndReport& report) {
    Sender(datapath, config, span, report).run();
}

void run_receiver(io::UdpDatapath& datapath, const ServerConfig& config, Duration span,
                  EndReport& report) {
    Receiver(datapath, config, span, report).run();
}

}  // namespace stoq::bench
