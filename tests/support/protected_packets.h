// Short header packets for tests of packet protection: built, sealed by whatever is under test, and
// described for opening.
#pragma once

#include <vector>

#include "base/random.h"
#include "protection/open.h"
#include "protection/seal.h"
#include "wire/packet_number_codec.h"

namespace stoq::test {

inline constexpr std::size_t kTestConnectionIdLength = 8;
inline constexpr std::uint32_t kTestPacketNumberOffset = 1 + kTestConnectionIdLength;

struct TestPacket {
    std::vector<std::uint8_t> bytes;
    PacketNumber number;
    std::uint8_t number_length = 4;

    protection::PacketToSeal to_seal() {
        return {.packet = bytes.data(),
                .packet_number_offset = kTestPacketNumberOffset,
                .plaintext_end = static_cast<std::uint32_t>(bytes.size() - crypto::kTagSize),
                .packet_number_length = number_length,
                .packet_number = number};
    }
    protection::PacketToOpen to_open() {
        protection::PacketToOpen packet;
        packet.packet = bytes;
        packet.packet_number_offset = kTestPacketNumberOffset;
        packet.type = wire::PacketType::kOneRtt;
        return packet;
    }
    ByteView payload() const {
        const std::size_t header = kTestPacketNumberOffset + number_length;
        return ByteView(bytes).subspan(header, bytes.size() - header - crypto::kTagSize);
    }
};

// A packet in the clear, `size` bytes long with its tag, filled from `random`.
inline TestPacket make_short_packet(RandomSource& random, std::uint64_t number, std::size_t size,
                                    std::uint8_t number_length = 4) {
    TestPacket packet;
    packet.bytes.resize(size);
    random.fill(packet.bytes);
    packet.number = PacketNumber(number);
    packet.number_length = number_length;
    packet.bytes[0] = static_cast<std::uint8_t>(wire::kFixedBit | (number_length - 1));
    wire::store_packet_number(packet.bytes.data() + kTestPacketNumberOffset, packet.number,
                              number_length);
    return packet;
}

inline std::vector<protection::PacketToSeal> to_seal(std::vector<TestPacket>& packets) {
    std::vector<protection::PacketToSeal> result;
    for (TestPacket& packet : packets) result.push_back(packet.to_seal());
    return result;
}

inline std::vector<protection::PacketToOpen> to_open(std::vector<TestPacket>& packets) {
    std::vector<protection::PacketToOpen> result;
    for (TestPacket& packet : packets) result.push_back(packet.to_open());
    return result;
}

}  // namespace stoq::test
