// stoq perf client: requests side by side or one after the other, counted and timed.
#include <map>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "client_session.h"
#include "latency.h"
#include "perf.h"

namespace stoq::tool {
namespace {

struct PerfOptions {
    ClientOptions client;
    std::string server;
    std::string down = "0";
    std::string up = "0";
    std::string duration;
    std::uint64_t streams = 1;
    std::uint64_t requests = 0;
    bool json = false;
};

// What is to be done.
struct Plan {
    std::uint64_t down = 0;  // bytes per request
    std::uint64_t up = 0;
    std::uint64_t streams = 1;                // at a time
    std::optional<std::uint64_t> requests{};  // in all
    std::optional<Duration> duration{};
};

Plan plan_of(const PerfOptions& options) {
    Plan plan{
        .down = parse_size(options.down), .up = parse_size(options.up), .streams = options.streams};
    if (!options.duration.empty()) plan.duration = parse_duration(options.duration);
    if (options.requests > 0) plan.requests = options.requests;
    if (!plan.requests && !plan.duration) plan.requests = options.streams;
    if (plan.down + plan.up == 0 && plan.duration && !plan.requests) {
        plan.down = std::uint64_t{1} << 40;  // a throughput test that nobody gave a size
    }
    return plan;
}

// Methods run in the session's loop.
class PerfClient {
public:
    PerfClient(ClientSession& session, const Plan& plan) : session_(session), plan_(plan) {
        if (plan.requests) latencies_.reserve(std::min<std::uint64_t>(*plan.requests, 1 << 20));
    }

    void start() {
        started_ = session_.runtime().now();
        if (plan_.duration) {
            session_.runtime().after(*plan_.duration, [this] { time_over_ = true; });
        }
        open_more();
    }
    bool done() const { return time_over_ || (all_opened() && requests_.empty()); }
    Instant started() const { return started_; }

    void on_event(const Event& event) {
        if (const auto* readable = std::get_if<StreamReadable>(&event)) {
            receive(readable->stream);
        } else if (const auto* writable = std::get_if<StreamWritable>(&event)) {
            send(writable->stream);
        } else if (std::get_if<StreamsAvailable>(&event) != nullptr) {
            open_more();
        } else if (std::get_if<StreamReset>(&event) != nullptr ||
                   std::get_if<StreamStopped>(&event) != nullptr) {
            session_.fail({ExitCode::kOther, "the server gave a request up"});
        }
    }

    std::uint64_t received() const { return received_; }
    std::uint64_t sent() const { return sent_; }
    Latencies& latencies() { return latencies_; }

private:
    struct Request {
        Instant opened;
        std::uint64_t to_send = 0;
        std::uint64_t received = 0;
        bool finished = false;
    };

    bool all_opened() const { return plan_.requests && opened_ >= *plan_.requests; }

    void open_more() {
        while (!time_over_ && !all_opened() && requests_.size() < plan_.streams) {
            const auto stream = session_.endpoint().open_stream(session_.connection(),
                                                                Directionality::kBidirectional);
            if (!stream && stream.error() == ApiError::kStreamLimit) return;
            if (!stream) {
                session_.fail({ExitCode::kConnection, std::string(to_string(stream.error()))});
                return;
            }
            ++opened_;
            requests_[stream->value()] = {session_.runtime().now(), plan_.up, 0, false};
            send_header(*stream);
            send(*stream);
        }
    }

    void send_header(StreamId stream) {
        std::array<std::uint8_t, kPerfHeader> header{};
        for (std::size_t i = 0; i < header.size(); ++i) {
            header[i] = static_cast<std::uint8_t>(plan_.down >> (8 * (header.size() - 1 - i)));
        }
        // A stream that is new takes eight bytes.
        (void)session_.endpoint().write(session_.connection(), stream, ByteView(header));
    }

    void send(StreamId stream) {
        const auto at = requests_.find(stream.value());
        if (at == requests_.end() || at->second.finished) return;
        Request& request = at->second;
        while (request.to_send > 0) {
            const auto taken = session_.endpoint().write(session_.connection(), stream,
                                                         perf_bytes(request.to_send));
            if (!taken || *taken == 0) return;
            request.to_send -= *taken;
            sent_ += *taken;
        }
        (void)session_.endpoint().finish(session_.connection(), stream);
        request.finished = true;
    }

    void receive(StreamId stream) {
        const auto at = requests_.find(stream.value());
        if (at == requests_.end()) return;
        auto& endpoint = session_.endpoint();
        while (const auto view = endpoint.peek(session_.connection(), stream)) {
            if (view->bytes.empty() && !view->finished) return;
            const bool finished = view->finished;
            const std::size_t length = view->bytes.size();
            if (!endpoint.consume(session_.connection(), stream, length)) return;
            at->second.received += length;
            received_ += length;
            if (finished) {
                on_answered(at->second);
                requests_.erase(at);
                open_more();
                return;
            }
        }
    }

    void on_answered(const Request& request) {
        latencies_.add(session_.runtime().now() - request.opened);
        if (request.received == plan_.down) return;
        session_.fail(
            {ExitCode::kConnection, fmt::format("the server answered with {} bytes instead of {}",
                                                request.received, plan_.down)});
    }

