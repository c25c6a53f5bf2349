#include "congestion/new_reno.h"

#include "congestion_harness.h"

namespace stoq::congestion {
namespace {

//= test 9002-7.3.2-1
//= test 9002-7.3.2-2
TEST(NewReno, LossHalvesTheWindow) {
    Flow flow(CongestionAlgorithm::kNewReno);
    flow.ack(88'000, flow.rtt);
    flow.lose(1, flow.rtt);
    EXPECT_EQ(flow.window(), 50'000u);
    EXPECT_EQ(flow.controller->slow_start_threshold(), 50'000u);
}

//= test 9002-7.3.3-1
TEST(NewReno, AvoidanceAddsOneDatagramPerWindow) {
    Flow flow(CongestionAlgorithm::kNewReno);
    flow.ack(108'000, flow.rtt);
    flow.lose(1, flow.rtt);
    ASSERT_EQ(flow.window(), 60'000u);
    flow.now += seconds(1);
    for (int i = 0; i < 49; ++i) flow.ack(1200, flow.rtt);
    EXPECT_EQ(flow.window(), 60'000u);
    flow.ack(1200, flow.rtt);
    EXPECT_EQ(flow.window(), 61'200u);
    for (int i = 0; i < 51; ++i) flow.ack(1200, flow.rtt);
    EXPECT_EQ(flow.window(), 62'400u);
}

TEST(NewReno, PartialWindowsAddUp) {
    Flow flow(CongestionAlgorithm::kNewReno);
    flow.lose(1, flow.rtt);
    ASSERT_EQ(flow.window(), 6'000u);
    flow.now += seconds(1);
    flow.ack(4'000, flow.rtt);
    flow.ack(4'000, flow.rtt);
    EXPECT_EQ(flow.window(), 7'200u);
    flow.ack(5'200, flow.rtt);  // 2000 are left over from before
    EXPECT_EQ(flow.window(), 8'400u);
}

}  // namespace
}  // namespace stoq::congestion
