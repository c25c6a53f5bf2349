// A middlebox that drops the second datagram of a ClientHello, which the hybrid key share needs.
#include <gtest/gtest.h>

#include "protection/keyring.h"
#include "sim/scenario.h"
#include "wire/frame_decode.h"
#include "wire/packet_header.h"

namespace stoq::sim {
namespace {

// Drops every client's Initial that does not bring the beginning of a ClientHello, repetitions too:
// what a box does that looks for a server name there.
class HelloFilter {
public:
    bool drops(const Datagram& datagram) {
        std::vector<std::uint8_t> copy = datagram.bytes;
        const auto decoded = wire::decode_packet(copy, 8);
        const auto* packet = decoded ? std::get_if<wire::ProtectedPacket>(&*decoded) : nullptr;
        if (packet == nullptr || packet->type != wire::PacketType::kInitial) return false;
        protection::PacketToOpen to_open = protection::packet_to_open(*packet);
        open(*packet, to_open);
        if (!to_open.opened) return true;
        bool crypto = false;
        ByteReader reader(to_open.opened->payload());
        while (!reader.empty()) {
            const auto frame = wire::decode_frame(reader, wire::PacketType::kInitial);
            if (!frame) return true;
            const auto* found = std::get_if<wire::CryptoFrame>(&*frame);
            if (found == nullptr) continue;
            if (found->offset == 0) return false;
            crypto = true;
        }
        if (crypto) ++dropped_;
        return crypto;
    }
    int dropped() const { return dropped_; }

private:
    // Under the keys of whichever attempt it belongs to.
    void open(const wire::ProtectedPacket& packet, protection::PacketToOpen& to_open) {
        const std::vector<std::uint8_t> before(packet.bytes.begin(), packet.bytes.end());
        for (std::size_t i = 0; i <= destinations_.size() && !to_open.opened; ++i) {
            std::ranges::copy(before, packet.bytes.begin());
            to_open = protection::packet_to_open(packet);
            const wire::ConnectionId id =
                i < destinations_.size() ? destinations_[i] : packet.destination;
            protection::Keyring keys;
            keys.install_initial(Role::kServer, id.view());
            (void)keys.open(EncryptionLevel::kInitial, {&to_open, 1}, {.next_expected = {}});
            if (to_open.opened && i == destinations_.size()) destinations_.push_back(id);
            if (i == destinations_.size()) break;
        }
    }

    std::vector<wire::ConnectionId> destinations_;
    int dropped_ = 0;
};

ClientConfig client_with(std::optional<PostQuantum> key_exchange, std::string groups = {}) {
    ClientConfig config = client_config({});
    Credentials credentials = *config.credentials;
    credentials.post_quantum.key_exchange = key_exchange;
    credentials.groups = std::move(groups);
    config.credentials = std::make_shared<const Credentials>(std::move(credentials));
    return config;
}

struct Filtered {
    HelloFilter filter;
    World world{plain_scenario(7, 1000)};

    explicit Filtered(const ClientConfig& config) {
        world.client_host().uplink().add(std::make_unique<ScriptedDrop>(
            [this](std::size_t, const Datagram& datagram) { return filter.drops(datagram); }));
        world.start(config);
    }
    ConnectionInfo info() {
        return world.client_host().endpoint().info(world.client_connection()).value();
    }
};

TEST(SimMiddlebox, WherePreferredTheClientComesThroughWithAClassicalShareAlone) {
    Filtered path(client_with(PostQuantum::kPrefer));
    ASSERT_TRUE(path.world.run_transfer()) << path.world.describe();
    EXPECT_GE(path.filter.dropped(), 2) << "the filter had nothing to drop";
    EXPECT_EQ(path.info().key_exchange_group, "x25519");
    EXPECT_FALSE(path.info().post_quantum_key_exchange);
    EXPECT_TRUE(path.info().retried_with_classical_groups);
    EXPECT_LE(path.world.simulation().now() - Simulation::kStart, std::chrono::seconds(8));
}

TEST(SimMiddlebox, WhereRequiredTheClientIsToldWhatIsWrong) {
    Filtered path(client_with(PostQuantum::kRequire));
    ASSERT_TRUE(path.world.run([&] { return path.world.client().closed().has_value(); }));
    EXPECT_FALSE(path.world.server().established());
    const CloseInfo& closed = *path.world.client().closed();
    EXPECT_EQ(closed.kind, CloseKind::kHandshakeTimeout);
    EXPECT_EQ(closed.reason, Reason::kClientHelloCutShort) << to_string(closed);
    EXPECT_LE(path.world.simulation().now() - Simulation::kStart, std::chrono::seconds(11));
}

TEST(SimMiddlebox, AListOfGroupsThatTheUserGaveIsNotReplaced) {
    Filtered path(client_with(PostQuantum::kPrefer, "*X25519MLKEM768:X25519"));
    ASSERT_TRUE(path.world.run([&] { return path.world.client().closed().has_value(); }));
    EXPECT_EQ(path.world.client().closed()->kind, CloseKind::kHandshakeTimeout);
}

TEST(SimMiddlebox, WhoWaitsForTheSecondDatagramDoesNotBeginAnew) {
    ClientConfig config = client_with(PostQuantum::kPrefer);
    config.settings.classical_retry_after = Duration::max();
    Filtered path(config);
    ASSERT_TRUE(path.world.run([&] { return path.world.client().closed().has_value(); }));
    EXPECT_EQ(path.world.client().closed()->kind, CloseKind::kHandshakeTimeout);
}

TEST(SimMiddlebox, ThereIsOneClassicalRetryAndNoMore) {
    World world(plain_scenario(8, 1000));
    int initials = 0;
    world.client_host().uplink().add(std::make_unique<ScriptedDrop>(
        [&](std::size_t, const Datagram&) { return ++initials > 0; }));
    world.start(client_with(PostQuantum::kPrefer));
    ASSERT_TRUE(world.run([&] { return world.client().closed().has_value(); }));
    EXPECT_EQ(world.client().closed()->kind, CloseKind::kHandshakeTimeout);
    EXPECT_LE(world.simulation().now() - Simulation::kStart, std::chrono::seconds(21));
    world.simulation().run_for(std::chrono::seconds(60));
    EXPECT_EQ(world.client_host().endpoint().statistics().connections_now, 0u);
}

TEST(SimMiddlebox, OrdinaryLossDoesNotMakeAHandshakeClassical) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Scenario scenario = plain_scenario(seed, 1000);
        scenario.up.loss = scenario.down.loss = 0.1;
        World world(scenario);
        world.start(client_with(PostQuantum::kPrefer));
        ASSERT_TRUE(world.run_transfer()) << "seed " << seed << world.describe();
        EXPECT_TRUE(world.client_host()
                        .endpoint()
                        .info(world.client_connection())
                        .value()
                        .post_quantum_key_exchange)
            << "seed " << seed;
    }
}

}  // namespace
}  // namespace stoq::sim
