// The sample packets of RFC 9001 appendix A, byte for byte and in both directions, with every
// backend.
#include <vector>

#include <gtest/gtest.h>

#include "protection/initial_keys.h"
#include "protection/open.h"
#include "protection/seal.h"
#include "support/hex.h"
#include "support/rfc9001_vectors.h"

namespace stoq::protection {
namespace {

using crypto::CipherSuite;
using crypto::Direction;
using test::from_hex;
using test::to_hex;
namespace vectors = test::rfc9001;

struct Sample {
    const char* name;
    CipherSuite suite;
    std::string_view secret;
    std::string_view header;
    std::string_view frames;
    std::size_t payload_size;  // the frames are padded with zeros up to this
    std::string_view sealed;
    wire::PacketType type;
    std::uint32_t packet_number_offset;
    std::uint64_t packet_number;
    std::uint64_t next_expected;
};

constexpr Sample kSamples[] = {
    {"A.2 client Initial", CipherSuite::kAes128GcmSha256, vectors::kClientKeys.secret,
     vectors::kClientInitialHeader, vectors::kClientInitialFrames, 1162,
     vectors::kClientInitialPacket, wire::PacketType::kInitial, 18, 2, 0},
    {"A.3 server Initial", CipherSuite::kAes128GcmSha256, vectors::kServerKeys.secret,
     vectors::kServerInitialHeader, vectors::kServerInitialPayload, 99,
     vectors::kServerInitialPacket, wire::PacketType::kInitial, 18, 1, 0},
    {"A.5 ChaCha20 short header", CipherSuite::kChaCha20Poly1305Sha256,
     vectors::kChaCha20Keys.secret, vectors::kChaCha20Header, "01", 1, vectors::kChaCha20Packet,
     wire::PacketType::kOneRtt, 1, vectors::kChaCha20PacketNumber, vectors::kChaCha20PacketNumber},
};

class Rfc9001Test : public testing::TestWithParam<crypto::Backend> {
protected:
    void SetUp() override {
        if (!crypto::is_available(GetParam())) {
            GTEST_SKIP() << "intel-ipsec-mb is not in this build, or the processor lacks AES-NI "
                            "or PCLMULQDQ";
        }
    }

    PacketKeys keys(const Sample& sample, Direction direction) const {
        return make_packet_keys({.suite = sample.suite, .backend = GetParam()}, direction,
                                crypto::Secret(ByteView(from_hex(sample.secret))));
    }
};

TEST_P(Rfc9001Test, SampleIsSealedByteForByte) {
    for (const Sample& sample : kSamples) {
        SCOPED_TRACE(sample.name);
        auto packet = from_hex(sample.header);
        const std::size_t header = packet.size();
        const auto frames = from_hex(sample.frames);
        packet.insert(packet.end(), frames.begin(), frames.end());
        packet.resize(header + sample.payload_size + crypto::kTagSize);
        PacketKeys sealing = keys(sample, Direction::kSeal);
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

TEST_P(Rfc9001Test, SampleIsOpened) {
    for (const Sample& sample : kSamples) {
        SCOPED_TRACE(sample.name);
        auto bytes = from_hex(sample.sealed);
        PacketToOpen packet;
        packet.packet = bytes;
        packet.packet_number_offset = sample.packet_number_offset;
        packet.type = sample.type;
        PacketKeys opening = keys(sample, Direction::kOpen);
        remove_header_protection(*opening.header, {&packet, 1});
        expand_packet_numbers({&packet, 1}, PacketNumber(sample.next_expected));
        EXPECT_EQ(packet.packet_number, PacketNumber(sample.packet_number));
        open(opening.payload, {&packet, 1});

        ASSERT_EQ(packet.drop, DropReason::kNone);
        ASSERT_TRUE(packet.opened);
        const auto header = from_hex(sample.header);
        EXPECT_EQ(to_hex(ByteView(bytes).first(header.size())), sample.header);
        auto payload = from_hex(sample.frames);
        payload.resize(sample.payload_size);
        EXPECT_EQ(to_hex(packet.opened->payload()), to_hex(payload));
        EXPECT_EQ(packet.opened->number(), PacketNumber(sample.packet_number));
        EXPECT_EQ(packet.opened->type(), sample.type);
        EXPECT_EQ(packet.opened->first_byte(), header[0]);
        EXPECT_TRUE(packet.opened->reserved_bits_are_zero());
    }
}

INSTANTIATE_TEST_SUITE_P(EveryBackend, Rfc9001Test,
                         testing::Values(crypto::Backend::kOpenssl, crypto::Backend::kIpsecMb),
                         [](const auto& parameter) {
                             return parameter.param == crypto::Backend::kOpenssl ? "Openssl"
                                                                                 : "IpsecMb";
                         });

}  // namespace
}  // namespace stoq::protection
