#include "path_options.h"

#include <CLI/CLI.hpp>

namespace stoq::tool {
namespace {

// RFC 9000 section 14: what every path carries, and what UDP over IPv6 can.
constexpr std::uint16_t kSmallestDatagram = 1200;
constexpr std::uint16_t kLargestDatagram = 65527;

CongestionAlgorithm congestion_of(const std::string& name) {
    if (name == "bbr") return CongestionAlgorithm::kBbr;
    return name == "newreno" ? CongestionAlgorithm::kNewReno : CongestionAlgorithm::kCubic;
}

}  // namespace

void add_path_options(CLI::App& command, PathOptions& options) {
    command
        .add_option("--congestion", options.congestion, "congestion control: cubic, newreno or bbr")
        ->check(CLI::IsMember({"cubic", "newreno", "bbr"}))
        ->capture_default_str();
    command
        .add_option("--max-datagram", options.max_datagram,
                    "bytes of UDP payload that we try whether the path carries; 8972 fill jumbo "
                    "frames")
        ->check(CLI::Range(kSmallestDatagram, kLargestDatagram))
        ->capture_default_str();
}

void apply(const PathOptions& options, Settings& settings) {
    settings.congestion = congestion_of(options.congestion);
    settings.max_datagram_size = options.max_datagram;
}

}  // namespace stoq::tool
