#include "path/remote_connection_ids.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "payload.h"

namespace stoq::path {
namespace {

using test::id_of;
using test::Payload;
using test::token_of;

wire::NewConnectionIdFrame frame(std::uint64_t sequence, std::uint64_t retire_prior_to = 0) {
    const auto value = static_cast<std::uint8_t>(0x40 + sequence % 64);
    return {sequence, retire_prior_to, id_of(value), token_of(value)};
}

struct Fixture {
    explicit Fixture(std::uint64_t limit = 4) : ids(limit) { ids.set_handshake_id(id_of(1)); }

    std::vector<std::uint64_t> write() {
        Payload payload;
        ids.write_retire_connection_ids(payload);
        std::vector<std::uint64_t> sequences;
        for (const auto& f : payload.all<wire::RetireConnectionIdFrame>()) {
            sequences.push_back(f.sequence_number);
        }
        return sequences;
    }

    RemoteConnectionIds ids;
};

using Sequences = std::vector<std::uint64_t>;

TEST(RemoteConnectionIds, TheHandshakeIdIsReplacedAsTheHandshakeGoesOn) {
    RemoteConnectionIds ids(4);
    for (std::uint8_t value = 9; value > 6; --value) {
        ids.set_handshake_id(id_of(value));
        ASSERT_NE(ids.id_of(kInitialPath), nullptr);
        EXPECT_EQ(*ids.id_of(kInitialPath), id_of(value));
    }
    EXPECT_EQ(ids.active_count(), 1u);
    EXPECT_FALSE(ids.has_frames_to_write());
}

TEST(RemoteConnectionIds, TheAdvertisedLimitIsWhatIsEnforced) {
    EXPECT_EQ(RemoteConnectionIds(0).limit(), 2u);
    EXPECT_EQ(RemoteConnectionIds(5).limit(), 5u);
    EXPECT_EQ(RemoteConnectionIds(1u << 20).limit(), 8u);
}

//= test 9000-5.1.1-6
TEST(RemoteConnectionIds, OneMoreThanTheLimitEndsTheConnection) {
    Fixture f(3);
    EXPECT_TRUE(f.ids.on_new_connection_id(frame(1)));
    EXPECT_TRUE(f.ids.on_new_connection_id(frame(2)));
    const auto result = f.ids.on_new_connection_id(frame(3));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, TransportErrorCode::kConnectionIdLimitError);
    EXPECT_EQ(result.error().frame_type, 0x18u);
}

//= test 9000-5.1.1-5
TEST(RemoteConnectionIds, RetirementsOfTheSameFrameMakeRoomFirst) {
    Fixture f(2);
    EXPECT_TRUE(f.ids.on_new_connection_id(frame(1)));
    EXPECT_TRUE(f.ids.on_new_connection_id(frame(2, 1)));
    EXPECT_EQ(f.ids.active_count(), 2u);
}

// One fresh ID for two paths: without it the path in use could not even say that the old ones are
// retired.
//= test 9000-5.1.2-4
TEST(RemoteConnectionIds, TheOnlyFreshIdGoesToThePathInUse) {
    Fixture f(4);
    EXPECT_TRUE(f.ids.on_new_connection_id(frame(1)));
    constexpr PathIndex kActive = 1;
    ASSERT_TRUE(f.ids.assign_fresh(kActive));
    EXPECT_TRUE(f.ids.on_new_connection_id(frame(2, 2), kActive));
    ASSERT_NE(f.ids.id_of(kActive), nullptr);
    EXPECT_EQ(f.ids.sequence_of(kActive), 2u);
    EXPECT_EQ(f.ids.id_of(kInitialPath), nullptr);
}

//= test 9000-19.15-4
TEST(RemoteConnectionIds, ARepeatedFrameChangesNothing) {
    Fixture f(2);
    for (int i = 0; i < 3; ++i) {
        const auto result = f.ids.on_new_connection_id(frame(1));
        ASSERT_TRUE(result);
        EXPECT_FALSE(*result);
    }
    EXPECT_EQ(f.ids.active_count(), 2u);
    EXPECT_FALSE(f.ids.has_frames_to_write());
}

TEST(RemoteConnectionIds, AFrameRepeatedAfterItsIdWasRetiredChangesNothing) {
    Fixture f(2);
    ASSERT_TRUE(f.ids.on_new_connection_id(frame(1)));
    ASSERT_TRUE(f.ids.on_new_connection_id(frame(2, 2)));
    EXPECT_EQ(f.write(), (Sequences{0, 1}));
    f.ids.on_acked(1);
    ASSERT_TRUE(f.ids.on_new_connection_id(frame(1)));
    EXPECT_FALSE(f.ids.has_frames_to_write());
    EXPECT_EQ(f.ids.active_count(), 1u);
}

//= test 9000-19.15-5
TEST(RemoteConnectionIds, ContradictionsEndTheConnection) {
    wire::NewConnectionIdFrame other_id = frame(1);
    other_id.connection_id = id_of(0x77);
    wire::NewConnectionIdFrame other_token = frame(1);
    other_token.stateless_reset_token = token_of(0x77);
    wire::NewConnectionIdFrame other_sequence = frame(1);
    other_sequence.sequence_number = 2;
    wire::NewConnectionIdFrame handshake_id = frame(2);
    handshake_id.connection_id = id_of(1);
    for (const auto& bad : {other_id, other_token, other_sequence, handshake_id}) {
        Fixture f;
        ASSERT_TRUE(f.ids.on_new_connection_id(frame(1)));
        const auto result = f.ids.on_new_connection_id(bad);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, TransportErrorCode::kProtocolViolation);
        EXPECT_EQ(result.error().reason, Reason::kConnectionIdReuse);
    }
}

