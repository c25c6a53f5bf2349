#include "end.h"

#include <algorithm>

#include "allocation_count.h"
#include "ceiling.h"
#include "io/clock.h"
#include "process.h"

namespace stoq::bench {
namespace {

// After so many trains it is time to see what the peer has acknowledged.
constexpr int kTrainsPerRound = 4;

// Rounds without work before the loop sleeps: waking up costs the peer an interrupt to send.
constexpr unsigned kIdleRounds = 50;

constexpr Duration kLongestSleep = std::chrono::milliseconds(20);

Endpoint make_endpoint(RandomSource& random) {
    auto endpoint = Endpoint::create({}, random);
    if (!endpoint) give_up("no endpoint");
    return std::move(*endpoint);
}

double since(Instant begin, Instant end) {
    return static_cast<double>((end - begin).count());
}

}  // namespace

Settings bulk_settings() {
    Settings settings;
    settings.initial_datagram_size = kDatagram;
    settings.max_datagram_size = kDatagram;
    settings.congestion = CongestionAlgorithm::kCubic;
    // What is in flight waits in the peer's socket buffer and then in both caches: more of it than
    // keeps the peer busy makes everything slower.
    settings.max_congestion_window = 2 << 20;
    settings.initial_send_buffer_per_stream = settings.max_send_buffer_per_stream = 4 << 20;
    settings.initial_stream_window = settings.max_stream_window = 8 << 20;
    settings.initial_connection_window = settings.max_connection_window = 8 << 20;
    // One acknowledgement for each batch that was received.
    settings.ack_eliciting_threshold = 32;
    return settings;
}

std::unique_ptr<io::UdpDatapath> open_datapath() {
    auto datapath = io::UdpDatapath::create({.local = parse_address("127.0.0.1:0")});
    if (!datapath) give_up(datapath.error().message().c_str());
    return std::move(*datapath);
}

End::End(io::UdpDatapath& datapath, Instant started)
    : datapath_(datapath), endpoint_(make_endpoint(random_)), now_(io::now()), started_(started) {}

Snapshot End::snapshot() const {
    Snapshot snapshot = totals_;
    snapshot.wall_ns = since(started_, io::now());
    snapshot.processor_ns = processor_nanoseconds();
    snapshot.allocations = allocation_count();
    snapshot.bytes_copied = endpoint_.statistics().bytes_copied;
    snapshot.datapath = datapath_.counters();
    return snapshot;
}

void End::begin_round() {
    const Instant before = io::now();
    const auto datagrams = datapath_.receive_batch();
    now_ = io::now();
    totals_.receive_ns += since(before, now_);
    ++totals_.rounds;
    idle_ = datagrams.empty();
    if (!datagrams.empty()) {
        count_trains(datagrams);
        endpoint_.receive(datagrams, now_);
    }
    if (endpoint_.next_timeout() <= now_) endpoint_.on_timeout(now_);
}

void End::end_round() {
    endpoint_.settle();
    datapath_.recycle();
    transmit();
    idle_rounds_ = idle_ ? idle_rounds_ + 1 : 0;
    if (idle_rounds_ > kIdleRounds) sleep();
}

// Datagrams of one coalesced buffer lie end to end.
void End::count_trains(std::span<const ReceivedDatagram> datagrams) {
    const std::uint8_t* behind = nullptr;
    for (const ReceivedDatagram& datagram : datagrams) {
        if (datagram.data.data() != behind) ++totals_.trains;
        behind = datagram.data.data() + datagram.data.size();
    }
}

void End::transmit() {
    for (int trains = 0; trains < kTrainsPerRound; ++trains) {
        TransmitSlot* const slot = datapath_.transmit_slot();
        if (slot == nullptr || !endpoint_.transmit(*slot, now_)) break;
        datapath_.commit(*slot);
        flush();
        idle_ = false;
    }
}

void End::flush() {
    const Instant before = io::now();
    datapath_.flush();
    now_ = io::now();
    totals_.send_ns += since(before, now_);
}

void End::sleep() {
    const Duration left = endpoint_.next_timeout() - now_;
    if (left <= Duration::zero()) return;
    datapath_.wait(std::min(left, kLongestSleep), nullptr);
    const Instant after = io::now();
    totals_.wait_ns += since(now_, after);
    now_ = after;
}

}  // namespace stoq::bench
