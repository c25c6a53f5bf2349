#include "sim/bulk_flows.h"

#include <algorithm>

#include "sim/scenario.h"

namespace stoq::sim {
namespace {

constexpr std::size_t kChunk = 256 * 1024;
constexpr Duration kSampleInterval = std::chrono::milliseconds(5);

double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

SharedBytes chunk() {
    static const std::vector<std::uint8_t> bytes(kChunk, 0x5a);
    return SharedBytes::immortal(bytes);
}

Address sender_address(std::size_t flow) {
    return host_address(static_cast<std::uint8_t>(10 + flow), 40'000);
}

// Passes datagrams on to an element that several hosts share.
class Shared final : public Element {
public:
    explicit Shared(Element& element) : element_(element) {}
    void process(InFlight in, std::vector<InFlight>& out) override {
        element_.process(std::move(in), out);
    }

private:
    Element& element_;
};

std::uint64_t queue_bytes(const BulkScenario& scenario) {
    const double product =
        static_cast<double>(scenario.bits_per_second) / 8 * seconds(scenario.round_trip);
    constexpr double kLeast = 16 * 1500.0;
    return static_cast<std::uint64_t>(std::max(product * scenario.queue_products, kLeast));
}

Settings settings_of(const BulkScenario& scenario) {
    Settings settings;
    settings.initial_datagram_size = settings.max_datagram_size;
    settings.idle_timeout = std::chrono::seconds(120);
    settings.ecn = scenario.mark_above > 0;
    return settings;
}

}  // namespace

// Opens one stream and fills it.
class BulkWorld::Sender final : public Application {
public:
    Sender(Host& host, const BulkScenario& scenario, const BulkFlow& flow)
        : host_(host),
          settings_(settings_of(scenario)),
          starts_at_(Simulation::kStart + flow.starts_after) {
        settings_.congestion = flow.congestion;
    }

    void on_event(const Event& event, Instant) override {
        if (std::holds_alternative<ConnectionEstablished>(event)) {
            stream_ =
                host_.endpoint().open_stream(connection_, Directionality::kUnidirectional).value();
            writable_ = true;
        }
        if (std::holds_alternative<StreamWritable>(event)) writable_ = true;
    }

    bool pump(Instant now) override {
        if (now >= starts_at_ && !started_) {
            started_ = true;
            ClientConfig config = client_config(settings_);
            config.local = host_.address();
            connection_ = host_.endpoint().connect(config, now).value();
            return true;
        }
        if (!writable_) return false;
        writable_ = host_.endpoint().write(connection_, *stream_, chunk()).value() > 0;
        return writable_;
    }

    Instant next_wake() const override { return started_ ? kNever : starts_at_; }

    ConnectionStatistics statistics() const {
        return started_ ? host_.endpoint().statistics(connection_).value() : ConnectionStatistics{};
    }

private:
    Host& host_;
    Settings settings_;
    Instant starts_at_;
    ConnectionHandle connection_;
    std::optional<StreamId> stream_;
    bool started_ = false;
    bool writable_ = false;
};

// Reads whatever comes and counts it by the sender's address.
class BulkWorld::Receiver final : public Application {
public:
    Receiver(Endpoint& endpoint, std::size_t flows) : endpoint_(endpoint), delivered_(flows) {}

    void on_event(const Event& event, Instant) override {
        const auto* readable = std::get_if<StreamReadable>(&event);
        if (readable == nullptr) return;
        const Address remote = endpoint_.info(readable->connection).value().remote;
        for (;;) {
            const ReadView view = endpoint_.peek(readable->connection, readable->stream).value();
            if (view.bytes.empty()) return;
            for (std::size_t flow = 0; flow < delivered_.size(); ++flow) {
                if (remote == sender_address(flow)) delivered_[flow] += view.bytes.size();
            }
            const std::size_t length = view.bytes.size();
            (void)endpoint_.consume(readable->connection, readable->stream, length);
        }
    }
    bool pump(Instant) override { return false; }

