// Key updates (RFC 9001 section 6) between two sides in virtual time.
#include "protection/one_rtt_keys.h"

#include <gtest/gtest.h>

#include "support/protected_packets.h"

namespace stoq::protection {
namespace {

using namespace std::chrono_literals;
using test::make_short_packet;
using test::TestPacket;
using Packets = std::vector<TestPacket>;

constexpr KeyParameters kParameters{};
constexpr UsageLimits kLimits = limits_of(kParameters.suite);
constexpr Duration kProbeTimeout = 100ms;
constexpr Instant kStart = Instant(1s);

crypto::Secret secret_of(Role role) {
    crypto::Secret secret = crypto::Secret::of_size(32);
    secret.writable()[0] = role == Role::kClient ? 1 : 2;
    return secret;
}

struct Delivery {
    OpenOutcome outcome;
    std::vector<bool> opened;
    std::vector<bool> key_phases;  // of the opened ones
};

// One end of a connection with keys for both directions and a confirmed handshake.
class Side {
public:
    explicit Side(Role role, const UsageLimits& limits = kLimits, bool confirmed = true) {
        keys.install_send(kParameters, secret_of(role), limits);
        keys.install_receive(kParameters, secret_of(peer_of(role)));
        if (confirmed) keys.on_handshake_confirmed();
    }

    TestPacket send() { return std::move(send_train(1)[0]); }

    Packets send_train(std::size_t count) {
        Packets packets;
        for (std::size_t i = 0; i < count; ++i) {
            packets.push_back(make_short_packet(random_, next_number++, 64));
        }
        sealed = keys.seal(to_seal(packets));
        return packets;
    }

    Delivery receive(Packets packets) {
        auto to_open = test::to_open(packets);
        Delivery delivery;
        delivery.outcome = keys.open(to_open, {next_expected, now + 3 * kProbeTimeout});
        for (const PacketToOpen& packet : to_open) {
            delivery.opened.push_back(packet.opened.has_value());
            if (!packet.opened) continue;
            delivery.key_phases.push_back(packet.opened->key_phase());
            next_expected = std::max(next_expected, packet.opened->number().next());
        }
        return delivery;
    }

    bool receives(const TestPacket& packet) {
        const Delivery delivery = receive({packet});
        return delivery.opened[0] && !delivery.outcome.error;
    }

    // An acknowledgment of everything sent so far arrives in a packet of this key phase.
    TransportResult<void> acknowledged_by(bool key_phase) {
        return keys.on_packets_acknowledged({.largest = PacketNumber(next_number - 1),
                                             .carrier_key_phase = key_phase,
                                             .now = now,
                                             .probe_timeout = kProbeTimeout});
    }

