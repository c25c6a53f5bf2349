// The sample packets of RFC 9369 appendix A (QUIC version 2), byte for byte and in both directions.
#include <vector>

#include <gtest/gtest.h>

#include "protection/initial_keys.h"
#include "protection/keyring.h"
#include "protection/open.h"
#include "protection/retry_integrity.h"
#include "protection/seal.h"
#include "support/hex.h"
#include "support/rfc9369_vectors.h"

namespace stoq::protection {
namespace {

using crypto::CipherSuite;
using crypto::Direction;
using test::from_hex;
using test::to_hex;
namespace vectors = test::rfc9369;

struct Sample {
    const char* name;
    CipherSuite suite;
    std::string_view secret;
    std::string_view header;
    std::string_view frames;
    std::size_t payload_size;  // the frames are padded with zeros up to this
    std::string_view sealed;
    std::uint32_t packet_number_offset;
    std::uint64_t packet_number;
};

constexpr Sample kSamples[] = {
    {"A.2 client Initial", CipherSuite::kAes128GcmSha256, vectors::kClientSecret,
     vectors::kClientInitialHeader, vectors::kClientInitialFrames, 1162,
     vectors::kClientInitialPacket, 18, 2},
    {"A.3 server Initial", CipherSuite::kAes128GcmSha256, vectors::kServerSecret,
     vectors::kServerInitialHeader, vectors::kServerInitialPayload, 99,
     vectors::kServerInitialPacket, 18, 1},
    {"A.5 ChaCha20 short header", CipherSuite::kChaCha20Poly1305Sha256, vectors::kChaCha20Secret,
     vectors::kChaCha20Header, "01", 1, vectors::kChaCha20Packet, 1,
     vectors::kChaCha20PacketNumber},
};

KeyParameters parameters(CipherSuite suite) {
    return {.suite = suite, .labels = kQuicVersion2.labels};
}

TEST(Rfc9369, InitialSecretsComeFromTheOtherSalt) {
    const auto secrets =
        derive_initial_secrets(from_hex(vectors::kConnectionId), constants_of(0x6b3343cf));
    EXPECT_EQ(to_hex(secrets.client.view()), vectors::kClientSecret);
    EXPECT_EQ(to_hex(secrets.server.view()), vectors::kServerSecret);
}

TEST(Rfc9369, SamplesAreSealedByteForByte) {
    for (const Sample& sample : kSamples) {
        SCOPED_TRACE(sample.name);
        auto packet = from_hex(sample.header);
        const std::size_t header = packet.size();
        const auto frames = from_hex(sample.frames);
        packet.insert(packet.end(), frames.begin(), frames.end());
        packet.resize(header + sample.payload_size + crypto::kTagSize);
        PacketKeys sealing = make_packet_keys(parameters(sample.suite), Direction::kSeal,
                                              crypto::Secret(ByteView(from_hex(sample.secret))));
        const PacketToSeal to_seal{
            .packet = packet.data(),
            .packet_number_offset = sample.packet_number_offset,
            .plaintext_end = static_cast<std::uint32_t>(header + sample.payload_size),
            .packet_number_length = static_cast<std::uint8_t>(header - sample.packet_number_offset),
            .packet_number = PacketNumber(sample.packet_number)};
        seal(sealing, {&to_seal, 1});
        EXPECT_EQ(to_hex(packet), sample.sealed);
    }
}

TEST(Rfc9369, SamplesAreOpened) {
    for (const Sample& sample : kSamples) {
        SCOPED_TRACE(sample.name);
        auto bytes = from_hex(sample.sealed);
        PacketToOpen packet;
        packet.packet = bytes;
        packet.packet_number_offset = sample.packet_number_offset;
        PacketKeys opening = make_packet_keys(parameters(sample.suite), Direction::kOpen,
                                              crypto::Secret(ByteView(from_hex(sample.secret))));
        remove_header_protection(*opening.header, {&packet, 1});
        expand_packet_numbers({&packet, 1}, PacketNumber(sample.packet_number));
        open(opening.payload, {&packet, 1});
        ASSERT_TRUE(packet.opened);
        auto payload = from_hex(sample.frames);
        payload.resize(sample.payload_size);
        EXPECT_EQ(to_hex(packet.opened->payload()), to_hex(payload));
    }
}

TEST(Rfc9369, KeyUpdatesHaveTheOtherLabel) {
    const auto next = next_generation(parameters(CipherSuite::kChaCha20Poly1305Sha256),
                                      crypto::Secret(ByteView(from_hex(vectors::kChaCha20Secret))));
    EXPECT_EQ(to_hex(next.view()), vectors::kChaCha20NextSecret);
}

TEST(Rfc9369, RetryHasTheOtherTag) {
    const auto id = from_hex(vectors::kConnectionId);
    const auto packet = from_hex(vectors::kRetryPacket);
    EXPECT_TRUE(retry_integrity_is_valid(id, packet, kQuicVersion2));
    EXPECT_FALSE(retry_integrity_is_valid(id, packet, kQuicVersion1));
}

// --- Keyring ---

std::vector<std::uint8_t> client_initial(const VersionConstants& version, ByteView id) {
    Keyring client({.version = &version, .limits = {}});
    client.install_initial(Role::kClient, id);
    std::vector<std::uint8_t> packet(18 + 4 + 100 + crypto::kTagSize, 1);
    packet[0] = 0xc3;
    const PacketToSeal to_seal{.packet = packet.data(),
                               .packet_number_offset = 18,
                               .plaintext_end = 18 + 4 + 100,
                               .packet_number_length = 4,
                               .packet_number = PacketNumber(0x01010101)};
    EXPECT_TRUE(client.seal(EncryptionLevel::kInitial, {&to_seal, 1}));
    return packet;
}

bool opens(Keyring& keyring, std::vector<std::uint8_t> bytes, const VersionConstants* version) {
    PacketToOpen packet;
    packet.packet = bytes;
    packet.packet_number_offset = 18;
    packet.type = wire::PacketType::kInitial;
    keyring.open(EncryptionLevel::kInitial, {&packet, 1},
                 {.next_expected = PacketNumber(0x01010101), .initial_version = version});
    return packet.opened.has_value();
}

//= test 9369-4.1-7
TEST(KeyringVersions, InitialsOfBothVersionsAreOpenedUntilTheLevelIsDiscarded) {
    const auto id = from_hex(vectors::kConnectionId);
    const auto version_1 = client_initial(kQuicVersion1, id);
    const auto version_2 = client_initial(kQuicVersion2, id);
    Keyring server({.version = &kQuicVersion1, .limits = {}});
    server.install_initial(Role::kServer, id);
    EXPECT_TRUE(opens(server, version_1, nullptr));
    EXPECT_FALSE(opens(server, version_2, nullptr));
    EXPECT_TRUE(opens(server, version_2, &kQuicVersion2));
    server.switch_version(kQuicVersion2);
    EXPECT_TRUE(opens(server, version_2, nullptr));
    EXPECT_FALSE(opens(server, version_1, nullptr));
    EXPECT_TRUE(opens(server, version_1, &kQuicVersion1));
    server.discard(EncryptionLevel::kInitial);
    EXPECT_FALSE(opens(server, version_1, &kQuicVersion1));
}

}  // namespace
}  // namespace stoq::protection
