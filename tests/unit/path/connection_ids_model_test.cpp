// Both registries of a connection, talking over a link that loses, repeats and reorders frames.
#include <deque>
#include <map>

#include <gtest/gtest.h>

#include "path/local_connection_ids.h"
#include "path/remote_connection_ids.h"
#include "payload.h"

namespace stoq::path {
namespace {

using test::Payload;

struct Model {
    explicit Model(std::uint64_t seed) : random(seed), limit(2 + random.next() % 7), remote(limit) {
        remote.set_handshake_id(test::id_of(7));
        table[key(test::id_of(7))] = true;
        local.set_peer_limit(limit);
    }

    static std::vector<std::uint8_t> key(const wire::ConnectionId& id) {
        return {id.view().begin(), id.view().end()};
    }
    bool chance(unsigned percent) { return random.next() % 100 < percent; }

    void poll_table() {
        while (const auto change = local.next_change()) {
            if (change->added) {
                EXPECT_FALSE(table[key(change->id)]) << "an id was issued twice";
                table[key(change->id)] = true;
            } else {
                EXPECT_TRUE(table[key(change->id)]);
                table.erase(key(change->id));
            }
        }
    }

    // The issuer's frames reach the other side, or not.
    void deliver_new_ids() {
        local.issue({generator, reset_key, random});
        poll_table();
        Payload payload;
        local.write_new_connection_ids(payload);
        for (const auto& frame : payload.all<wire::NewConnectionIdFrame>()) {
            if (chance(30)) {
                local.on_lost(frame.sequence_number);
                if (chance(50)) late.push_back(frame);
                continue;
            }
            late.push_back(frame);
            if (chance(80)) local.on_acked(frame.sequence_number);
        }
        while (!late.empty() && chance(70)) {
            const std::size_t i = random.next() % late.size();
            const auto result = remote.on_new_connection_id(late[i]);
            ASSERT_TRUE(result) << "an honest peer is never in error";
            if (chance(70)) late.erase(late.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }

    void deliver_retirements() {
        Payload payload;
        remote.write_retire_connection_ids(payload);
        const wire::ConnectionId* in_use = remote.id_of(kInitialPath);
        ASSERT_NE(in_use, nullptr);
        for (const auto& frame : payload.all<wire::RetireConnectionIdFrame>()) {
            if (chance(30)) {
                remote.on_lost(frame.sequence_number);
                continue;
            }
            ASSERT_TRUE(local.on_retire_connection_id(frame.sequence_number, *in_use));
            remote.on_acked(frame.sequence_number);
        }
        poll_table();
    }

    void step() {
        deliver_new_ids();
        if (chance(40)) remote.rotate(kInitialPath);
        if (chance(20)) remote.assign_fresh(1);
        if (chance(20)) remote.release(1);
        deliver_retirements();
        check();
    }

    void check() {
        EXPECT_LE(remote.active_count(), limit);
        EXPECT_LE(local.active_count(), limit);
        for (const auto path : {PathIndex{0}, PathIndex{1}}) {
            if (const wire::ConnectionId* id = remote.id_of(path)) {
                EXPECT_TRUE(table.contains(key(*id))) << "packets with it would go astray";
                EXPECT_TRUE(path == 0 || remote.matches_reset_token(reset_key.token_for(*id)));
            }
        }
        EXPECT_EQ(table.size(), local.active_count());
    }

    SeededRandom random;
    std::uint64_t limit;
    RandomConnectionIdGenerator generator;
    ResetTokenKey reset_key{{3}};
    LocalConnectionIds local{test::id_of(7)};
    RemoteConnectionIds remote;
    std::map<std::vector<std::uint8_t>, bool> table;
    std::deque<wire::NewConnectionIdFrame> late;
};

//= test 9000-5.1.1-2
TEST(ConnectionIds, TwoHonestRegistriesAgreeOverABadLink) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        SCOPED_TRACE(seed);
        Model model(seed);
        for (int step = 0; step < 100 && !testing::Test::HasFailure(); ++step) model.step();
        ASSERT_FALSE(testing::Test::HasFailure());
    }
}

}  // namespace
}  // namespace stoq::path