    OneRttKeys keys;
    std::uint64_t next_number = 0;
    PacketNumber next_expected;
    Instant now = kStart;
    bool sealed = false;

private:
    SeededRandom random_{3};
};

// Both directions carry a packet, and both are acknowledged.
void exchange(Side& a, Side& b) {
    ASSERT_TRUE(b.receives(a.send()));
    ASSERT_TRUE(a.receives(b.send()));
    ASSERT_TRUE(a.acknowledged_by((b.keys.send_generation() & 1) != 0));
    ASSERT_TRUE(b.acknowledged_by((a.keys.send_generation() & 1) != 0));
}

void expect_key_update_error(const OpenOutcome& outcome, Reason reason) {
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error->code, TransportErrorCode::kKeyUpdateError);
    EXPECT_EQ(outcome.error->reason, reason);
}

class KeyUpdateTest : public testing::TestWithParam<Role> {
protected:
    Side initiator_{GetParam()};
    Side responder_{peer_of(GetParam())};
};

TEST_P(KeyUpdateTest, ResponderFollowsBeforeItSendsAgain) {
    ASSERT_NO_FATAL_FAILURE(exchange(initiator_, responder_));
    ASSERT_TRUE(initiator_.keys.initiate_update(kStart));
    EXPECT_EQ(initiator_.keys.send_generation(), 1u);
    EXPECT_EQ(initiator_.keys.receive_generation(), 0u);

    //= test 9001-6.2-1
    //= test 9001-6.2-2
    const Delivery delivery = responder_.receive({initiator_.send()});
    EXPECT_EQ(delivery.key_phases, std::vector{true});
    EXPECT_EQ(delivery.outcome.key_updates, 1u);
    EXPECT_EQ(responder_.keys.receive_generation(), 1u);
    EXPECT_EQ(responder_.keys.send_generation(), 1u);

    EXPECT_TRUE(initiator_.receives(responder_.send()));
    EXPECT_EQ(initiator_.keys.receive_generation(), 1u);
    EXPECT_EQ(initiator_.keys.send_generation(), 1u);
}

TEST_P(KeyUpdateTest, ManyUpdatesInTurnKeepBothSidesTogether) {
    for (std::uint64_t generation = 1; generation <= 9; ++generation) {
        Side& first = generation % 2 == 0 ? initiator_ : responder_;
        Side& second = generation % 2 == 0 ? responder_ : initiator_;
        ASSERT_NO_FATAL_FAILURE(exchange(first, second));
        first.now += 4 * kProbeTimeout;
        second.now = first.now;
        ASSERT_TRUE(first.keys.initiate_update(first.now)) << generation;
        ASSERT_NO_FATAL_FAILURE(exchange(first, second)) << generation;
        for (const Side* side : {&first, &second}) {
            EXPECT_EQ(side->keys.send_generation(), generation);
            EXPECT_EQ(side->keys.receive_generation(), generation);
        }
    }
}

//= test 9001-6.1-1
TEST_P(KeyUpdateTest, NotInitiatedBeforeTheHandshakeIsConfirmed) {
    Side unconfirmed(GetParam(), kLimits, false);
    ASSERT_NO_FATAL_FAILURE(exchange(unconfirmed, responder_));
    EXPECT_FALSE(unconfirmed.keys.initiate_update(kStart));
    unconfirmed.keys.on_handshake_confirmed();
    EXPECT_TRUE(unconfirmed.keys.initiate_update(kStart));
}

//= test 9001-6.1-2
TEST_P(KeyUpdateTest, NotInitiatedBeforeAPacketOfThePhaseIsAcknowledged) {
    EXPECT_FALSE(initiator_.keys.initiate_update(kStart));
    ASSERT_NO_FATAL_FAILURE(exchange(initiator_, responder_));
    ASSERT_TRUE(initiator_.keys.initiate_update(kStart));

    // Acknowledgments of the old phase do not count for the new one.
    ASSERT_TRUE(initiator_.acknowledged_by(false));
    const Instant later = kStart + 1h;
    EXPECT_FALSE(initiator_.keys.initiate_update(later));
    ASSERT_TRUE(responder_.receives(initiator_.send()));
    EXPECT_FALSE(initiator_.keys.initiate_update(later));
    ASSERT_TRUE(initiator_.receives(responder_.send()));
    EXPECT_FALSE(initiator_.keys.initiate_update(later));
    ASSERT_TRUE(initiator_.acknowledged_by(true));
    EXPECT_TRUE(initiator_.keys.initiate_update(later));
}

//= test 9001-6.5-3
TEST_P(KeyUpdateTest, WaitsThreeProbeTimeoutsAfterTheLastUpdateWasConfirmed) {
    ASSERT_NO_FATAL_FAILURE(exchange(initiator_, responder_));
    ASSERT_TRUE(initiator_.keys.initiate_update(kStart));
    ASSERT_NO_FATAL_FAILURE(exchange(initiator_, responder_));
    // Later acknowledgments do not prolong the wait.
    initiator_.now += kProbeTimeout;
    ASSERT_TRUE(initiator_.acknowledged_by(true));
    EXPECT_FALSE(initiator_.keys.can_initiate_update(kStart + 3 * kProbeTimeout - 1ns));
    EXPECT_TRUE(initiator_.keys.can_initiate_update(kStart + 3 * kProbeTimeout));
}

TEST_P(KeyUpdateTest, BothSidesAtOnceUpdateOnce) {
    ASSERT_NO_FATAL_FAILURE(exchange(initiator_, responder_));
    ASSERT_TRUE(initiator_.keys.initiate_update(kStart));
    ASSERT_TRUE(responder_.keys.initiate_update(kStart));
    const TestPacket crossing = initiator_.send();
    const TestPacket other_crossing = responder_.send();
    EXPECT_TRUE(responder_.receives(crossing));
    EXPECT_TRUE(initiator_.receives(other_crossing));
    for (const Side* side : {&initiator_, &responder_}) {
        EXPECT_EQ(side->keys.send_generation(), 1u);
        EXPECT_EQ(side->keys.receive_generation(), 1u);
    }
    EXPECT_NO_FATAL_FAILURE(exchange(initiator_, responder_));
}

TEST_P(KeyUpdateTest, TheFirstPacketsOfAPhaseMayBeLost) {
    ASSERT_NO_FATAL_FAILURE(exchange(initiator_, responder_));
    ASSERT_TRUE(initiator_.keys.initiate_update(kStart));
    initiator_.send_train(5);
    // The responder has seen nothing and goes on in the old phase.
    EXPECT_TRUE(initiator_.receives(responder_.send()));
    EXPECT_EQ(initiator_.keys.receive_generation(), 0u);
    EXPECT_TRUE(responder_.receives(initiator_.send()));
    EXPECT_TRUE(initiator_.receives(responder_.send()));
    EXPECT_EQ(initiator_.keys.receive_generation(), 1u);
}

TEST_P(KeyUpdateTest, LatePacketsOfTheOldPhaseAreOpenedForAWhile) {
    ASSERT_NO_FATAL_FAILURE(exchange(initiator_, responder_));
    const TestPacket late = initiator_.send();
    const TestPacket very_late = initiator_.send();
    ASSERT_TRUE(initiator_.keys.initiate_update(kStart));
    ASSERT_TRUE(responder_.receives(initiator_.send()));

    const Instant deadline = kStart + 3 * kProbeTimeout;
    EXPECT_EQ(responder_.keys.next_deadline(), deadline);
    responder_.keys.discard_previous(deadline - 1ns);
    EXPECT_TRUE(responder_.receives(late));
    EXPECT_EQ(responder_.keys.receive_generation(), 1u);

    //= test 9001-6.5-4
    //= test 9001-6.5-5
    responder_.keys.discard_previous(deadline);
    EXPECT_EQ(responder_.keys.next_deadline(), kNever);
    const Delivery delivery = responder_.receive({very_late});
    EXPECT_EQ(delivery.opened, std::vector{false});
    EXPECT_EQ(delivery.outcome.failed, 1u);
    EXPECT_FALSE(delivery.outcome.error);
}

TEST_P(KeyUpdateTest, KeysThatAreGoneLeaveNothingToLaterOnes) {
    for (std::uint64_t generation = 1; generation <= 4; ++generation) {
        ASSERT_NO_FATAL_FAILURE(exchange(initiator_, responder_));
        const TestPacket late = initiator_.send();
        initiator_.now += 4 * kProbeTimeout;
        responder_.now = initiator_.now;
        ASSERT_TRUE(initiator_.keys.initiate_update(initiator_.now)) << generation;
        ASSERT_NO_FATAL_FAILURE(exchange(initiator_, responder_)) << generation;
        for (Side* side : {&initiator_, &responder_}) side->keys.discard_previous(kNever - 1ns);
        EXPECT_EQ(responder_.receive({late}).opened, std::vector{false}) << generation;
        EXPECT_EQ(responder_.keys.receive_generation(), generation);
    }
}

//= test 9001-6.1-3
TEST_P(KeyUpdateTest, TheInitiatorKeepsOldKeysUntilItIsFollowed) {
    ASSERT_NO_FATAL_FAILURE(exchange(initiator_, responder_));
    ASSERT_TRUE(initiator_.keys.initiate_update(kStart));
    initiator_.keys.discard_previous(kStart + 1h);
    EXPECT_EQ(initiator_.keys.next_deadline(), kNever);
    EXPECT_TRUE(initiator_.receives(responder_.send()));
}

TEST_P(KeyUpdateTest, OneBatchMayHoldBothPhasesInAnyOrder) {
    ASSERT_NO_FATAL_FAILURE(exchange(initiator_, responder_));
    Packets old_phase = initiator_.send_train(4);
    ASSERT_TRUE(initiator_.keys.initiate_update(kStart));
    Packets new_phase = initiator_.send_train(3);
    const Packets batch = {old_phase[0], old_phase[2], new_phase[1], old_phase[1],
                           new_phase[0], old_phase[3], new_phase[2]};
    const Delivery delivery = responder_.receive(batch);
    EXPECT_EQ(delivery.opened, std::vector<bool>(batch.size(), true));
    EXPECT_EQ(delivery.key_phases, (std::vector{false, false, true, false, true, false, true}));
    EXPECT_EQ(delivery.outcome.key_updates, 1u);
    EXPECT_FALSE(delivery.outcome.error);
}

//= test 9001-5.5-2
//= test 9001-6.3-4
TEST_P(KeyUpdateTest, AForgedKeyPhaseChangesNothing) {
    ASSERT_NO_FATAL_FAILURE(exchange(initiator_, responder_));
    for (int i = 0; i < 20; ++i) {
        TestPacket forged = initiator_.send();
        forged.bytes[0] ^= wire::kKeyPhaseBit;  // flips the bit under the mask
        const Delivery delivery = responder_.receive({forged});
        EXPECT_EQ(delivery.opened, std::vector{false});
        EXPECT_EQ(delivery.outcome.key_updates, 0u);
        EXPECT_FALSE(delivery.outcome.error);
    }
    EXPECT_EQ(responder_.keys.receive_generation(), 0u);
    EXPECT_EQ(responder_.keys.send_generation(), 0u);
    ASSERT_TRUE(initiator_.keys.initiate_update(kStart));
    EXPECT_TRUE(responder_.receives(initiator_.send()));
}

//= test 9001-6.2-4
TEST_P(KeyUpdateTest, AcknowledgingWithoutFollowingIsAnError) {
    ASSERT_NO_FATAL_FAILURE(exchange(initiator_, responder_));
    ASSERT_TRUE(initiator_.keys.initiate_update(kStart));
    initiator_.send();
    const auto result = initiator_.acknowledged_by(false);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, TransportErrorCode::kKeyUpdateError);
}