    ClientSession& session_;
    Plan plan_;
    Instant started_{};
    std::map<std::uint64_t, Request> requests_;
    std::uint64_t opened_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t sent_ = 0;
    Latencies latencies_;
    bool time_over_ = false;
};

struct Report {
    Duration time{};
    Duration handshake{};
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
    std::uint64_t requests = 0;
    Duration p50{};
    Duration p99{};
    Duration p999{};
    ConnectionStatistics statistics{};
    ConnectionInfo info{};
};

double microseconds(Duration duration) {
    return static_cast<double>(duration.count()) / 1e3;
}

void print_json(const Report& report) {
    const nlohmann::ordered_json json = {
        {"seconds", seconds(report.time)},
        {"handshake_microseconds", microseconds(report.handshake)},
        {"down_bytes", report.received},
        {"up_bytes", report.sent},
        {"down_gigabits_per_second", gigabits_per_second(report.received, report.time)},
        {"up_gigabits_per_second", gigabits_per_second(report.sent, report.time)},
        {"requests", report.requests},
        {"p50_microseconds", microseconds(report.p50)},
        {"p99_microseconds", microseconds(report.p99)},
        {"p999_microseconds", microseconds(report.p999)},
        {"smoothed_rtt_microseconds", microseconds(report.statistics.smoothed_rtt)},
        {"packets_sent", report.statistics.packets_sent},
        {"packets_received", report.statistics.packets_received},
        {"packets_lost", report.statistics.packets_lost},
        {"datagram_bytes", report.statistics.datagram_size},
        {"group", report.info.key_exchange_group},
        {"signature", report.info.signature},
        {"cipher", report.info.cipher_suite},
        {"chain", report.info.peer_chain},
        {"client_signature", report.info.client_signature},
    };
    fmt::print("{}\n", json.dump(2));
}

void print_text(const Report& report) {
    fmt::print("handshake  {}\n", show_duration(report.handshake));
    fmt::print("down       {} in {}, {:.3f} Gbit/s\n", show_size(report.received),
               show_duration(report.time), gigabits_per_second(report.received, report.time));
    fmt::print("up         {} in {}, {:.3f} Gbit/s\n", show_size(report.sent),
               show_duration(report.time), gigabits_per_second(report.sent, report.time));
    fmt::print("requests   {} answered, {:.0f} per second\n", report.requests,
               static_cast<double>(report.requests) / std::max(1e-9, seconds(report.time)));
    if (report.requests > 0) {
        fmt::print("latency    p50 {}, p99 {}, p99.9 {}\n", show_duration(report.p50),
                   show_duration(report.p99), show_duration(report.p999));
    }
    fmt::print("path       rtt {}, datagrams of {} bytes, {} packets lost of {} sent\n",
               show_duration(report.statistics.smoothed_rtt), report.statistics.datagram_size,
               report.statistics.packets_lost, report.statistics.packets_sent);
}

void print_perf_result(const Report& report) {
    fmt::print(
        "RESULT seconds={:.3f} down_bytes={} up_bytes={} down_gbps={:.3f} up_gbps={:.3f} "
        "requests={} "
        "p50_us={:.1f} p99_us={:.1f} p999_us={:.1f} handshake_us={:.1f} {}\n",
        seconds(report.time), report.received, report.sent,
        gigabits_per_second(report.received, report.time),
        gigabits_per_second(report.sent, report.time), report.requests, microseconds(report.p50),
        microseconds(report.p99), microseconds(report.p999), microseconds(report.handshake),
        negotiated(report.info));
}

void run_perf_client(const PerfOptions& options) {
    const Plan plan = plan_of(options);
    ClientSession session(options.client, parse_authority(options.server), kPerfProtocol);
    session.connect();
    PerfClient client(session, plan);
    session.set_handler([&](const Event& event) { client.on_event(event); });
    client.start();
    session.run_until([&] { return client.done(); });
    Report report;
    report.time = session.runtime().now() - client.started();
    report.handshake = session.handshake_time();
    report.received = client.received();
    report.sent = client.sent();
    report.requests = client.latencies().count();
    report.p50 = client.latencies().quantile(0.5);
    report.p99 = client.latencies().quantile(0.99);
    report.p999 = client.latencies().quantile(0.999);
    report.info = session.info();
    if (const auto counts = session.endpoint().statistics(session.connection())) {
        report.statistics = *counts;
    }
    session.set_handler({});
    session.close();
    options.json ? print_json(report) : print_text(report);
    print_perf_result(report);
}

}  // namespace

void add_perf_client(CLI::App& perf) {
    auto options = std::make_shared<PerfOptions>();
    CLI::App* const command = perf.add_subcommand("client", "asks, and prints what it measured");
    command->add_option("server", options->server, "host:port")->required();
    command->add_option("--down", options->down, "bytes to receive per request, such as 1G")
        ->capture_default_str();
    command->add_option("--up", options->up, "bytes to send per request")->capture_default_str();
    command->add_option("--duration", options->duration,
                        "repeat requests for so long, such as 10s, then stop in the middle");
    command->add_option("--streams", options->streams, "requests at a time, a stream for each")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{100000}))
        ->capture_default_str();
    command->add_option("--requests", options->requests,
                        "requests in all (default: one per stream)");
    command->add_flag("--json", options->json, "JSON instead of text, before the RESULT line");
    add_client_options(*command, options->client);
    command->callback([options] { run_perf_client(*options); });
}

}  // namespace stoq::tool
