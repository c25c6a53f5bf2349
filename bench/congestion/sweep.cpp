// How the congestion controllers fare in the simulator over many bottlenecks; one line of CSV for
// each. bench/congestion/report makes a page of them.
//
// Usage: sweep [PART PARTS]: only every PARTS-th bottleneck, beginning with number PART.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "sim/bulk_flows.h"

namespace {

using stoq::CongestionAlgorithm;
using stoq::Duration;
using stoq::sim::BulkResult;
using stoq::sim::BulkScenario;

constexpr std::array kAlgorithms{CongestionAlgorithm::kCubic, CongestionAlgorithm::kNewReno,
                                 CongestionAlgorithm::kBbr};
constexpr std::array<std::uint64_t, 4> kMegabits{1, 10, 100, 1000};
constexpr std::array<int, 4> kRoundTripsMs{1, 10, 30, 100};
constexpr std::array kLosses{0.0, 0.001, 0.01, 0.05};
constexpr std::uint64_t kMillion = 1'000'000;

struct Case {
    std::string_view kind;
    std::vector<CongestionAlgorithm> flows;
    std::uint64_t megabits;
    int round_trip_ms;
    double loss;
};

const char* name_of(CongestionAlgorithm algorithm) {
    switch (algorithm) {
        case CongestionAlgorithm::kNewReno: return "newreno";
        case CongestionAlgorithm::kCubic: return "cubic";
        case CongestionAlgorithm::kBbr: return "bbr";
    }
    return "";
}

// Alone under loss; two alike, of which one comes later; and each beside CUBIC.
std::vector<Case> cases() {
    std::vector<Case> all;
    for (const std::uint64_t megabits : kMegabits) {
        for (const int round_trip : kRoundTripsMs) {
            for (const CongestionAlgorithm algorithm : kAlgorithms) {
                for (const double loss : kLosses) {
                    all.push_back({"alone", {algorithm}, megabits, round_trip, loss});
                }
                if (megabits > 100) continue;
                all.push_back({"alike", {algorithm, algorithm}, megabits, round_trip, 0});
                if (algorithm == CongestionAlgorithm::kCubic) continue;
                all.push_back(
                    {"beside_cubic", {algorithm, kAlgorithms.front()}, megabits, round_trip, 0});
            }
        }
    }
    return all;
}

// A controller needs many round trips to settle, and more so with a rival; fast links get less
// virtual time, for they cost the most real time.
BulkScenario scenario_of(const Case& one) {
    BulkScenario scenario;
    for (std::size_t i = 0; i < one.flows.size(); ++i) {
        scenario.flows.resize(i + 1);
        scenario.flows[i] = {one.flows[i], std::chrono::seconds(2 * i)};
    }
    scenario.bits_per_second = one.megabits * kMillion;
    scenario.round_trip = std::chrono::milliseconds(one.round_trip_ms);
    scenario.queue_products = 1;
    scenario.loss = one.loss;
    const bool fast = one.megabits > 100;
    scenario.warm_up = std::chrono::seconds(fast ? 6 : 15);
    scenario.measured = std::chrono::seconds(fast ? 6 : 30);
    return scenario;
}

void run(const Case& one) {
    const BulkResult result = stoq::sim::run_bulk(scenario_of(one));
    std::printf("%s,%s,%llu,%d,%g,%.4f,%.3f,%.4f,%.5f,%.4f\n", std::string(one.kind).c_str(),
                name_of(one.flows.front()), static_cast<unsigned long long>(one.megabits),
                one.round_trip_ms, one.loss, result.utilisation, result.mean_queue_ms,
                result.fairness, result.loss_share, result.shares.front());
    std::fflush(stdout);
}

bool parse(const char* text, std::size_t& value) {
    const char* const end = text + std::strlen(text);
    const auto [rest, error] = std::from_chars(text, end, value);
    return error == std::errc() && rest == end;
}

}  // namespace

int main(int argc, char** argv) {
    std::size_t part = 0;
    std::size_t parts = 1;
    const bool chosen = argc == 3 && parse(argv[1], part) && parse(argv[2], parts);
    if ((argc != 1 && !chosen) || part >= parts) {
        std::fprintf(stderr, "usage: sweep [PART PARTS]\n");
        return 2;
    }
    const std::vector<Case> all = cases();
    for (std::size_t i = part; i < all.size(); i += parts) run(all[i]);
    return 0;
}
