#include "path/local_connection_ids.h"

#include <set>

#include <gtest/gtest.h>

#include "payload.h"

namespace stoq::path {
namespace {

using test::Payload;

class NoConnectionIds final : public ConnectionIdGenerator {
public:
    std::size_t length() const override { return 0; }
    wire::ConnectionId generate(RandomSource&) override { return {}; }
};

struct Fixture {
    RandomConnectionIdGenerator generator;
    ResetTokenKey key{{1, 2, 3}};
    SeededRandom random{1};
    ConnectionIdSource source{generator, key, random};
    LocalConnectionIds ids{test::id_of(7)};

    std::vector<wire::NewConnectionIdFrame> write() {
        Payload payload;
        ids.write_new_connection_ids(payload);
        return payload.all<wire::NewConnectionIdFrame>();
    }
    void complete(std::uint64_t limit) {
        ids.set_peer_limit(limit);
        ids.issue(source);
    }
};

//= test 9000-5.1.1-1
//= test 9000-5.1.1-3
//= test 9000-5.1.1-4
TEST(LocalConnectionIds, IssueUpToThePeersLimitButNeverMoreThanEight) {
    struct Case {
        std::uint64_t limit;
        std::size_t frames;
    };
    for (const Case& c : {Case{2, 1}, Case{3, 2}, Case{8, 7}, Case{9, 7}, Case{1u << 30, 7}}) {
        Fixture f;
        f.complete(c.limit);
        const auto frames = f.write();
        ASSERT_EQ(frames.size(), c.frames) << "limit " << c.limit;
        for (std::size_t i = 0; i < frames.size(); ++i) {
            EXPECT_EQ(frames[i].sequence_number, i + 1);
            EXPECT_EQ(frames[i].retire_prior_to, 0u);
        }
        EXPECT_EQ(f.ids.active_count(), c.frames + 1);
    }
}

//= test 9000-5.1-2
TEST(LocalConnectionIds, IdsDifferAndCarryTheTokenOfTheKey) {
    Fixture f;
    f.complete(8);
    std::set<std::vector<std::uint8_t>> seen{std::vector<std::uint8_t>(8, 7)};
    for (const auto& frame : f.write()) {
        const ByteView id = frame.connection_id.view();
        EXPECT_TRUE(seen.insert({id.begin(), id.end()}).second);
        EXPECT_TRUE(frame.stateless_reset_token == f.key.token_for(frame.connection_id));
    }
}

TEST(LocalConnectionIds, NothingIsIssuedBeforeThePeersLimitIsKnown) {
    Fixture f;
    f.ids.issue(f.source);
    EXPECT_FALSE(f.ids.has_frames_to_write());
    EXPECT_FALSE(f.ids.has_changes());
}

TEST(LocalConnectionIds, LostFramesAreWrittenAgainAcknowledgedOnesAreNot) {
    Fixture f;
    f.complete(3);
    const auto first = f.write();
    ASSERT_EQ(first.size(), 2u);
    EXPECT_FALSE(f.ids.has_frames_to_write());
    f.ids.on_acked(1);
    f.ids.on_lost(1);
    f.ids.on_lost(2);
    const auto second = f.write();
    ASSERT_EQ(second.size(), 1u);
    EXPECT_EQ(second[0].sequence_number, 2u);
    EXPECT_EQ(second[0].connection_id, first[1].connection_id);
    EXPECT_TRUE(second[0].stateless_reset_token == first[1].stateless_reset_token);
}

TEST(LocalConnectionIds, AnAcknowledgementAfterALossStopsTheRetransmission) {
    Fixture f;
    f.complete(2);
    ASSERT_EQ(f.write().size(), 1u);
    f.ids.on_lost(1);
    EXPECT_TRUE(f.ids.has_frames_to_write());
    f.ids.on_acked(1);
    EXPECT_FALSE(f.ids.has_frames_to_write());
    EXPECT_TRUE(f.write().empty());
}

TEST(LocalConnectionIds, FramesThatDoNotFitWaitForTheNextPacket) {
    Fixture f;
    f.complete(4);
    Payload small(40);
    f.ids.write_new_connection_ids(small);
    const auto first = small.all<wire::NewConnectionIdFrame>();
    ASSERT_EQ(first.size(), 1u);
    EXPECT_EQ(small.writer().records().size(), 1u);
    EXPECT_EQ(small.writer().records()[0].kind, wire::SentFrameKind::kNewConnectionId);
    EXPECT_EQ(small.writer().records()[0].value, 1u);
    const auto rest = f.write();
    ASSERT_EQ(rest.size(), 2u);
    EXPECT_EQ(rest[0].sequence_number, 2u);
}

//= test 9000-5.1.1-7
TEST(LocalConnectionIds, ARetiredIdIsReplacedAndTheEndpointToldBoth) {
    Fixture f;
    f.complete(2);
    const auto issued = f.write();
    auto change = f.ids.next_change();
    ASSERT_TRUE(change && change->added);
    EXPECT_EQ(change->id, issued[0].connection_id);

    ASSERT_TRUE(f.ids.on_retire_connection_id(0, issued[0].connection_id));
    f.ids.issue(f.source);
    change = f.ids.next_change();
    ASSERT_TRUE(change);
    EXPECT_FALSE(change->added);
    EXPECT_EQ(change->id, test::id_of(7));
    change = f.ids.next_change();
    ASSERT_TRUE(change && change->added);
    EXPECT_FALSE(f.ids.next_change());

    const auto replacement = f.write();
    ASSERT_EQ(replacement.size(), 1u);
    EXPECT_EQ(replacement[0].sequence_number, 2u);
    EXPECT_EQ(replacement[0].connection_id, change->id);
    EXPECT_EQ(f.ids.sequence_of(test::id_of(7)), std::nullopt);
}

//= test 9000-19.16-1
//= test 9000-19.16-2
//= test 9000-19.16-3
TEST(LocalConnectionIds, RetirementsThatBreakTheRules) {
    struct Case {
        const char* name;
        std::uint64_t sequence;
        bool write_first;
        Reason reason;
    };
    for (const Case& c :
         {Case{"never issued", 2, true, Reason::kRetireUnknownConnectionId},
          Case{"issued but not sent", 1, false, Reason::kRetireUnknownConnectionId},
          Case{"far away", (1ull << 62) - 1, true, Reason::kRetireUnknownConnectionId},
          Case{"the one in use", 0, true, Reason::kRetireInUseConnectionId}}) {
        Fixture f;
        f.complete(2);
        if (c.write_first) f.write();
        const auto result = f.ids.on_retire_connection_id(c.sequence, test::id_of(7));
        ASSERT_FALSE(result) << c.name;
        EXPECT_EQ(result.error().code, TransportErrorCode::kProtocolViolation) << c.name;
        EXPECT_EQ(result.error().frame_type, 0x19u) << c.name;
        EXPECT_EQ(result.error().reason, c.reason) << c.name;
    }
}

TEST(LocalConnectionIds, ARepeatedRetirementIsIgnored) {
    Fixture f;
    f.complete(2);
    f.write();
    ASSERT_TRUE(f.ids.on_retire_connection_id(1, test::id_of(7)));
    ASSERT_TRUE(f.ids.on_retire_connection_id(1, test::id_of(7)));
    EXPECT_EQ(f.ids.active_count(), 1u);
    f.ids.on_lost(1);
    EXPECT_FALSE(f.ids.has_frames_to_write());
}

//= test 9000-19.15-2
//= test 9000-19.16-4
TEST(LocalConnectionIds, OfLengthZeroAreNeverIssuedNorRetired) {
    NoConnectionIds generator;
    ResetTokenKey key{{}};
    SeededRandom random{1};
    LocalConnectionIds ids{wire::ConnectionId()};
    ids.set_peer_limit(8);
    ids.issue({generator, key, random});
    EXPECT_FALSE(ids.has_frames_to_write());
    const auto result = ids.on_retire_connection_id(0, wire::ConnectionId());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, TransportErrorCode::kProtocolViolation);
}

TEST(LocalConnectionIds, ThePreferredAddressTakesSequenceNumberOneAndCountsAsSent) {
    Fixture f;
    const wire::ConnectionId preferred = test::id_of(3);
    f.ids.add_preferred_address(preferred, f.source.reset_key.token_for(preferred));
    EXPECT_EQ(f.ids.sequence_of(preferred), 1u);
    f.complete(3);
    const auto frames = f.write();
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].sequence_number, 2u);
    EXPECT_TRUE(f.ids.on_retire_connection_id(1, test::id_of(7)));
}