INSTANTIATE_TEST_SUITE_P(EitherSide, KeyUpdateTest, testing::Values(Role::kClient, Role::kServer),
                         [](const auto& parameter) {
                             return parameter.param == Role::kClient ? "Client" : "Server";
                         });

// A peer that seals as it likes.
class Rogue {
public:
    TestPacket send(std::uint64_t number) {
        TestPacket packet = make_short_packet(random_, number, 64);
        const auto to_seal = packet.to_seal();
        EXPECT_TRUE(phases.seal({&to_seal, 1}));
        return packet;
    }

    SendPhases phases{kParameters, secret_of(Role::kClient), kLimits};

private:
    SeededRandom random_{5};
};

class RoguePeerTest : public testing::Test {
protected:
    Rogue rogue_;
    Side victim_{Role::kServer};
};

//= test 9001-6.2-3
TEST_F(RoguePeerTest, UpdatingAgainBeforeAnythingWasSentBackIsAnError) {
    ASSERT_TRUE(victim_.receives(rogue_.send(0)));
    rogue_.phases.update();
    ASSERT_TRUE(victim_.receives(rogue_.send(1)));
    rogue_.phases.update();
    const Delivery delivery = victim_.receive({rogue_.send(2)});
    expect_key_update_error(delivery.outcome, Reason::kKeyUpdateTooEarly);
}

