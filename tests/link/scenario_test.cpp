#include "scenario.h"

#include <sstream>

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

namespace stoq::link {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Options parse(const std::string& scenario) {
    std::vector<std::string> arguments = {"--client", "near", "--server", "far"};
    std::istringstream words(scenario);
    for (std::string word; words >> word;) arguments.push_back(word);
    std::string help;
    return parse_options(arguments, help);
}

TEST(LinkScenario, SimpleP2p) {
    const Options options = parse("simple-p2p --delay=15ms --bandwidth=10Mbps --queue=25");
    EXPECT_EQ(options.client_namespace, "near");
    EXPECT_EQ(options.server_namespace, "far");
    EXPECT_EQ(options.link.delay, milliseconds(15));
    EXPECT_EQ(options.link.bits_per_second, 10'000'000U);
    EXPECT_EQ(options.link.queue_packets, 25U);
    EXPECT_EQ(options.link.directions[0].drop.percent, 0U);
    EXPECT_EQ(options.link.off, Duration::zero());
    EXPECT_EQ(options.link.first_rebind, Duration::zero());
}

TEST(LinkScenario, Droplist) {
    const Options options = parse("droplist --drops_to_server=2,3,4 --drops_to_client=9");
    EXPECT_EQ(options.link.directions[0].drops, (std::set<std::uint64_t>{2, 3, 4}));
    EXPECT_EQ(options.link.directions[1].drops, (std::set<std::uint64_t>{9}));
}

TEST(LinkScenario, Rates_AreForDroppingOrForCorrupting) {
    const std::string rates =
        " --rate_to_server=30 --rate_to_client=20 --burst_to_server=3 --burst_to_client=2";
    const LinkSettings dropping = parse("drop-rate" + rates).link;
    EXPECT_EQ(dropping.directions[0].drop.percent, 30U);
    EXPECT_EQ(dropping.directions[0].drop.burst, 3U);
    EXPECT_EQ(dropping.directions[1].drop.percent, 20U);
    EXPECT_EQ(dropping.directions[1].drop.burst, 2U);
    EXPECT_EQ(dropping.directions[0].corrupt.percent, 0U);
    const LinkSettings corrupting = parse("corrupt-rate" + rates).link;
    EXPECT_EQ(corrupting.directions[0].corrupt.percent, 30U);
    EXPECT_EQ(corrupting.directions[1].corrupt.burst, 2U);
    EXPECT_EQ(corrupting.directions[1].drop.percent, 0U);
}

TEST(LinkScenario, Blackhole) {
    const LinkSettings link = parse("blackhole --on=5s --off=2s").link;
    EXPECT_EQ(link.on, seconds(5));
    EXPECT_EQ(link.off, seconds(2));
    EXPECT_EQ(link.repeat, 1U);
}

TEST(LinkScenario, Rebind) {
    const LinkSettings link = parse("rebind --first-rebind=1s --rebind-freq=5s --rebind-addr").link;
    EXPECT_EQ(link.first_rebind, seconds(1));
    EXPECT_EQ(link.rebind_interval, seconds(5));
    EXPECT_TRUE(link.rebind_address);
}

TEST(LinkScenario, WhatIsNotUnderstood_IsAnError) {
    for (const char* wrong : {"", "no-such-scenario", "simple-p2p --delay=15parsecs",
                              "simple-p2p --delay=-1s", "drop-rate --rate_to_server=101",
                              "simple-p2p --rate_to_server=1", "droplist --drops_to_server=x"})
        EXPECT_THROW((void)parse(wrong), CLI::ParseError) << wrong;
}

}  // namespace
}  // namespace stoq::link
