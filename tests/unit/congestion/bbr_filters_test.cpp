#include "congestion/bbr_filters.h"

#include <gtest/gtest.h>

namespace stoq::congestion {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kNow{seconds(1000)};

TEST(MaxBandwidth, KeepsTheLargestOfTwoCycles) {
    MaxBandwidth filter;
    filter.on_sample(100, false);
    filter.on_sample(80, false);
    EXPECT_EQ(filter.rate(), 100u);
    filter.advance();
    filter.on_sample(60, false);
    EXPECT_EQ(filter.rate(), 100u);
    filter.advance();
    EXPECT_EQ(filter.rate(), 60u);
}

TEST(MaxBandwidth, TakesSamplesThatTheApplicationLimitedOnlyWhenTheyAreLarger) {
    MaxBandwidth filter;
    filter.on_sample(100, false);
    filter.advance();
    filter.on_sample(90, true);
    filter.advance();
    EXPECT_EQ(filter.rate(), 100u) << "a cycle without samples forgets nothing";
    filter.on_sample(110, true);
    EXPECT_EQ(filter.rate(), 110u);
}

TEST(RoundCounter, ARoundEndsWithThePacketsThatWereSentAfterItBegan) {
    RoundCounter rounds;
    rounds.on_acknowledged(0, 1000);
    EXPECT_TRUE(rounds.started());
    rounds.on_acknowledged(0, 2000);
    rounds.on_acknowledged(999, 3000);
    EXPECT_FALSE(rounds.started());
    EXPECT_EQ(rounds.count(), 1u);
    rounds.on_acknowledged(1000, 4000);
    EXPECT_TRUE(rounds.started());
    EXPECT_EQ(rounds.count(), 2u);
    rounds.restart(9000);
    rounds.on_acknowledged(4000, 9000);
    EXPECT_FALSE(rounds.started());
}

TEST(MinimumRtt, ForgetsAfterTenSecondsAndAsksForAProbeAfterFive) {
    MinimumRtt filter;
    EXPECT_FALSE(filter.known());
    filter.on_sample(kNow, Duration::zero());
    EXPECT_FALSE(filter.known());
    filter.on_sample(kNow, milliseconds(20));
    filter.on_sample(kNow + seconds(5), milliseconds(30));
    EXPECT_EQ(filter.rtt(), milliseconds(20));
    EXPECT_FALSE(filter.probe_due());
    filter.on_sample(kNow + seconds(6), milliseconds(30));
    EXPECT_TRUE(filter.probe_due());
    EXPECT_EQ(filter.rtt(), milliseconds(20));
    filter.on_sample(kNow + seconds(11), milliseconds(31));
    EXPECT_EQ(filter.rtt(), milliseconds(30));
}

TEST(MinimumRtt, AProbePutsTheNextOneOff) {
    MinimumRtt filter;
    filter.on_sample(kNow, milliseconds(20));
    filter.on_probed(kNow + seconds(4));
    filter.on_sample(kNow + seconds(8), milliseconds(30));
    EXPECT_FALSE(filter.probe_due());
}

TEST(AckAggregation, CountsWhatArrivesBeyondTheBandwidth) {
    AckAggregation aggregation;
    aggregation.restart(kNow);
    // 1000 bytes per millisecond are expected; 20 milliseconds' worth arrive at once.
    const auto ack = [&](Duration after, std::uint64_t bytes, std::uint64_t round) {
        aggregation.on_acknowledged({.now = kNow + after,
                                     .acked_bytes = bytes,
                                     .bandwidth = 1'000'000,
                                     .limit = 15'000,
                                     .round = round});
    };
    ack(milliseconds(10), 10'000, 0);
    EXPECT_EQ(aggregation.bytes(1), 10'000u) << "an interval begins with the first of it";
    ack(milliseconds(10), 2'000, 0);
    EXPECT_EQ(aggregation.bytes(1), 12'000u);
    ack(milliseconds(11), 20'000, 1);
    EXPECT_EQ(aggregation.bytes(1), 15'000u) << "bounded";
    ack(milliseconds(500), 100, 2);
    EXPECT_EQ(aggregation.bytes(1), 100u);
    EXPECT_EQ(aggregation.bytes(10), 15'000u);
    ack(milliseconds(900), 100, 30);
    EXPECT_EQ(aggregation.bytes(10), 100u) << "rounds without a sample count as well";
}

TEST(FullPipe, ThreeRoundsWithoutAQuarterOfGrowthMeanFull) {
    FullPipe pipe;
    for (const std::uint64_t rate : {100, 130, 170, 180, 190}) pipe.on_round(rate);
    EXPECT_FALSE(pipe.full_now());
    pipe.on_round(200);
    EXPECT_TRUE(pipe.full_now());
    EXPECT_TRUE(pipe.reached());
    pipe.restart(200);
    EXPECT_FALSE(pipe.full_now());
    EXPECT_TRUE(pipe.reached());
}

TEST(FullPipe, GrowthStartsTheCountAnew) {
    FullPipe pipe;
    for (const std::uint64_t rate : {100, 101, 102, 200, 201, 202}) pipe.on_round(rate);
    EXPECT_FALSE(pipe.full_now());
}

}  // namespace
}  // namespace stoq::congestion