TEST_F(RoguePeerTest, UpdatingTwiceInOneBatchIsAnError) {
    victim_.send();
    Packets batch = {rogue_.send(0)};
    rogue_.phases.update();
    batch.push_back(rogue_.send(1));
    rogue_.phases.update();
    batch.push_back(rogue_.send(2));
    const Delivery delivery = victim_.receive(batch);
    expect_key_update_error(delivery.outcome, Reason::kKeyUpdateTooEarly);
}

TEST_F(RoguePeerTest, UpdatingAgainAfterAnAnswerIsFine) {
    for (std::uint64_t number = 0; number < 6; ++number) {
        ASSERT_TRUE(victim_.receives(rogue_.send(number))) << number;
        victim_.send();
        rogue_.phases.update();
    }
}

//= test 9001-6.4-2
TEST_F(RoguePeerTest, OldKeysForAHigherNumberThanNewKeysIsAnError) {
    Rogue old_phase;
    rogue_.phases.update();
    ASSERT_TRUE(victim_.receives(old_phase.send(1)));
    ASSERT_TRUE(victim_.receives(rogue_.send(10)));
    ASSERT_TRUE(victim_.receives(rogue_.send(20)));
    EXPECT_TRUE(victim_.receives(old_phase.send(9)));
    const Delivery delivery = victim_.receive({old_phase.send(11)});
    expect_key_update_error(delivery.outcome, Reason::kKeyPhaseReversed);
}

//= test 9001-6.4-2
TEST_F(RoguePeerTest, NewKeysForALowerNumberThanOldKeysIsAnError) {
    Rogue old_phase;
    rogue_.phases.update();
    ASSERT_TRUE(victim_.receives(old_phase.send(10)));
    const Delivery delivery = victim_.receive({rogue_.send(9)});
    expect_key_update_error(delivery.outcome, Reason::kKeyPhaseReversed);
}

TEST_F(RoguePeerTest, OldKeysBeyondEveryNewNumberAreRefused) {
    Rogue old_phase;
    rogue_.phases.update();
    ASSERT_TRUE(victim_.receives(rogue_.send(10)));
    const Delivery delivery = victim_.receive({old_phase.send(11)});
    EXPECT_EQ(delivery.opened, std::vector{false});
    EXPECT_FALSE(delivery.outcome.error);
    EXPECT_EQ(victim_.keys.receive_generation(), 1u);
}

