#include "impairment.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "packets.h"

namespace stoq::link {
namespace {

constexpr int kMany = 20'000;

struct Outcome {
    bool passed;
    Packet packet;
    friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::vector<Outcome> run(const DirectionSettings& settings, std::uint64_t seed, Counters& counters,
                         std::size_t length = 1200) {
    Impairment impairment(settings, seed);
    std::vector<Outcome> outcomes;
    for (int i = 0; i < kMany; ++i) {
        Packet packet = client_datagram(length);
        auto view = UdpView::find(packet);
        const bool passed = impairment.pass(*view, counters);
        outcomes.push_back({passed, std::move(packet)});
    }
    return outcomes;
}

int longest_run(const std::vector<Outcome>& outcomes, auto counts) {
    int longest = 0, current = 0;
    for (const Outcome& outcome : outcomes) {
        current = counts(outcome) ? current + 1 : 0;
        longest = std::max(longest, current);
    }
    return longest;
}

TEST(LinkImpairment, AList_DropsThesePositionsAndNoOther) {
    DirectionSettings settings;
    settings.drops = {2, 3, 7};
    Counters counters;
    const auto outcomes = run(settings, 1, counters);
    for (std::size_t i = 0; i < outcomes.size(); ++i)
        EXPECT_EQ(outcomes[i].passed, !settings.drops.contains(i + 1)) << i + 1;
    EXPECT_EQ(counters.list_drops, 3U);
    EXPECT_EQ(counters.random_drops, 0U);
}

TEST(LinkImpairment, ADropRate_IsKeptAndBurstsEnd) {
    DirectionSettings settings;
    settings.drop = {30, 3};
    Counters counters;
    const auto outcomes = run(settings, 7, counters);
    const auto dropped = std::count_if(outcomes.begin(), outcomes.end(),
                                       [](const Outcome& outcome) { return !outcome.passed; });
    EXPECT_EQ(counters.random_drops, static_cast<std::uint64_t>(dropped));
    // The end of bursts costs 30 % about 0.6 points.
    EXPECT_NEAR(static_cast<double>(dropped) / kMany, 0.294, 0.015);
    EXPECT_EQ(longest_run(outcomes, [](const Outcome& outcome) { return !outcome.passed; }), 3);
}

TEST(LinkImpairment, ARateOfAHundred_DropsEverythingWithoutABurstLimit) {
    DirectionSettings settings;
    settings.drop.percent = 100;
    Counters counters;
    EXPECT_EQ(longest_run(run(settings, 1, counters),
                          [](const Outcome& outcome) { return !outcome.passed; }),
              kMany);
}

TEST(LinkImpairment, TheSameSeed_DoesTheSame_AnotherDoesNot) {
    DirectionSettings settings;
    settings.drop = {10, 3};
    settings.corrupt = {10, 3};
    Counters counters;
    EXPECT_EQ(run(settings, 5, counters), run(settings, 5, counters));
    EXPECT_NE(run(settings, 5, counters), run(settings, 6, counters));
}

TEST(LinkImpairment, Corruption_ChangesOneByteInFrontAndFixesTheChecksum) {
    DirectionSettings settings;
    settings.corrupt = {30, 3};
    Counters counters;
    const Packet original = client_datagram(1200);
    std::uint64_t changed = 0;
    const auto outcomes = run(settings, 3, counters);
    for (const Outcome& outcome : outcomes) {
        EXPECT_TRUE(outcome.passed);
        if (outcome.packet == original) continue;
        ++changed;
        Packet fixed = outcome.packet;
        int differing = 0;
        for (std::size_t i = 28; i < original.size(); ++i) {
            if (outcome.packet[i] == original[i]) continue;
            ++differing;
            EXPECT_LT(i, 28U + 50U);
            fixed[i] = original[i];
        }
        EXPECT_EQ(differing, 1);
        UdpView::find(fixed)->fix_checksums();
        EXPECT_EQ(fixed, original);
        EXPECT_NE(outcome.packet[26] << 8 | outcome.packet[27], original[26] << 8 | original[27]);
    }
    EXPECT_EQ(counters.corrupted, changed);
    EXPECT_NEAR(static_cast<double>(changed) / kMany, 0.294, 0.015);
    EXPECT_EQ(longest_run(outcomes, [&](const Outcome& o) { return o.packet != original; }), 3);
}

TEST(LinkImpairment, VersionNegotiationAndEmptyDatagrams_AreNotCorrupted) {
    DirectionSettings settings;
    settings.corrupt.percent = 100;
    Counters counters;
    Impairment impairment(settings, 1);
    const Packet negotiation =
        udp_packet(ipv4_socket(2, 443), ipv4_socket(1, 5000), {0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    for (const Packet& original : {negotiation, client_datagram(0)}) {
        Packet packet = original;
        auto view = UdpView::find(packet);
        EXPECT_TRUE(impairment.pass(*view, counters));
        EXPECT_EQ(packet, original);
    }
    EXPECT_EQ(counters.corrupted, 0U);
}

}  // namespace
}  // namespace stoq::link
