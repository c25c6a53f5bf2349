// How fast packets are sealed, opened and masked: by each backend, and by the whole path of
// protection/, which adds nonces, batching and header protection.
//
//   aead_bench [--benchmark_filter=...]   ns per packet in "per_packet", bytes per second beside it
#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "protection/open.h"
#include "protection/seal.h"

namespace {

using namespace stoq;
using crypto::Backend;
using crypto::CipherSuite;
using crypto::Direction;

constexpr std::size_t kTrain = 44;  // segments of 1452 bytes that fit into one GSO send
constexpr std::size_t kHeader = 13;
constexpr std::uint32_t kNumberOffset = 9;

struct Setting {
    CipherSuite suite;
    Backend backend;
    std::string name;
};

const std::vector<std::uint8_t> kKey(32, 1);

ByteView key_of(CipherSuite suite) {
    return ByteView(kKey).first(crypto::properties_of(suite).key_size);
}

void report(benchmark::State& state, std::size_t packets, std::size_t bytes_per_packet) {
    const auto count = static_cast<double>(packets);
    state.counters["per_packet"] = benchmark::Counter(
        count, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
    state.SetBytesProcessed(
        static_cast<std::int64_t>(state.iterations() * packets * bytes_per_packet));
}

// Packets of one size, back to back.
class Train {
public:
    Train(std::size_t packet_size, std::size_t count)
        : packet_size_(packet_size), count_(count), bytes_(packet_size * count, 0x71) {}

    std::vector<crypto::SealRequest> seal_requests() {
        std::vector<crypto::SealRequest> requests;
        for (std::size_t i = 0; i < count_; ++i) {
            std::uint8_t* packet = bytes_.data() + i * packet_size_;
            requests.push_back({{packet, kHeader},
                                {packet + kHeader, packet_size_ - kHeader - crypto::kTagSize},
                                packet + kHeader,
                                crypto::Nonce{static_cast<std::uint8_t>(i)}});
        }
        return requests;
    }

    std::vector<crypto::OpenRequest> open_requests() {
        std::vector<crypto::OpenRequest> requests;
        for (std::size_t i = 0; i < count_; ++i) {
            std::uint8_t* packet = bytes_.data() + i * packet_size_;
            requests.push_back({{packet, kHeader},
                                {packet + kHeader, packet_size_ - kHeader},
                                crypto::Nonce{static_cast<std::uint8_t>(i)},
                                false});
        }
        return requests;
    }

    std::vector<protection::PacketToSeal> packets_to_seal() {
        std::vector<protection::PacketToSeal> packets;
        for (std::size_t i = 0; i < count_; ++i) {
            packets.push_back({bytes_.data() + i * packet_size_, kNumberOffset,
                               static_cast<std::uint32_t>(packet_size_ - crypto::kTagSize), 4,
                               PacketNumber(i)});
        }
        return packets;
    }

    std::vector<protection::PacketToOpen> packets_to_open() {
        std::vector<protection::PacketToOpen> packets(count_);
        for (std::size_t i = 0; i < count_; ++i) {
            packets[i].packet = Bytes(bytes_).subspan(i * packet_size_, packet_size_);
            packets[i].packet_number_offset = kNumberOffset;
            packets[i].type = wire::PacketType::kOneRtt;
        }
        return packets;
    }

    void write_headers() {
        for (std::size_t i = 0; i < count_; ++i) bytes_[i * packet_size_] = 0x43;
    }

    std::vector<std::uint8_t>& bytes() { return bytes_; }

private:
    std::size_t packet_size_;
    std::size_t count_;
    std::vector<std::uint8_t> bytes_;
};

void seal_batch(benchmark::State& state, const Setting& setting) {
    const auto size = static_cast<std::size_t>(state.range(0));
    Train train(size, kTrain);
    const auto requests = train.seal_requests();
    const auto aead =
        crypto::make_aead(setting.suite, Direction::kSeal, key_of(setting.suite), setting.backend);
    for (auto _ : state) aead->seal(requests);
    report(state, kTrain, size);
}

// What is opened is noise: a failed tag costs what a good one does.
void open_batch(benchmark::State& state, const Setting& setting) {
    const auto size = static_cast<std::size_t>(state.range(0));
    Train train(size, kTrain);
    auto requests = train.open_requests();
    const auto aead =
        crypto::make_aead(setting.suite, Direction::kOpen, key_of(setting.suite), setting.backend);
    for (auto _ : state) aead->open(requests);
    report(state, kTrain, size);
}

void mask_batch(benchmark::State& state, const Setting& setting) {
    const auto count = static_cast<std::size_t>(state.range(0));
    Train train(64, count);
    std::vector<const std::uint8_t*> samples;
    for (std::size_t i = 0; i < count; ++i) samples.push_back(train.bytes().data() + i * 64);
    std::vector<crypto::HeaderMask> masks(count);
    const auto masker =
        crypto::make_header_masker(setting.suite, key_of(setting.suite), setting.backend);
    for (auto _ : state) masker->masks(samples, masks);
    report(state, count, crypto::kSampleSize);
}

void seal_path(benchmark::State& state, const Setting& setting) {
    const auto size = static_cast<std::size_t>(state.range(0));
    Train train(size, kTrain);
    auto keys = protection::make_packet_keys({.suite = setting.suite, .backend = setting.backend},
                                             Direction::kSeal, crypto::Secret::of_size(32));
    const auto packets = train.packets_to_seal();
    for (auto _ : state) {
        train.write_headers();
        protection::seal(keys, packets);
    }
    report(state, kTrain, size);
}

void open_path(benchmark::State& state, const Setting& setting) {
    const auto size = static_cast<std::size_t>(state.range(0));
    const protection::KeyParameters parameters{.suite = setting.suite, .backend = setting.backend};
    const auto secret = crypto::Secret::of_size(32);
    auto sealing = protection::make_packet_keys(parameters, Direction::kSeal, secret);
    auto opening = protection::make_packet_keys(parameters, Direction::kOpen, secret);
    Train sealed(size, kTrain);
    sealed.write_headers();
    protection::seal(sealing, sealed.packets_to_seal());
    Train train(size, kTrain);
    const auto fresh = train.packets_to_open();
    std::size_t opened = 0;
    for (auto _ : state) {
        // A batch must be sealed to be opened; the copy is part of the figure.
        std::ranges::copy(sealed.bytes(), train.bytes().begin());
        auto packets = fresh;
        protection::remove_header_protection(*opening.header, packets);
        for (std::size_t i = 0; i < kTrain; ++i) packets[i].packet_number = PacketNumber(i);
        protection::open(opening.payload, packets);
        for (const auto& packet : packets) opened += packet.opened.has_value() ? 1 : 0;
    }
    if (opened != state.iterations() * kTrain) state.SkipWithError("packets did not open");
    report(state, kTrain, size);
}

void add(const char* what, void (*run)(benchmark::State&, const Setting&), const Setting& setting,
         const std::vector<std::int64_t>& arguments) {
    const std::string name = std::string(what) + "/" + setting.name;
    auto* added = benchmark::RegisterBenchmark(
        name.c_str(), [run, setting](benchmark::State& state) { run(state, setting); });
    for (const std::int64_t argument : arguments) added->Arg(argument);
}

void add_all(const Setting& setting) {
    const std::vector<std::int64_t> sizes = {64, 256, 1200, 1452, 4096, 9000, 16384};
    add("seal", seal_batch, setting, sizes);
    add("open", open_batch, setting, sizes);
    add("masks", mask_batch, setting, {1, 8, 44, 64});
    if (setting.suite == CipherSuite::kAes256GcmSha384) return;
    add("seal_path", seal_path, setting, {1200, 1452});
    add("open_path", open_path, setting, {1200, 1452});
}

// Prints the usual table, then the figures of one packet in one line for scripts.
class Reporter : public benchmark::ConsoleReporter {
public:
    void ReportRuns(const std::vector<Run>& runs) override {
        for (const Run& run : runs) {
            const auto counter = run.counters.find("per_packet");
            if (run.error_occurred || counter == run.counters.end()) continue;
            std::string name = run.benchmark_name();
            std::ranges::replace(name, '/', '_');
            char figure[32];
            std::snprintf(figure, sizeof figure, "%.1f", counter->second.value * 1e9);
            result_ += " " + name + "_ns=" + figure;
        }
        ConsoleReporter::ReportRuns(runs);
    }

    void print_result() const { std::printf("RESULT%s\n", result_.c_str()); }

private:
    std::string result_;
};

}  // namespace

int main(int argc, char** argv) {
    for (const auto& [suite, name] :
         {std::pair{CipherSuite::kAes128GcmSha256, "aes128"},
          std::pair{CipherSuite::kAes256GcmSha384, "aes256"},
          std::pair{CipherSuite::kChaCha20Poly1305Sha256, "chacha20"}}) {
        add_all({suite, Backend::kOpenssl, std::string(name) + "/openssl"});
        if (crypto::is_available(Backend::kIpsecMb)) {
            add_all({suite, Backend::kIpsecMb, std::string(name) + "/ipsec_mb"});
        }
    }
    benchmark::Initialize(&argc, argv);
    Reporter reporter;
    benchmark::RunSpecifiedBenchmarks(&reporter);
    reporter.print_result();
}