//= test 9000-19.15-3
TEST(RemoteConnectionIds, APeerWithoutConnectionIdsMayNotIssueAny) {
    RemoteConnectionIds ids(4);
    ids.set_handshake_id(wire::ConnectionId());
    const auto result = ids.on_new_connection_id(frame(1));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, TransportErrorCode::kProtocolViolation);
}

TEST(RemoteConnectionIds, AnIdOfLengthZeroServesEveryPathAndIsNeverRetired) {
    RemoteConnectionIds ids(4);
    ids.set_handshake_id(wire::ConnectionId());
    EXPECT_TRUE(ids.has_unused());
    EXPECT_TRUE(ids.assign_fresh(1));
    ids.share(kInitialPath, 2);
    for (PathIndex path = 0; path < 3; ++path) {
        ASSERT_NE(ids.id_of(path), nullptr);
        EXPECT_TRUE(ids.id_of(path)->empty());
    }
    for (PathIndex path = 0; path < 3; ++path) ids.release(path);
    EXPECT_FALSE(ids.has_frames_to_write());
}

//= test 9000-5.1.2-4
TEST(RemoteConnectionIds, RetirementOfTheIdInUseSwitchesToTheNext) {
    Fixture f;
    ASSERT_TRUE(f.ids.on_new_connection_id(frame(1)));
    const auto result = f.ids.on_new_connection_id(frame(2, 1));
    ASSERT_TRUE(result);
    EXPECT_TRUE(*result);
    EXPECT_EQ(*f.ids.id_of(kInitialPath), frame(1).connection_id);
    EXPECT_EQ(f.write(), Sequences{0});
}

//= test 9000-19.15-8
TEST(RemoteConnectionIds, ASmallerRetirePriorToIsIgnored) {
    Fixture f;
    ASSERT_TRUE(f.ids.on_new_connection_id(frame(2, 2)));
    ASSERT_TRUE(f.ids.on_new_connection_id(frame(3, 1)));
    EXPECT_EQ(f.ids.sequence_of(kInitialPath), 2u);
    EXPECT_EQ(f.write(), Sequences{0});
}