TEST(LocalConnectionIds, APeerThatRetiresFasterThanTheTableIsPolledIsHeldBack) {
    Fixture f;
    f.complete(8);
    wire::ConnectionId in_use = test::id_of(7);
    std::uint64_t next = 0;
    for (int round = 0; round < 50; ++round) {
        for (const auto& frame : f.write()) in_use = frame.connection_id;
        const auto newest = f.ids.sequence_of(in_use);
        ASSERT_TRUE(newest);
        for (; next < *newest; ++next) ASSERT_TRUE(f.ids.on_retire_connection_id(next, in_use));
        f.ids.issue(f.source);
    }
    // What was added and removed, in order, leaves what is active.
    std::set<std::vector<std::uint8_t>> table{std::vector<std::uint8_t>(8, 7)};
    while (const auto change = f.ids.next_change()) {
        const std::vector<std::uint8_t> id(change->id.view().begin(), change->id.view().end());
        if (change->added) {
            EXPECT_TRUE(table.insert(id).second);
        } else {
            EXPECT_EQ(table.erase(id), 1u);
        }
    }
    EXPECT_EQ(table.size(), f.ids.active_count());
    f.ids.issue(f.source);
    EXPECT_EQ(f.ids.active_count(), LocalConnectionIds::kMaxActive);
}

TEST(ConnectionIdGenerator, MakesIdsOfTheLengthThatWasAsked) {
    SeededRandom random(3);
    for (const std::size_t length : {4u, 8u, 20u}) {
        RandomConnectionIdGenerator generator(length);
        EXPECT_EQ(generator.length(), length);
        const auto id = generator.generate(random);
        EXPECT_EQ(id.length(), length);
        EXPECT_NE(id, generator.generate(random));
        EXPECT_EQ(generator.owner_of(id.view()), std::nullopt);
    }
}

//= test 9000-10.3.2-1
//= test 9000-10.3.2-5
TEST(ResetTokenKey, TheTokenDependsOnTheKeyAndTheWholeIdAndOnNothingElse) {
    const ResetTokenKey key({1});
    const ResetTokenKey same({1});
    const ResetTokenKey other({2});
    const auto token = key.token_for(test::id_of(5));
    EXPECT_TRUE(token == same.token_for(test::id_of(5)));
    EXPECT_FALSE(token == other.token_for(test::id_of(5)));
    EXPECT_FALSE(token == key.token_for(test::id_of(6)));
    EXPECT_FALSE(token == key.token_for(test::id_of(5, 9)));
    EXPECT_FALSE(token == wire::StatelessResetToken{});
}

}  // namespace
}  // namespace stoq::path