constexpr UsageLimits kSmallLimits{
    .update_after = 40, .close_after = 60, .most_sealed = 64, .most_failed = 10};

//= test 9001-5.3-3
//= test 9001-6.6-3
TEST(UsageLimitTest, KeysAreUpdatedBeforeTheyAreUsedTooOften) {
    Side sender(Role::kClient, kSmallLimits);
    Side receiver(Role::kServer);
    ASSERT_NO_FATAL_FAILURE(exchange(sender, receiver));
    for (int round = 0; round < 30; ++round) {
        for (const TestPacket& packet : sender.send_train(10))
            ASSERT_TRUE(receiver.receives(packet));
        ASSERT_TRUE(sender.sealed);
        ASSERT_FALSE(sender.keys.usage_error());
        ASSERT_NO_FATAL_FAILURE(exchange(sender, receiver));
    }
    // 331 packets, never more than 40 with one key.
    EXPECT_GE(sender.keys.send_generation(), 8u);
    EXPECT_EQ(sender.keys.send_generation(), receiver.keys.receive_generation());
}

//= test 9001-6.6-1
//= test 9001-6.6-2
//= test 9001-6.6-5
TEST(UsageLimitTest, WithoutAcknowledgmentsTheLimitEndsTheConnection) {
    Side sender(Role::kClient, kSmallLimits);
    sender.send_train(59);
    EXPECT_FALSE(sender.keys.usage_error());
    sender.send_train(1);
    ASSERT_TRUE(sender.keys.usage_error());
    EXPECT_EQ(sender.keys.usage_error()->code, TransportErrorCode::kAeadLimitReached);

    // What is left suffices to say so, and no packet goes beyond the limit.
    sender.send_train(4);
    EXPECT_TRUE(sender.sealed);
    const Packets refused = sender.send_train(1);
    EXPECT_FALSE(sender.sealed);
    Side receiver(Role::kServer);
    EXPECT_FALSE(receiver.receives(refused[0]));
}

TEST(UsageLimitTest, AnUpdateStartsANewCount) {
    Side sender(Role::kClient, kSmallLimits);
    Side receiver(Role::kServer);
    sender.send_train(30);
    ASSERT_NO_FATAL_FAILURE(exchange(sender, receiver));
    ASSERT_TRUE(sender.keys.initiate_update(kStart));
    sender.send_train(59);
    EXPECT_FALSE(sender.keys.usage_error());
}

TEST(OneRttKeysTest, DirectionsAppearOneByOne) {
    OneRttKeys keys;
    EXPECT_FALSE(keys.has_send_keys() || keys.has_receive_keys());
    keys.install_send(kParameters, secret_of(Role::kServer), kLimits);
    EXPECT_TRUE(keys.has_send_keys());
    EXPECT_FALSE(keys.has_receive_keys());
    EXPECT_FALSE(keys.can_initiate_update(kStart));
    EXPECT_EQ(keys.next_deadline(), kNever);
    keys.install_receive(kParameters, secret_of(Role::kClient));
    EXPECT_TRUE(keys.has_receive_keys());
}

TEST(OneRttKeysTest, TheKeyPhaseBitIsSetBySealingWhateverTheHeaderHad) {
    Side sender(Role::kClient);
    Side receiver(Role::kServer);
    SeededRandom random(21);
    Packets packets = {make_short_packet(random, 0, 64), make_short_packet(random, 1, 64)};
    packets[0].bytes[0] |= wire::kKeyPhaseBit;
    ASSERT_TRUE(sender.keys.seal(to_seal(packets)));
    const Delivery delivery = receiver.receive(packets);
    EXPECT_EQ(delivery.key_phases, (std::vector{false, false}));
    EXPECT_EQ(delivery.outcome.key_updates, 0u);
}

TEST(OneRttKeysTest, PacketsOfAllNumberLengthsInOneBatchAreOpened) {
    Side sender(Role::kClient);
    Side receiver(Role::kServer);
    SeededRandom random(9);
    Packets packets;
    for (std::uint64_t i = 0; i < 64; ++i) {
        packets.push_back(make_short_packet(random, i, 64, static_cast<std::uint8_t>(1 + i % 4)));
    }
    ASSERT_TRUE(sender.keys.seal(to_seal(packets)));
    EXPECT_EQ(receiver.receive(packets).opened, std::vector<bool>(64, true));
}

}  // namespace
}  // namespace stoq::protection
