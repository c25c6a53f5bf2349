#include "protection/keyring.h"

#include <utility>

#include <gtest/gtest.h>

#include "support/hex.h"
#include "support/protected_packets.h"
#include "support/rfc9001_vectors.h"

namespace stoq::protection {
namespace {

using crypto::CipherSuite;
using crypto::Direction;
using test::make_short_packet;
using test::TestPacket;

constexpr EncryptionLevel kTlsLevels[] = {EncryptionLevel::kZeroRtt, EncryptionLevel::kHandshake,
                                          EncryptionLevel::kOneRtt};
constexpr OpenContext kContext{};

class KeyringTest : public testing::Test {
protected:
    static void install_both(Keyring& from, Keyring& to, EncryptionLevel level,
                             CipherSuite suite = CipherSuite::kAes128GcmSha256) {
        const auto secret =
            crypto::Secret::of_size(crypto::digest_size(crypto::properties_of(suite).hash));
        from.install(level, Direction::kSeal, suite, secret);
        to.install(level, Direction::kOpen, suite, secret);
    }

    TestPacket sealed(EncryptionLevel level) {
        TestPacket packet = make_short_packet(random_, number_++, 80);
        const auto to_seal = packet.to_seal();
        EXPECT_TRUE(sender_.seal(level, {&to_seal, 1}));
        return packet;
    }

    OpenOutcome open(EncryptionLevel level, TestPacket& packet) {
        opened_ = packet.to_open();
        return receiver_.open(level, {&opened_, 1}, kContext);
    }

