// Arbitrary datagrams against packet protection with known keys, the way a connection meets them:
// split into packets, opened in batches, in all key phases.
//
// The first byte chooses among three keyrings, one for each cipher suite. With its highest bit
// clear, the rest is a datagram, which both backends must treat alike. With that bit set, the rest
// is a packet in the clear: sealed by one backend, the other must restore it.
#include <algorithm>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "base/check.h"
#include "protection/keyring.h"
#include "wire/packet_number_codec.h"

namespace {

using namespace stoq;

constexpr std::size_t kConnectionIdLength = 8;
constexpr std::size_t kMostPackets = 16;
constexpr crypto::CipherSuite kSuites[] = {crypto::CipherSuite::kAes128GcmSha256,
                                           crypto::CipherSuite::kAes256GcmSha384,
                                           crypto::CipherSuite::kChaCha20Poly1305Sha256};

protection::Keyring make_keyring(crypto::CipherSuite suite, crypto::Backend backend) {
    constexpr std::uint8_t kId[] = {0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08};
    protection::KeyringOptions options;
    options.backend = backend;
    protection::Keyring keyring(options);
    const auto secret =
        crypto::Secret::of_size(crypto::digest_size(crypto::properties_of(suite).hash));
    keyring.install_initial(Role::kServer, kId);
    for (const auto level :
         {EncryptionLevel::kZeroRtt, EncryptionLevel::kHandshake, EncryptionLevel::kOneRtt}) {
        keyring.install(level, crypto::Direction::kOpen, suite, secret);
    }
    keyring.install(EncryptionLevel::kOneRtt, crypto::Direction::kSeal, suite, secret);
    keyring.on_handshake_complete();
    keyring.on_handshake_confirmed();
    return keyring;
}

// OpenSSL again where there is nothing else.
crypto::Backend other_backend() {
    return crypto::is_available(crypto::Backend::kIpsecMb) ? crypto::Backend::kIpsecMb
                                                           : crypto::Backend::kOpenssl;
}

std::vector<protection::PacketToOpen> split(Bytes datagram) {
    std::vector<protection::PacketToOpen> packets;
    while (!datagram.empty() && packets.size() < kMostPackets) {
        auto decoded = wire::decode_packet(datagram, kConnectionIdLength);
        if (!decoded) break;
        const auto* packet = std::get_if<wire::ProtectedPacket>(&*decoded);
        if (packet == nullptr) break;
        packets.push_back(protection::packet_to_open(*packet));
        datagram = datagram.subspan(packet->bytes.size());
    }
    return packets;
}

void open_all(protection::Keyring& keyring, std::span<protection::PacketToOpen> packets) {
    for (auto& packet : packets) {
        const auto level = wire::level_of(packet.type);
        const auto outcome = keyring.open(level, {&packet, 1}, {});
        STOQ_CHECK(packet.opened.has_value() == (packet.drop == DropReason::kNone));
        STOQ_CHECK(outcome.failed == (packet.drop == DropReason::kDecryptionFailed ? 1 : 0));
        STOQ_CHECK(!outcome.error || packet.opened);
        if (packet.opened) STOQ_CHECK(packet.opened->payload().size() < packet.packet.size());
    }
}

void open_by_both(crypto::CipherSuite suite, ByteView input) {
    std::vector<std::uint8_t> datagram(input.begin(), input.end());
    auto keyring = make_keyring(suite, crypto::Backend::kOpenssl);
    auto packets = split(datagram);
    open_all(keyring, packets);

    std::vector<std::uint8_t> copy(input.begin(), input.end());
    auto other_keyring = make_keyring(suite, other_backend());
    auto others = split(copy);
    open_all(other_keyring, others);
    STOQ_CHECK(packets.size() == others.size());
    for (std::size_t i = 0; i < packets.size(); ++i) {
        STOQ_CHECK(packets[i].drop == others[i].drop);
    }
}

// `clear` is a short header with a packet number and whatever follows.
void seal_and_open(crypto::CipherSuite suite, ByteView clear) {
    constexpr std::size_t kNumberOffset = 1 + kConnectionIdLength;
    if (clear.size() < kNumberOffset + protection::kLeastProtectedSize) return;
    std::vector<std::uint8_t> packet(clear.begin(), clear.end());
    packet[0] = static_cast<std::uint8_t>((packet[0] & ~wire::kHeaderFormBit) | wire::kFixedBit);
    const auto length = static_cast<std::uint8_t>((packet[0] & wire::kPacketNumberLengthBits) + 1);
    const std::uint64_t number = wire::load_packet_number(packet.data() + kNumberOffset, length);
    const std::vector<std::uint8_t> payload(
        packet.begin() + static_cast<std::ptrdiff_t>(kNumberOffset + length), packet.end());
    packet.resize(packet.size() + crypto::kTagSize);
    const protection::PacketToSeal to_seal{
        .packet = packet.data(),
        .packet_number_offset = kNumberOffset,
        .plaintext_end = static_cast<std::uint32_t>(clear.size()),
        .packet_number_length = length,
        .packet_number = PacketNumber(number)};
    auto sealing = make_keyring(suite, crypto::Backend::kOpenssl);
    STOQ_CHECK(sealing.seal(EncryptionLevel::kOneRtt, {&to_seal, 1}));

    auto packets = split(packet);
    STOQ_CHECK(packets.size() == 1);
    auto opening = make_keyring(suite, other_backend());
    const protection::OpenContext context{.next_expected = PacketNumber(number)};
    opening.open(EncryptionLevel::kOneRtt, packets, context);
    STOQ_CHECK(packets[0].opened && packets[0].opened->number() == PacketNumber(number));
    STOQ_CHECK(std::ranges::equal(packets[0].opened->payload(), payload));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    constexpr std::uint8_t kSealFirst = 0x80;
    const auto suite = kSuites[(data[0] & ~kSealFirst) % std::size(kSuites)];
    const ByteView rest(data + 1, size - 1);
    if ((data[0] & kSealFirst) != 0) {
        seal_and_open(suite, rest);
    } else {
        open_by_both(suite, rest);
    }
    return 0;
}
