// What an observer is told of a transfer: enough to see why it went as it did.
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "sim/scenario.h"
#include "support/counting_sink.h"

namespace stoq::sim {
namespace {

// Of one side.
class Watcher final : public observe::EventSink {
public:
    void on_event(const observe::EventContext& context, const observe::Event& event) override {
        counts.on_event(context, event);
        if (const auto* lost = std::get_if<observe::PacketLost>(&event)) {
            lost_numbers.insert({static_cast<int>(lost->type), lost->number.value()});
            if (!lost->is_mtu_probe) ++lost_packets;
        }
        if (const auto* congestion = std::get_if<observe::CongestionStateUpdated>(&event)) {
            EXPECT_EQ(congestion->old_state, state);
            state = congestion->new_state;
            states.insert(state);
        }
        if (const auto* version = std::get_if<observe::VersionInformation>(&event)) {
            chosen_version = version->chosen_version;
        }
    }

    observe::CountingSink counts;
    std::set<std::pair<int, std::uint64_t>> lost_numbers;
    std::uint64_t lost_packets = 0;
    std::string state;
    std::set<std::string> states;
    std::uint32_t chosen_version = 0;
};

Scenario lossy(CongestionAlgorithm congestion) {
    Scenario scenario = plain_scenario(11, 2 * 1024 * 1024);
    scenario.up.loss = scenario.down.loss = 0.02;
    scenario.client.congestion = scenario.server.congestion = congestion;
    return scenario;
}

void expect_every_loss_is_told(CongestionAlgorithm congestion,
                               const std::set<std::string>& expected) {
    World world(lossy(congestion));
    Watcher watcher;
    world.server_host().endpoint().set_event_sink(&watcher);
    world.start();
    ASSERT_TRUE(world.run_transfer()) << world.describe();
    const ConnectionStatistics statistics =
        world.server_host().endpoint().statistics(world.server().connection()).value();
    EXPECT_GT(statistics.packets_lost, 10u);
    // The statistics leave out packets that nobody had to acknowledge.
    EXPECT_GE(watcher.lost_packets, statistics.packets_lost);
    EXPECT_EQ(watcher.lost_numbers.size(), watcher.counts.count<observe::PacketLost>())
        << "no packet is lost twice";
    EXPECT_EQ(watcher.states, expected);
    EXPECT_EQ(watcher.chosen_version, 1u);
}

TEST(SimObserver, IsToldOfEveryLostPacketAndOfTheStatesOfCubic) {
    expect_every_loss_is_told(CongestionAlgorithm::kCubic,
                              {"slow_start", "recovery", "congestion_avoidance"});
}

TEST(SimObserver, IsToldOfTheStatesOfNewReno) {
    expect_every_loss_is_told(CongestionAlgorithm::kNewReno,
                              {"slow_start", "recovery", "congestion_avoidance"});
}

// A packet whose keys are not there yet is neither received nor dropped.
TEST(SimObserver, IsToldOfPacketsThatWaitForTheirKeys) {
    World world(plain_scenario(12, 0));
    // The server's Initial, without which its Handshake packets cannot be opened.
    world.server_host().uplink().add(std::make_unique<ScriptedDrop>(
        [](std::size_t index, const Datagram&) { return index == 0; }));
    Watcher watcher;
    world.client_host().endpoint().set_event_sink(&watcher);
    world.start();
    ASSERT_TRUE(world.run([&] { return world.both_established(); })) << world.describe();
    EXPECT_GT(watcher.counts.count<observe::PacketBuffered>(), 0u);
    EXPECT_EQ(watcher.counts.dropped()[DropReason::kKeysUnavailable], 0u);
}

}  // namespace
}  // namespace stoq::sim