//= test 9000-19.15-9
TEST(RemoteConnectionIds, AnIdThatComesAfterItsRetirementIsRetiredOnce) {
    Fixture f;
    ASSERT_TRUE(f.ids.on_new_connection_id(frame(5, 5)));
    EXPECT_EQ(f.write(), Sequences{0});
    ASSERT_TRUE(f.ids.on_new_connection_id(frame(3)));
    ASSERT_TRUE(f.ids.on_new_connection_id(frame(3)));
    EXPECT_EQ(f.write(), Sequences{3});
    EXPECT_EQ(f.ids.active_count(), 1u);
}

TEST(RemoteConnectionIds, LostRetirementsAreWrittenAgainAcknowledgedOnesForgotten) {
    Fixture f;
    ASSERT_TRUE(f.ids.on_new_connection_id(frame(1)));
    ASSERT_TRUE(f.ids.on_new_connection_id(frame(2, 2)));
    EXPECT_EQ(f.write(), (Sequences{0, 1}));
    EXPECT_TRUE(f.write().empty());
    f.ids.on_lost(0);
    f.ids.on_lost(1);
    f.ids.on_acked(1);
    EXPECT_EQ(f.write(), Sequences{0});
    f.ids.on_acked(0);
    f.ids.on_lost(0);
    EXPECT_FALSE(f.ids.has_frames_to_write());
}

//= test 9000-5.1.2-5
//= test 9000-5.1.2-6
//= test 9000-5.1.2-7
TEST(RemoteConnectionIds, UnacknowledgedRetirementsAreBoundedAndNoneIsForgotten) {
    Fixture f(4);
    std::uint64_t sequence = 1;
    while (f.ids.on_new_connection_id(frame(sequence, sequence))) ++sequence;
    EXPECT_GE(sequence, 2 * f.ids.limit());
    EXPECT_EQ(sequence, RemoteConnectionIds::kMaxRetiring + 1);
    Sequences all;
    for (std::uint64_t i = 0; i < sequence; ++i) all.push_back(i);
    EXPECT_EQ(f.write(), all);
}

TEST(RemoteConnectionIds, SequenceNumbersFullOfHolesEndTheConnection) {
    Fixture f(4);
    std::uint64_t sequence = 2;
    TransportResult<bool> result;
    for (int i = 0; i < 1000; ++i, sequence += 2) {
        result = f.ids.on_new_connection_id(frame(sequence, sequence));
        if (!result) break;
        for (const std::uint64_t retired : f.write()) f.ids.on_acked(retired);
    }
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, TransportErrorCode::kConnectionIdLimitError);
}

//= test 9000-9.5-2
//= test 9000-9.5-3
TEST(RemoteConnectionIds, ANewPathGetsAnIdThatWasNeverUsed) {
    Fixture f;
    EXPECT_FALSE(f.ids.has_unused());
    ASSERT_TRUE(f.ids.on_new_connection_id(frame(1)));
    ASSERT_TRUE(f.ids.has_unused());
    ASSERT_TRUE(f.ids.assign_fresh(1));
    EXPECT_NE(*f.ids.id_of(1), *f.ids.id_of(kInitialPath));
    EXPECT_FALSE(f.ids.assign_fresh(2));
    EXPECT_EQ(f.ids.id_of(2), nullptr);
}

TEST(RemoteConnectionIds, APathThatWaitsGetsTheNextId) {
    Fixture f;
    EXPECT_FALSE(f.ids.assign_fresh(1));
    const auto result = f.ids.on_new_connection_id(frame(1));
    ASSERT_TRUE(result);
    EXPECT_TRUE(*result);
    EXPECT_EQ(f.ids.sequence_of(1), 1u);
}

TEST(RemoteConnectionIds, APathThatWasGivenUpStopsWaiting) {
    Fixture f;
    EXPECT_FALSE(f.ids.assign_fresh(1));
    f.ids.release(1);
    const auto result = f.ids.on_new_connection_id(frame(1));
    ASSERT_TRUE(result);
    EXPECT_FALSE(*result);
    EXPECT_EQ(f.ids.id_of(1), nullptr);
}

