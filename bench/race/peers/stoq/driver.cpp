// The race's driver on STOQ, over the public interface. See bench/race/README.md.
#include "driver.h"

namespace race {
namespace {

// What is in flight waits in the peer's socket buffer and then in both caches: more of it than
// keeps the peer busy makes everything slower.
constexpr std::uint64_t kMostInFlight = 2 << 20;
// Below this a copy costs less than keeping count of a reference.
constexpr std::size_t kWorthSharing = 4096;
constexpr std::uint32_t kPacketsPerAck = 32;

}  // namespace

stoq::Settings settings_of(const Options& options) {
    stoq::Settings settings;
    settings.initial_datagram_size = options.datagram;
    settings.max_datagram_size = options.datagram;
    settings.congestion = stoq::CongestionAlgorithm::kCubic;
    settings.max_congestion_window = kMostInFlight;
    settings.initial_stream_window = settings.max_stream_window = options.window;
    settings.initial_connection_window = settings.max_connection_window = options.window;
    settings.max_bidirectional_streams = 1000;
    settings.ack_eliciting_threshold = kPacketsPerAck;
    settings.idle_timeout = std::chrono::seconds(60);
    return settings;
}

std::unique_ptr<stoq::Runtime> make_runtime(const Options& options) {
    stoq::RuntimeSettings settings;
    settings.spin = std::chrono::microseconds(options.spin_us);
    settings.endpoint.retry = stoq::RetryPolicy::kNever;
    settings.endpoint.receive_budget = std::uint64_t{1} << 40;
    auto runtime = stoq::Runtime::create(settings);
    if (!runtime) fail(runtime.error().message());
    return std::move(*runtime);
}

std::size_t write_copy(stoq::Endpoint& endpoint, const StreamKey& key, Bytes bytes) {
    return endpoint.write(key.connection, key.stream, bytes).value_or(0);
}

std::size_t write_pattern(stoq::Endpoint& endpoint, const StreamKey& key, Bytes bytes) {
    if (bytes.size() < kWorthSharing) return write_copy(endpoint, key, bytes);
    return endpoint.write(key.connection, key.stream, stoq::SharedBytes::immortal(bytes))
        .value_or(0);
}

}  // namespace race

int main(int argc, char** argv) {
    const race::Options options = race::parse_options(argc, argv);
    if (options.is_server) {
        race::run_server(options);
    } else {
        race::run_client(options);
    }
    return 0;
}
