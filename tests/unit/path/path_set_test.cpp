#include "path/path_set.h"

#include <gtest/gtest.h>

#include "payload.h"

namespace stoq::path {
namespace {

using namespace std::chrono_literals;
using test::id_of;
using test::Payload;
using test::token_of;

constexpr Instant kStart{1h};
constexpr std::size_t kRoom = kMaxDatagramSize;

AddressPair from(const char* remote, const char* local = "192.0.2.1:443") {
    return {parse_address(local), parse_address(remote)};
}

const AddressPair kHome = from("198.51.100.7:1000");
const AddressPair kRebound = from("198.51.100.7:2000");
const AddressPair kElsewhere = from("203.0.113.9:1000");

// A server's paths, with two spare connection IDs of the client.
struct Fixture {
    explicit Fixture(Role role = Role::kServer)
        : paths(role, kHome, {.mtu = {.initial_size = 1200, .max_size = 1452}, .ecn = true}) {
        ids.set_handshake_id(id_of(1));
        for (std::uint8_t i = 1; i <= 2; ++i) {
            EXPECT_TRUE(ids.on_new_connection_id({i, 0, id_of(0x10 + i), token_of(i)}));
        }
        paths.on_handshake_address_validated();
        paths.on_handshake_confirmed();
    }

    ValidationInput input(Duration after = 0s) { return {kStart + after, 100ms, random}; }

    // A datagram with one packet arrives and is processed.
    std::optional<Migration> receive(const AddressPair& addresses, bool non_probing = true,
                                     std::uint64_t sequence = 0, std::uint64_t number = 0) {
        if (number == 0) number = ++last_number;
        EXPECT_FALSE(paths.admit(addresses));
        const PathIndex path = paths.on_datagram(addresses, 1000, sequence, ids);
        return paths.on_packet_processed({path, PacketNumber(number), non_probing}, input());
    }
    // The data of the challenge that `path` wants to send.
    std::uint64_t challenge(PathIndex path, bool expanded = true) {
        Payload payload;
        if (!paths[path].validator.write_path_challenge(payload, expanded)) return 0;
        return payload.all<wire::PathChallengeFrame>().at(0).data;
    }
    PathResponseOutcome respond(std::uint64_t data) {
        return paths.on_path_response(data, input(), ids);
    }
    std::size_t count() {
        std::size_t n = 0;
        paths.for_each([&n](PathIndex, PathState&) { ++n; });
        return n;
    }