//= test 9000-5.1.2-1
//= test 9000-9.5-4
TEST(RemoteConnectionIds, ASharedIdIsRetiredWithItsLastPath) {
    Fixture f;
    f.ids.share(kInitialPath, 1);
    EXPECT_EQ(*f.ids.id_of(1), id_of(1));
    f.ids.release(kInitialPath);
    EXPECT_FALSE(f.ids.has_frames_to_write());
    EXPECT_EQ(*f.ids.id_of(1), id_of(1));
    f.ids.release(1);
    EXPECT_EQ(f.write(), Sequences{0});
}

//= test 9000-9.5-1
TEST(RemoteConnectionIds, RotationRetiresTheOldIdAndNeedsAFreshOne) {
    Fixture f;
    EXPECT_FALSE(f.ids.rotate(kInitialPath));
    EXPECT_EQ(*f.ids.id_of(kInitialPath), id_of(1));
    ASSERT_TRUE(f.ids.on_new_connection_id(frame(1)));
    EXPECT_TRUE(f.ids.rotate(kInitialPath));
    EXPECT_EQ(f.ids.sequence_of(kInitialPath), 1u);
    EXPECT_EQ(f.write(), Sequences{0});
}

//= test 9000-10.3.1-3
TEST(RemoteConnectionIds, OnlyTokensOfIdsInUseCount) {
    Fixture f;
    EXPECT_FALSE(f.ids.matches_reset_token(token_of(9)));
    f.ids.set_handshake_reset_token(token_of(9));
    EXPECT_TRUE(f.ids.matches_reset_token(token_of(9)));

    const auto next = frame(1);
    ASSERT_TRUE(f.ids.on_new_connection_id(next));
    EXPECT_FALSE(f.ids.matches_reset_token(next.stateless_reset_token)) << "never used";
    ASSERT_TRUE(f.ids.rotate(kInitialPath));
    EXPECT_TRUE(f.ids.matches_reset_token(next.stateless_reset_token));
    EXPECT_FALSE(f.ids.matches_reset_token(token_of(9))) << "retired";

    int visited = 0;
    f.ids.for_each_reset_token([&](const wire::StatelessResetToken& token) {
        EXPECT_TRUE(token == next.stateless_reset_token);
        ++visited;
    });
    EXPECT_EQ(visited, 1);
}

TEST(RemoteConnectionIds, ThePreferredAddressBringsAnIdForAnyPath) {
    Fixture f;
    f.ids.add_preferred_address(id_of(0x33), token_of(0x33));
    EXPECT_EQ(f.ids.active_count(), 2u);
    ASSERT_TRUE(f.ids.assign_fresh(1));
    EXPECT_EQ(*f.ids.id_of(1), id_of(0x33));
    EXPECT_TRUE(f.ids.matches_reset_token(token_of(0x33)));
}

// Whatever a peer sends: bounded, no abort, and every path that has an id has an active one.
TEST(RemoteConnectionIds, RandomFramesKeepEveryBound) {
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        SCOPED_TRACE(seed);
        SeededRandom random(seed);
        const auto pick = [&](std::uint64_t n) { return random.next() % n; };
        Fixture f(2 + pick(7));
        for (int step = 0; step < 200; ++step) {
            const auto path = static_cast<PathIndex>(pick(kMaxPaths));
            const std::uint64_t sequence = pick(60);
            bool alive = true;
            switch (pick(8)) {
                case 0: f.ids.assign_fresh(path); break;
                case 1: f.ids.release(path); break;
                case 2: f.ids.share(static_cast<PathIndex>(pick(kMaxPaths)), path); break;
                case 3: f.ids.rotate(path); break;
                case 4: f.write(); break;
                case 5: f.ids.on_acked(sequence); break;
                case 6: f.ids.on_lost(sequence); break;
                default:
                    alive =
                        f.ids.on_new_connection_id(frame(sequence, pick(sequence + 1))).has_value();
            }
            if (!alive) break;
            ASSERT_LE(f.ids.active_count(), f.ids.limit());
        }
    }
}

}  // namespace
}  // namespace stoq::path