    void restart_counts() { std::ranges::fill(delivered_, 0); }
    const std::vector<std::uint64_t>& delivered() const { return delivered_; }

private:
    Endpoint& endpoint_;
    std::vector<std::uint64_t> delivered_;
};

BulkWorld::BulkWorld(const BulkScenario& scenario)
    : scenario_(scenario),
      bottleneck_({.bits_per_second = scenario.bits_per_second,
                   .queue_bytes = queue_bytes(scenario),
                   .mark_above = scenario.mark_above}),
      server_(simulation_.add_host({.address = server_address(),
                                    .endpoint = {},
                                    .seed = scenario.seed,
                                    .max_datagrams = 16,
                                    .receive_interval = {}})),
      receiver_(std::make_unique<Receiver>(server_.endpoint(), scenario.flows.size())) {
    (void)server_.endpoint().listen(server_config(settings_of(scenario)));
    server_.set_application(receiver_.get());
    server_.uplink().add(
        std::make_unique<Delay>(Delay::Settings{.delay = scenario.round_trip / 2}, scenario.seed));
    for (std::size_t flow = 0; flow < scenario.flows.size(); ++flow) {
        Host& host = simulation_.add_host({.address = sender_address(flow),
                                           .endpoint = {},
                                           .seed = scenario.seed + 100 + flow,
                                           .max_datagrams = 16,
                                           .receive_interval = {}});
        if (scenario.loss > 0) {
            host.uplink().add(std::make_unique<Loss>(scenario.loss, scenario.seed + 200 + flow));
        }
        host.uplink().add(std::make_unique<Shared>(bottleneck_));
        host.uplink().add(std::make_unique<Delay>(Delay::Settings{.delay = scenario.round_trip / 2},
                                                  scenario.seed));
        senders_.push_back(std::make_unique<Sender>(host, scenario, scenario.flows[flow]));
        host.set_application(senders_.back().get());
    }
    restart_counts();
}

BulkWorld::~BulkWorld() = default;

void BulkWorld::run_for(Duration duration) {
    const Instant end = simulation_.now() + duration;
    while (simulation_.now() < end) {
        simulation_.run_for(std::min(kSampleInterval, end - simulation_.now()));
        queue_seconds_ += seconds(bottleneck_.backlog(simulation_.now()));
        ++samples_;
    }
}

void BulkWorld::restart_counts() {
    receiver_->restart_counts();
    counted_since_ = simulation_.now();
    queue_seconds_ = 0;
    samples_ = 0;
}

ConnectionStatistics BulkWorld::statistics(std::size_t flow) const {
    return senders_[flow]->statistics();
}

BulkResult BulkWorld::result() const {
    BulkResult result;
    double sum = 0;
    double squares = 0;
    for (const std::uint64_t bytes : receiver_->delivered()) {
        sum += static_cast<double>(bytes);
        squares += static_cast<double>(bytes) * static_cast<double>(bytes);
    }
    for (const std::uint64_t bytes : receiver_->delivered()) {
        result.shares.push_back(sum > 0 ? static_cast<double>(bytes) / sum : 0);
    }
    const double capacity = static_cast<double>(bottleneck_.bits_per_second()) / 8 *
                            seconds(simulation_.now() - counted_since_);
    result.utilisation = sum / capacity;
    result.fairness =
        squares > 0 ? sum * sum / (static_cast<double>(senders_.size()) * squares) : 0;
    result.mean_queue_ms = samples_ > 0 ? queue_seconds_ * 1000 / static_cast<double>(samples_) : 0;
    std::uint64_t sent = 0;
    std::uint64_t lost = 0;
    for (const auto& sender : senders_) {
        sent += sender->statistics().packets_sent;
        lost += sender->statistics().packets_lost;
    }
    result.loss_share = sent > 0 ? static_cast<double>(lost) / static_cast<double>(sent) : 0;
    return result;
}

BulkResult run_bulk(const BulkScenario& scenario) {
    BulkWorld world(scenario);
    world.run_for(scenario.warm_up);
    world.restart_counts();
    world.run_for(scenario.measured);
    return world.result();
}

}  // namespace stoq::sim