    SeededRandom random_{13};
    std::uint64_t number_ = 0;
    PacketToOpen opened_;
    Keyring sender_;
    Keyring receiver_;
};

TEST_F(KeyringTest, StartsEmpty) {
    for (const auto level : {EncryptionLevel::kInitial, EncryptionLevel::kZeroRtt,
                             EncryptionLevel::kHandshake, EncryptionLevel::kOneRtt}) {
        EXPECT_FALSE(sender_.has_send_keys(level));
        EXPECT_FALSE(sender_.has_receive_keys(level));
    }
}

TEST_F(KeyringTest, InitialKeysOpenWhatThePeerSealed) {
    const auto id = test::from_hex(test::rfc9001::kConnectionId);
    for (const Role role : {Role::kClient, Role::kServer}) {
        sender_.install_initial(role, id);
        receiver_.install_initial(peer_of(role), id);
        TestPacket packet = sealed(EncryptionLevel::kInitial);
        open(EncryptionLevel::kInitial, packet);
        EXPECT_TRUE(opened_.opened);
        // Nobody opens its own packets: the directions have different keys.
        packet = sealed(EncryptionLevel::kInitial);
        opened_ = packet.to_open();
        sender_.open(EncryptionLevel::kInitial, {&opened_, 1}, kContext);
        EXPECT_FALSE(opened_.opened);
    }
}

TEST_F(KeyringTest, AServerTakesInitialKeysThatWereMadeBefore) {
    const auto id = test::from_hex(test::rfc9001::kConnectionId);
    auto secrets = derive_initial_secrets(id);
    auto from_client = make_packet_keys({}, crypto::Direction::kOpen, secrets.client);
    sender_.install_initial(Role::kClient, id);
    receiver_.install_initial(id, {std::move(secrets), std::move(from_client)});
    TestPacket packet = sealed(EncryptionLevel::kInitial);
    open(EncryptionLevel::kInitial, packet);
    EXPECT_TRUE(opened_.opened);
    // The other direction, too.
    std::swap(sender_, receiver_);
    packet = sealed(EncryptionLevel::kInitial);
    open(EncryptionLevel::kInitial, packet);
    EXPECT_TRUE(opened_.opened);
}

TEST_F(KeyringTest, AServersRetryReplacesInitialKeys) {
    const auto first = test::from_hex("0011223344556677");
    const auto second = test::from_hex("8899aabbccddeeff");
    sender_.install_initial(Role::kClient, first);
    receiver_.install_initial(Role::kServer, second);
    TestPacket packet = sealed(EncryptionLevel::kInitial);
    open(EncryptionLevel::kInitial, packet);
    EXPECT_EQ(opened_.drop, DropReason::kDecryptionFailed);
    sender_.install_initial(Role::kClient, second);
    packet = sealed(EncryptionLevel::kInitial);
    open(EncryptionLevel::kInitial, packet);
    EXPECT_TRUE(opened_.opened);
}

TEST_F(KeyringTest, EveryLevelAndSuiteCarriesPackets) {
    for (const auto suite : {CipherSuite::kAes128GcmSha256, CipherSuite::kAes256GcmSha384,
                             CipherSuite::kChaCha20Poly1305Sha256}) {
        sender_ = Keyring();
        receiver_ = Keyring();
        receiver_.on_handshake_complete();
        for (const auto level : kTlsLevels) {
            install_both(sender_, receiver_, level, suite);
            EXPECT_TRUE(sender_.has_send_keys(level));
            EXPECT_FALSE(sender_.has_receive_keys(level));
            EXPECT_TRUE(receiver_.has_receive_keys(level));
            TestPacket packet = sealed(level);
            open(level, packet);
            EXPECT_TRUE(opened_.opened);
        }
    }
}

TEST_F(KeyringTest, WithoutKeysPacketsAreDroppedUntouched) {
    install_both(sender_, receiver_, EncryptionLevel::kHandshake);
    TestPacket packet = sealed(EncryptionLevel::kHandshake);
    const auto before = packet.bytes;
    receiver_.discard(EncryptionLevel::kHandshake);
    const OpenOutcome outcome = open(EncryptionLevel::kHandshake, packet);
    EXPECT_EQ(opened_.drop, DropReason::kKeysUnavailable);
    EXPECT_EQ(packet.bytes, before);
    EXPECT_EQ(outcome.failed, 0u);
}

//= test 9001-5.7-1
//= test 9001-5.7-2
//= test 9001-5.7-3
//= test 9001-5.7-5
TEST_F(KeyringTest, OneRttPacketsStayClosedUntilTheHandshakeIsComplete) {
    install_both(sender_, receiver_, EncryptionLevel::kOneRtt);
    EXPECT_FALSE(receiver_.has_receive_keys(EncryptionLevel::kOneRtt));
    TestPacket packet = sealed(EncryptionLevel::kOneRtt);
    open(EncryptionLevel::kOneRtt, packet);
    EXPECT_EQ(opened_.drop, DropReason::kKeysUnavailable);

    // Untouched, so it can be kept and opened later.
    receiver_.on_handshake_complete();
    open(EncryptionLevel::kOneRtt, packet);
    EXPECT_TRUE(opened_.opened);
}

TEST_F(KeyringTest, DiscardTakesBothDirectionsOfOneLevel) {
    install_both(sender_, receiver_, EncryptionLevel::kHandshake);
    install_both(receiver_, sender_, EncryptionLevel::kHandshake);
    install_both(sender_, receiver_, EncryptionLevel::kZeroRtt);
    sender_.discard(EncryptionLevel::kHandshake);
    EXPECT_FALSE(sender_.has_send_keys(EncryptionLevel::kHandshake));
    EXPECT_FALSE(sender_.has_receive_keys(EncryptionLevel::kHandshake));
    EXPECT_TRUE(sender_.has_send_keys(EncryptionLevel::kZeroRtt));
}

//= test 9001-6.6-6
//= test 9001-6.6-7
TEST(KeyringLimitTest, ForgeriesAreCountedOverAllKeys) {
    constexpr UsageLimits kLimits{
        .update_after = 10, .close_after = 20, .most_sealed = 30, .most_failed = 4};
    Keyring receiver(KeyringOptions{.limits = kLimits});
    const auto secret = crypto::Secret::of_size(32);
    receiver.on_handshake_complete();
    for (const auto level : kTlsLevels) {
        receiver.install(level, Direction::kOpen, CipherSuite::kAes128GcmSha256, secret);
    }
    SeededRandom random(17);
    for (std::size_t failures = 1; failures <= 6; ++failures) {
        TestPacket forged = make_short_packet(random, failures, 80);
        auto packet = forged.to_open();
        const auto level = kTlsLevels[failures % 3];
        const OpenOutcome outcome = receiver.open(level, {&packet, 1}, kContext);
        EXPECT_EQ(outcome.failed, 1u);
        ASSERT_EQ(outcome.error.has_value(), failures > 4) << failures;
        if (outcome.error) {
            EXPECT_EQ(outcome.error->code, TransportErrorCode::kAeadLimitReached);
            EXPECT_EQ(outcome.error->reason, Reason::kIntegrityLimit);
        }
    }
}

//= test 9001-6.6-2
TEST(KeyringLimitTest, KeysThatCannotBeUpdatedSealNoMoreThanTheirLimit) {
    constexpr UsageLimits kLimits{
        .update_after = 2, .close_after = 5, .most_sealed = 6, .most_failed = 1};
    Keyring sender(KeyringOptions{.limits = kLimits});
    sender.install_initial(Role::kClient, {});
    SeededRandom random(19);
    for (std::uint64_t number = 0; number < 8; ++number) {
        EXPECT_EQ(sender.usage_error(EncryptionLevel::kInitial).has_value(), number >= 5) << number;
        TestPacket packet = make_short_packet(random, number, 80);
        const auto clear = packet.bytes;
        const auto to_seal = packet.to_seal();
        EXPECT_EQ(sender.seal(EncryptionLevel::kInitial, {&to_seal, 1}), number < 6) << number;
        EXPECT_EQ(packet.bytes == clear, number >= 6) << number;
    }
}

TEST(KeyringDeathTest, MisuseIsRefused) {
    Keyring keyring;
    TestPacket packet;
    packet.bytes.resize(80);
    const auto to_seal = packet.to_seal();
    EXPECT_DEATH((void)keyring.seal(EncryptionLevel::kHandshake, {&to_seal, 1}), "internal error");
    EXPECT_DEATH(keyring.discard(EncryptionLevel::kOneRtt), "internal error");
    keyring.install(EncryptionLevel::kHandshake, Direction::kSeal, CipherSuite::kAes128GcmSha256,
                    crypto::Secret::of_size(32));
    EXPECT_DEATH(keyring.install(EncryptionLevel::kHandshake, Direction::kSeal,
                                 CipherSuite::kAes128GcmSha256, crypto::Secret::of_size(32)),
                 "internal error");
}

}  // namespace
}  // namespace stoq::protection
