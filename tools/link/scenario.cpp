#include "scenario.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>

#include <CLI/CLI.hpp>

namespace stoq::link {
namespace {

// Values as CLI11 reads them; nanoseconds and bits.
struct Times {
    std::int64_t delay = 0, on = 0, off = 0, first_rebind = 0, rebind_interval = 0;
    std::int64_t longest = 600'000'000'000;
};

const CLI::AsNumberWithUnit& time_units() {
    static const CLI::AsNumberWithUnit units(
        std::map<std::string, std::int64_t>{
            {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}},
        CLI::AsNumberWithUnit::CASE_SENSITIVE);
    return units;
}

void add_time(CLI::App& app, const std::string& name, std::int64_t& value, const char* text) {
    app.add_option(name, value, text)->transform(time_units())->check(CLI::NonNegativeNumber);
}

CLI::App& add_scenario(CLI::App& program, const char* name, const char* text, LinkSettings& link,
                       Times& times) {
    CLI::App& scenario = *program.add_subcommand(name, text);
    add_time(scenario, "--delay", times.delay, "one way: 15ms");
    const std::map<std::string, std::uint64_t> rates = {
        {"bps", 1}, {"kbps", 1'000}, {"Mbps", 1'000'000}, {"Gbps", 1'000'000'000}};
    scenario.add_option("--bandwidth", link.bits_per_second, "of each direction: 10Mbps")
        ->transform(CLI::AsNumberWithUnit(rates, CLI::AsNumberWithUnit::CASE_SENSITIVE));
    scenario.add_option("--queue", link.queue_packets, "packets that wait, in each direction");
    return scenario;
}

constexpr std::array<std::pair<Direction, const char*>, 2> kDirections = {
    {{Direction::kToServer, "server"}, {Direction::kToClient, "client"}}};

void add_drop_lists(CLI::App& scenario, LinkSettings& link) {
    for (const auto& [direction, side] : kDirections)
        scenario
            .add_option("--drops_to_" + std::string(side),
                        link.directions[index_of(direction)].drops,
                        "datagrams to drop, counted from 1: 2,3,4")
            ->delimiter(',');
}

void add_rates(CLI::App& scenario, LinkSettings& link, RandomErrors DirectionSettings::* errors) {
    for (const auto& [direction, side] : kDirections) {
        RandomErrors& values = link.directions[index_of(direction)].*errors;
        scenario.add_option("--rate_to_" + std::string(side), values.percent, "percent")
            ->check(CLI::Range(0, 100));
        scenario.add_option("--burst_to_" + std::string(side), values.burst, "at most, in a row");
    }
}

void add_scenarios(CLI::App& program, LinkSettings& link, Times& times) {
    add_scenario(program, "simple-p2p", "delay, bandwidth and a queue", link, times);
    add_drop_lists(add_scenario(program, "droplist", "loses chosen datagrams", link, times), link);
    add_rates(add_scenario(program, "drop-rate", "loses datagrams at random", link, times), link,
              &DirectionSettings::drop);
    add_rates(add_scenario(program, "corrupt-rate", "changes datagrams at random", link, times),
              link, &DirectionSettings::corrupt);

    CLI::App& blackhole =
        add_scenario(program, "blackhole", "passes nothing at times", link, times);
    add_time(blackhole, "--on", times.on, "passes for so long");
    add_time(blackhole, "--off", times.off, "then nothing for so long");
    blackhole.add_option("--repeat", link.repeat, "how often");

    CLI::App& rebind = add_scenario(program, "rebind", "a NAT that forgets", link, times);
    add_time(rebind, "--first-rebind", times.first_rebind, "after the first datagram");
    add_time(rebind, "--rebind-freq", times.rebind_interval, "from then on");
    rebind.add_flag("--rebind-addr", link.rebind_address, "addresses change, too");
}

void adopt(const Times& times, Options& options) {
    options.longest = Duration(times.longest);
    options.link.delay = Duration(times.delay);
    options.link.on = Duration(times.on);
    options.link.off = Duration(times.off);
    options.link.first_rebind = Duration(times.first_rebind);
    options.link.rebind_interval = Duration(times.rebind_interval);
}

}  // namespace

Options parse_options(const std::vector<std::string>& arguments, std::string& help) {
    Options options;
    Times times;
    CLI::App program("Carries IP packets between two network namespaces, not always all of them.",
                     "stoq_link");
    program.require_subcommand(1);
    program.add_option("--client", options.client_namespace, "network namespace")->required();
    program.add_option("--server", options.server_namespace, "network namespace")->required();
    program.add_option("--device", options.device, "name of the device in both");
    program.add_option("--captures", options.captures,
                       "directory for client.pcap and server.pcap: what each end sent and got");
    program.add_option("--seed", options.link.seed, "of everything random");
    add_time(program, "--longest", times.longest, "ends then by itself");
    add_scenarios(program, options.link, times);
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
        program.parse(std::move(reversed));
    } catch (const CLI::ParseError&) {
        help = program.help("", CLI::AppFormatMode::All);
        throw;
    }
    adopt(times, options);
    return options;
}

}  // namespace stoq::link