    SeededRandom random{9};
    RemoteConnectionIds ids{4};
    PathSet paths;
    std::uint64_t last_number = 0;
};

//= test 9000-9-7
//= test 9000-9.6-1
TEST(PathSet, AClientListensOnlyToTheAddressesItTalksTo) {
    Fixture f(Role::kClient);
    EXPECT_FALSE(f.paths.admit(kHome));
    EXPECT_EQ(f.paths.admit(kElsewhere), DropReason::kPeerNotAllowed);
    EXPECT_EQ(f.paths.admit(kRebound), DropReason::kPeerNotAllowed);
}

TEST(PathSet, AnUnknownLocalAddressIsAnyAddress) {
    PathSet paths(Role::kClient, {Address{}, parse_address("198.51.100.7:1000")}, {});
    EXPECT_FALSE(paths.admit(kHome));
    EXPECT_EQ(paths.find(kHome), kInitialPath);
}

//= test 9000-9-3
TEST(PathSet, AServerFollowsOnlyAfterTheHandshakeAndWhenAllowed) {
    PathSet paths(Role::kServer, kHome, {});
    EXPECT_FALSE(paths.admit(kHome));
    EXPECT_EQ(paths.admit(kElsewhere), DropReason::kPeerNotAllowed);
    paths.on_handshake_confirmed();
    EXPECT_FALSE(paths.admit(kElsewhere));
    paths.disable_migration({});
    EXPECT_EQ(paths.admit(kElsewhere), DropReason::kPeerNotAllowed);
    EXPECT_FALSE(paths.admit(kHome));
}

TEST(PathSet, AClientThatMayNotMigrateMayComeToThePreferredAddress) {
    PathSet paths(Role::kServer, kHome, {});
    paths.on_handshake_confirmed();
    const Address preferred = parse_address("198.51.100.9:4433");
    paths.disable_migration({preferred, {}});
    EXPECT_FALSE(paths.admit({preferred, kHome.remote}));
    EXPECT_EQ(paths.admit(kElsewhere), DropReason::kPeerNotAllowed);
}

TEST(PathSet, TheServersFirstPathIsLimitedUntilTheAddressIsValidated) {
    PathSet server(Role::kServer, kHome, {});
    EXPECT_TRUE(server.active().amplification.blocked());
    server.on_handshake_address_validated();
    EXPECT_FALSE(server.active().amplification.blocked());
    PathSet client(Role::kClient, kHome, {});
    EXPECT_FALSE(client.active().amplification.blocked());
}

//= test 9000-9.3-1
//= test 9000-9-4
//= test 9000-9.3.3-1
TEST(PathSet, ANonProbingPacketFromElsewhereMovesThePathAndChallengesBoth) {
    Fixture f;
    const auto migration = f.receive(kElsewhere, true, 1);
    ASSERT_TRUE(migration);
    EXPECT_EQ(migration->from, kInitialPath);
    EXPECT_EQ(migration->to, f.paths.active_index());
    EXPECT_FALSE(migration->keep_congestion_state);
    EXPECT_TRUE(f.paths.active().addresses.remote == kElsewhere.remote);
    EXPECT_NE(f.challenge(migration->from), 0u);
    EXPECT_NE(f.challenge(migration->to), 0u);
    EXPECT_EQ(f.paths.active().amplification.allowance(), 3000u);
    EXPECT_EQ(f.ids.sequence_of(migration->to), 1u) << "an id that was not used before";
}

//= test 9000-9.4-2
//= test 9000-9.4-3
//= test 9000-9.5-4
TEST(PathSet, AChangeOfThePortAloneKeepsWhatIsKnownOfThePath) {
    Fixture f;
    f.paths.active().mtu.on_probe_sent(1452);
    f.paths.active().mtu.on_probe_acked(1452, kStart);
    const auto migration = f.receive(kRebound);
    ASSERT_TRUE(migration);
    EXPECT_TRUE(migration->keep_congestion_state);
    EXPECT_EQ(f.paths.active().mtu.datagram_size(), 1452u);
    EXPECT_EQ(f.ids.sequence_of(migration->to), 0u) << "the peer did not mean to move";
    EXPECT_FALSE(f.paths.active().amplification.validated());
}

TEST(PathSet, ProbingPacketsMakeAPathButDoNotMove) {
    Fixture f;
    EXPECT_FALSE(f.receive(kElsewhere, false, 1));
    EXPECT_EQ(f.paths.active_index(), kInitialPath);
    const auto path = f.paths.find(kElsewhere);
    ASSERT_TRUE(path);
    EXPECT_NE(f.ids.id_of(*path), nullptr) << "its challenge can be answered";
}

TEST(PathSet, OnlyTheHighestNumberedPacketMoves) {
    Fixture f;
    f.receive(kHome, true, 0, 10);
    EXPECT_FALSE(f.receive(kElsewhere, true, 1, 9));
    EXPECT_EQ(f.paths.active_index(), kInitialPath);
    EXPECT_TRUE(f.receive(kElsewhere, true, 1, 11));
    EXPECT_FALSE(f.receive(kHome, true, 0, 8)) << "a late packet of the old path";
    EXPECT_TRUE(f.paths.active().addresses.remote == kElsewhere.remote);
}

TEST(PathSet, ACompletedMigrationForgetsTheOldPathAndRetiresItsId) {
    Fixture f;
    const auto migration = f.receive(kElsewhere, true, 1);
    const std::uint64_t old_path = f.challenge(migration->from);
    const std::uint64_t new_path = f.challenge(migration->to);
    const auto outcome = f.respond(new_path);
    EXPECT_EQ(outcome.event, ValidationEvent::kValidated);
    EXPECT_TRUE(outcome.active_validated);
    EXPECT_EQ(outcome.path, migration->to);
    EXPECT_FALSE(f.paths.active().amplification.blocked());
    EXPECT_EQ(f.count(), 2u) << "the old path is still being validated";
    EXPECT_FALSE(f.respond(old_path).active_validated);
    EXPECT_EQ(f.count(), 1u);
    EXPECT_TRUE(f.ids.has_frames_to_write());
    EXPECT_FALSE(f.paths.find(kHome));
}

TEST(PathSet, ThePeerThatReturnsIsBelieved) {
    Fixture f;
    f.receive(kElsewhere, true, 1);
    const auto back = f.receive(kHome);
    ASSERT_TRUE(back);
    EXPECT_EQ(f.paths.active_index(), kInitialPath);
    EXPECT_FALSE(f.paths.active().amplification.blocked()) << "it was validated before";
}

//= test 9000-9.3.2-1
TEST(PathSet, AFailedValidationGoesBackToTheLastValidatedPath) {
    Fixture f;
    const auto migration = f.receive(kElsewhere, true, 1);
    f.respond(f.challenge(migration->from));
    const Instant deadline = kStart + 3 * 999ms;
    auto outcome = f.paths.on_timeout(f.input(999ms), f.ids);
    EXPECT_FALSE(outcome.reverted);
    EXPECT_EQ(f.paths.next_timeout(), deadline);
    outcome = f.paths.on_timeout({deadline, 100ms, f.random}, f.ids);
    ASSERT_TRUE(outcome.reverted);
    EXPECT_EQ(outcome.reverted->to, kInitialPath);
    EXPECT_FALSE(outcome.no_path_left);
    EXPECT_EQ(f.count(), 1u);
    EXPECT_EQ(f.paths.next_timeout(), kNever);
}

TEST(PathSet, WhenBothValidationsFailTheOldPathStaysAndTheNewOneMayComeAgain) {
    Fixture f;
    f.receive(kRebound);
    auto outcome = f.paths.on_timeout(f.input(10s), f.ids);
    ASSERT_TRUE(outcome.reverted);
    EXPECT_EQ(f.paths.active_index(), kInitialPath);
    const auto again = f.receive(kRebound);
    ASSERT_TRUE(again);
    const auto validated = f.respond(f.challenge(again->to));
    EXPECT_TRUE(validated.active_validated);
}

//= test 9000-9.3.2-2
TEST(PathSet, WithoutAnyValidatedPathNothingIsLeft) {
    SeededRandom random(1);
    RemoteConnectionIds ids(4);
    ids.set_handshake_id(id_of(1));
    PathSet paths(Role::kServer, kHome, {});
    paths.active().validator.start(kStart, 100ms, random);
    const auto outcome = paths.on_timeout({kStart + 10s, 100ms, random}, ids);
    EXPECT_TRUE(outcome.no_path_left);
    EXPECT_FALSE(outcome.reverted);
}

TEST(PathSet, AnAddressValidatedBySmallDatagramsIsUnlimitedAndChallengedAgain) {
    Fixture f;
    const auto migration = f.receive(kElsewhere, true, 1);
    const auto outcome = f.respond(f.challenge(migration->to, false));
    EXPECT_EQ(outcome.event, ValidationEvent::kAddressValidated);
    EXPECT_FALSE(outcome.active_validated);
    EXPECT_FALSE(f.paths.active().amplification.blocked());
    EXPECT_TRUE(f.respond(f.challenge(migration->to)).active_validated);
}

//= test 9000-8.2.2-4
TEST(PathSet, AResponseCountsOnWhicheverPathItComes) {
    Fixture f;
    const auto migration = f.receive(kElsewhere, true, 1);
    // The outcome depends on the data alone: no address is given.
    EXPECT_EQ(f.respond(f.challenge(migration->to)).path, migration->to);
}

TEST(PathSet, ManyAddressesNeitherGrowTheSetNorEvictWhatIsNeeded) {
    Fixture f;
    f.receive(kElsewhere, true, 1);
    for (std::uint16_t port = 1; port < 500; ++port) {
        AddressPair spoofed = from("203.0.113.77:1");
        spoofed.remote.port = port;
        f.receive(spoofed, false, 0);
        ASSERT_LE(f.count(), kMaxPaths);
        ASSERT_TRUE(f.paths.find(kElsewhere)) << "in use";
        ASSERT_TRUE(f.paths.find(kHome)) << "to fall back to";
    }
}

TEST(PathSet, ANewPathWaitsForAConnectionIdOfThePeer) {
    Fixture f;
    f.receive(kElsewhere, false, 1);
    f.receive(from("203.0.113.1:1"), false, 2);
    f.receive(from("203.0.113.2:1"), false, 3);
    const auto path = f.paths.find(from("203.0.113.2:1"));
    ASSERT_TRUE(path);
    EXPECT_EQ(f.ids.id_of(*path), nullptr);
    EXPECT_TRUE(*f.ids.on_new_connection_id({3, 0, id_of(0x33), token_of(3)}));
    ASSERT_NE(f.ids.id_of(*path), nullptr);
    EXPECT_EQ(*f.ids.id_of(*path), id_of(0x33));
}

TEST(PathSet, EcnIsTestedAgainOnANewPathAndNotAfterARebinding) {
    Fixture f;
    for (int i = 0; i < 10; ++i) {
        f.paths.active().ecn.on_packet_sent(PacketNumberSpace::kApplication, true);
    }
    ASSERT_EQ(f.paths.active().ecn.state(), observe::EcnState::kUnknown);
    f.receive(kRebound);
    EXPECT_EQ(f.paths.active().ecn.state(), observe::EcnState::kUnknown);
    f.receive(kElsewhere, true, 1);
    EXPECT_EQ(f.paths.active().ecn.state(), observe::EcnState::kTesting);
}

TEST(PathSet, ThePeersLargestPayloadBindsOldAndNewPaths) {
    Fixture f;
    EXPECT_FALSE(f.paths.limit_datagram_size(1250).changed);
    EXPECT_EQ(f.paths.active().mtu.probe_size_to_send(kRoom, kStart), 1250u);
    f.receive(kElsewhere, true, 1);
    f.paths.active().mtu.enable();
    EXPECT_EQ(f.paths.active().mtu.probe_size_to_send(kRoom, kStart), 1250u);
}

TEST(PathSet, AProbeOnItsWayWhenThePathChangedDoesNotBlockTheSearchForEver) {
    Fixture f;
    f.paths.active().mtu.on_probe_sent(*f.paths.active().mtu.probe_size_to_send(kRoom, kStart));
    f.receive(kElsewhere, true, 1);
    f.receive(kHome);
    ASSERT_EQ(f.paths.active_index(), kInitialPath);
    EXPECT_EQ(f.paths.active().mtu.probe_size_to_send(kRoom, kStart), 1452u);
}

TEST(AddressPair, PortOnlyChangesAreToldFromOthers) {
    EXPECT_TRUE(differs_in_port_only(kHome, kRebound));
    EXPECT_FALSE(differs_in_port_only(kHome, kHome));
    EXPECT_FALSE(differs_in_port_only(kHome, kElsewhere));
    EXPECT_FALSE(differs_in_port_only(kHome, from("198.51.100.7:2000", "192.0.2.2:443")));
}

//= test 9000-9.6.2-2
//= test 9000-9.6.2-3
TEST(PathSet, AServerMovesToItsPreferredAddressWhenThePathFromThereIsProved) {
    Fixture f;
    const AddressPair preferred = from("198.51.100.7:1000", "192.0.2.99:443");
    EXPECT_FALSE(f.receive(preferred, true, 1));
    EXPECT_EQ(f.paths.active_index(), kInitialPath);
    const auto path = f.paths.find(preferred);
    ASSERT_TRUE(path);
    EXPECT_TRUE(f.respond(f.challenge(*path)).event == ValidationEvent::kValidated);
    EXPECT_TRUE(f.receive(preferred, true, 1));
    EXPECT_EQ(f.paths.active_index(), *path);
}

// --- Migration of our own ---

const AddressPair kMoved = from("198.51.100.7:1000", "192.0.2.200:9");

TEST(PathSet, AClientMovesWhenThePathIsProved) {
    Fixture f(Role::kClient);
    const auto begun = f.paths.begin_migration(kMoved, false, f.input(), f.ids);
    ASSERT_TRUE(begun);
    EXPECT_FALSE(*begun);
    const auto path = f.paths.find(kMoved);
    ASSERT_TRUE(path);
    EXPECT_NE(f.paths.active_index(), *path);
    EXPECT_EQ(f.ids.sequence_of(*path), 1u);
    EXPECT_FALSE(f.paths[*path].amplification.blocked());
    const PathResponseOutcome outcome = f.respond(f.challenge(*path));
    ASSERT_TRUE(outcome.migrated);
    EXPECT_EQ(outcome.migrated->to, *path);
    EXPECT_EQ(f.paths.active_index(), *path);
    // What the server sent to where we were is still heard, and makes no path.
    EXPECT_FALSE(f.paths.find(kHome));
    EXPECT_FALSE(f.paths.admit(kHome));
    EXPECT_EQ(f.paths.on_datagram(kHome, 100, 0, f.ids), *path);
    EXPECT_EQ(f.count(), 1u);
    EXPECT_EQ(f.paths.admit(kElsewhere), DropReason::kPeerNotAllowed);
}

TEST(PathSet, AClientThatMovesAtOnceGoesBackWhenNothingComes) {
    Fixture f(Role::kClient);
    const auto begun = f.paths.begin_migration(kMoved, true, f.input(), f.ids);
    ASSERT_TRUE(begun);
    ASSERT_TRUE(*begun);
    EXPECT_EQ(f.paths.active_index(), (*begun)->to);
    const PathTimeoutOutcome outcome = f.paths.on_timeout(f.input(10s), f.ids);
    ASSERT_TRUE(outcome.failed_migration);
    EXPECT_EQ(outcome.failed_migration->local, kMoved.local);
    ASSERT_TRUE(outcome.reverted);
    EXPECT_EQ(f.paths.active_index(), kInitialPath);
}

TEST(PathSet, AMigrationTakesThePlaceOfOneThatIsNotDone) {
    Fixture f(Role::kClient);
    ASSERT_TRUE(f.paths.begin_migration(kMoved, false, f.input(), f.ids));
    const AddressPair other = from("198.51.100.7:1000", "192.0.2.201:9");
    ASSERT_TRUE(f.paths.begin_migration(other, false, f.input(), f.ids));
    EXPECT_FALSE(f.paths.find(kMoved));
    EXPECT_TRUE(f.paths.find(other));
    EXPECT_EQ(f.paths.begin_migration(other, false, f.input(), f.ids).error(),
              ApiError::kInvalidArgument);
    // Both of the server's spare connection IDs are used.
    const AddressPair third = from("198.51.100.7:1000", "192.0.2.202:9");
    EXPECT_EQ(f.paths.begin_migration(third, false, f.input(), f.ids).error(), ApiError::kNotReady);
}

TEST(PathSet, AMigrationNeedsToKnowWhereItLeavesFrom) {
    Fixture f(Role::kClient);
    PathSet paths(Role::kClient, {Address{}, kHome.remote}, {});
    EXPECT_EQ(paths.begin_migration(kMoved, false, f.input(), f.ids).error(), ApiError::kNotReady);
    paths.on_datagram(kHome, 100, 0, f.ids);
    EXPECT_TRUE(paths.begin_migration(kMoved, false, f.input(), f.ids));
    EXPECT_EQ(paths.active().addresses.local, kHome.local);
}

TEST(PathSet, AWildcardStandsForTheAddressesWithItsPort) {
    EXPECT_TRUE(same_path(from("198.51.100.7:1000", "0.0.0.0:443"), kHome));
    EXPECT_TRUE(same_path(kHome, from("198.51.100.7:1000", "0.0.0.0:443")));
    EXPECT_FALSE(same_path(from("198.51.100.7:1000", "0.0.0.0:444"), kHome));
    EXPECT_FALSE(same_path(from("198.51.100.7:1000", "192.0.2.9:443"), kHome));
}

// A client that has probed a path moves there without probing it again.
TEST(PathSet, APathThatTheClientHasProbedIsKept) {
    Fixture f;
    ASSERT_TRUE(f.receive(kElsewhere, true, 1));
    const auto probed = from("203.0.113.10:1000");
    EXPECT_FALSE(f.receive(probed, false, 2));
    ASSERT_TRUE(f.paths.find(probed));
    (void)f.respond(f.challenge(kInitialPath));
    (void)f.respond(f.challenge(f.paths.active_index()));
    EXPECT_FALSE(f.paths.find(kHome)) << "the path that was left is forgotten";
    ASSERT_TRUE(f.paths.find(probed)) << "the one to come is not";
    EXPECT_TRUE(f.ids.sequence_of(*f.paths.find(probed)));
    EXPECT_TRUE(f.receive(probed, true, 2));
}

// So that the first datagram that goes there proves the path.
TEST(PathSet, AServerValidatesAPathThatItsClientProbes) {
    for (const AddressPair& probed : {kElsewhere, from("198.51.100.7:1000", "192.0.2.1:4443")}) {
        Fixture f;
        EXPECT_FALSE(f.receive(probed, false, 1));
        const PathIndex path = *f.paths.find(probed);
        EXPECT_EQ(f.challenge(path), 0u);
        f.paths.on_path_challenge(path, 77, f.input());
        EXPECT_FALSE(f.paths[path].responses.empty());
        EXPECT_EQ(f.respond(f.challenge(path)).event, ValidationEvent::kValidated);
        EXPECT_EQ(f.paths.active_index(), kInitialPath);
        // It comes, and nothing is left to prove.
        ASSERT_TRUE(f.receive(probed, true, 1));
        EXPECT_EQ(f.paths.active_index(), path);
        EXPECT_EQ(f.challenge(path), 0u);
    }
}

TEST(PathSet, AClientOnlyAnswersAPathChallenge) {
    Fixture f(Role::kClient);
    f.paths.on_path_challenge(kInitialPath, 77, f.input());
    EXPECT_FALSE(f.paths.active().responses.empty());
    EXPECT_FALSE(f.paths.active().validator.has_challenge_to_write());
}

}  // namespace
}  // namespace stoq::path
