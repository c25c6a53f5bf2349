// What an observer of whole datagrams sees: sizes, addresses, and the packets of a close.
#include <gtest/gtest.h>

#include "conformance/sandbox.h"
#include "wire/frame_encode.h"

namespace stoq::test {
namespace {

constexpr std::size_t kLeastPathDatagram = 1200;
constexpr std::uint8_t kSpinBit = 0x20;

struct Sent {
    Sandbox::Datagram bytes;
    Address remote;

    bool has_short_header() const { return !wire::has_long_header(bytes[0]); }
};

std::vector<Sent> transmit(Sandbox& sandbox) {
    std::vector<Sent> sent;
    Sandbox::Datagram buffer(2000);
    for (int i = 0; i < 100; ++i) {
        TransmitSlot slot;
        slot.buffer = buffer;
        if (!sandbox.victim().transmit(slot, sandbox.now())) break;
        const auto length = static_cast<std::ptrdiff_t>(slot.length);
        sent.push_back({{buffer.begin(), buffer.begin() + length}, slot.remote});
    }
    return sent;
}

template <typename Frame>
Sandbox::Datagram packet_with(Sandbox& sandbox, const Frame& frame) {
    Sandbox::Datagram room(1200);
    ByteWriter writer(room);
    EXPECT_TRUE(wire::encode(writer, frame));
    return sandbox.seal(writer.written_bytes(), sandbox.next_number());
}

//= test 9000-8.2.1-7
//= test 9000-8.2.2-2
//= test 9000-8.2.2-3
//= test 9000-8.2.2-5
TEST(Datagrams, SmallPathChallengeIsAnsweredAtOnceInAFullDatagramToWhereItCameFrom) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    transmit(sandbox);
    const auto challenge = packet_with(sandbox, wire::PathChallengeFrame{42});
    ASSERT_LT(challenge.size(), kLeastPathDatagram);
    sandbox.receive(challenge);
    const auto answers = transmit(sandbox);
    ASSERT_FALSE(answers.empty());
    EXPECT_GE(answers.front().bytes.size(), kLeastPathDatagram);
    EXPECT_EQ(answers.front().remote, sandbox.peer_address());
}

//= test 9000-8.2.2-3
//= test 9000-8.2.2-6
TEST(Datagrams, AnswerToAnUnprovedAddressIsNotExpandedBeyondThreeTimesWhatCame) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    transmit(sandbox);
    const Address elsewhere = parse_address("192.0.2.77:7");
    const auto challenge = packet_with(sandbox, wire::PathChallengeFrame{42});
    sandbox.receive(challenge, elsewhere);
    std::size_t sent = 0;
    for (const Sent& one : transmit(sandbox)) {
        if (one.remote == elsewhere) sent += one.bytes.size();
    }
    EXPECT_GT(sent, 0u);
    EXPECT_LE(sent, 3 * challenge.size());
}

//= test 9000-8.2.1-5
TEST(Datagrams, ChallengeToAnAddressThePeerMovedToIsFullWhenTheLimitPermits) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    transmit(sandbox);
    const Address elsewhere = parse_address("192.0.2.77:7");
    const std::vector<std::uint8_t> data(1000, 1);
    sandbox.receive(packet_with(sandbox, wire::StreamFrame{StreamId(0), 0, data, false}),
                    elsewhere);
    const auto sent = transmit(sandbox);
    ASSERT_FALSE(sent.empty());
    const auto first = std::ranges::find(sent, elsewhere, &Sent::remote);
    ASSERT_NE(first, sent.end());
    EXPECT_GE(first->bytes.size(), kLeastPathDatagram);
}

//= test 9000-10.2.3-1
//= test 9000-10.3-2
TEST(Datagrams, CloseOfAConfirmedConnectionIsASingleShortHeaderPacket) {
    for (const Role victim : {Role::kClient, Role::kServer}) {
        Sandbox sandbox(victim);
        ASSERT_TRUE(sandbox.ready());
        transmit(sandbox);
        // MAX_STREAMS beyond 2^60 breaks the protocol.
        sandbox.send(
            std::array<std::uint8_t, 9>{0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
        const auto sent = transmit(sandbox);
        ASSERT_EQ(sent.size(), 1u);
        EXPECT_TRUE(sent.front().has_short_header());
    }
}

//= test 9000-10.2.2-3
TEST(Datagrams, NothingIsSentBehindThePeersCloseWhateverArrives) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    transmit(sandbox);
    wire::ConnectionCloseFrame close;
    close.application = true;
    sandbox.receive(packet_with(sandbox, close));
    EXPECT_TRUE(transmit(sandbox).empty());
    sandbox.receive(packet_with(sandbox, wire::PingFrame{}));
    sandbox.wait(std::chrono::milliseconds(100));
    EXPECT_TRUE(transmit(sandbox).empty());
}

//= test 9000-17.4-2
TEST(Datagrams, SpinBitStaysClear) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    transmit(sandbox);
    int seen = 0;
    for (int i = 0; i < 20; ++i) {
        sandbox.receive(packet_with(sandbox, wire::PathChallengeFrame{7}));
        for (const Sent& one : transmit(sandbox)) {
            ASSERT_TRUE(one.has_short_header());
            EXPECT_EQ(one.bytes[0] & kSpinBit, 0);
            ++seen;
        }
    }
    EXPECT_GE(seen, 20);
}

//= test 9000-10.3-7
TEST(Datagrams, TooSmallDatagramsChangeNothing) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    transmit(sandbox);
    const auto whole = packet_with(sandbox, wire::PingFrame{});
    for (std::size_t length = 0; length < whole.size(); ++length) {
        const auto end = whole.begin() + static_cast<std::ptrdiff_t>(length);
        sandbox.receive({whole.begin(), end});
    }
    EXPECT_TRUE(transmit(sandbox).empty());
    EXPECT_FALSE(sandbox.closed());
    const auto received = [&] {
        return sandbox.victim().statistics(sandbox.victim_connection())->packets_received;
    };
    const auto before = received();
    sandbox.receive(whole);
    EXPECT_EQ(received(), before + 1);
}

//= test 9000-7.5-1
TEST(Datagrams, FourKilobytesOfCryptoDataWaitForWhatIsMissing) {
    Sandbox sandbox(Role::kClient);
    ASSERT_TRUE(sandbox.ready());
    const std::vector<std::uint8_t> data(1000, 0);
    constexpr std::uint64_t kGap = 10'000;  // behind the tickets that the server has sent
    for (std::uint64_t offset = kGap; offset < kGap + 5000; offset += data.size()) {
        sandbox.receive(packet_with(sandbox, wire::CryptoFrame{offset, data}));
    }
    EXPECT_FALSE(sandbox.close_sent());
    EXPECT_FALSE(sandbox.closed());
}

//= test 9000-13.2.6-1
//= test 9000-13.2.6-2
TEST(Datagrams, PacketsOfOneRttAreAcknowledgedInOneRttPackets) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    transmit(sandbox);
    sandbox.receive(packet_with(sandbox, wire::PingFrame{}));
    sandbox.receive(packet_with(sandbox, wire::PingFrame{}));
    const std::uint64_t last = sandbox.next_number() - 1;
    const auto acks = sandbox.frames_sent<wire::AckFrame>();  // of 1-RTT packets
    ASSERT_FALSE(acks.empty());
    EXPECT_EQ(acks.back().largest.value(), last);
}

//= test 9000-13.1-1
TEST(Datagrams, PacketWithAFrameThatBreaksTheProtocolIsNotAcknowledged) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    transmit(sandbox);
    const std::uint64_t number = sandbox.next_number();
    sandbox.receive(sandbox.seal(std::array<std::uint8_t, 2>{0x01, 0x3f}, number));
    for (const auto& ack : sandbox.frames_sent<wire::AckFrame>()) {
        EXPECT_LT(ack.largest.value(), number);
    }
    EXPECT_TRUE(sandbox.closed());
}

//= test 9000-19.7-3
TEST(Datagrams, ClientSendsNoTokens) {
    Sandbox sandbox(Role::kClient);
    ASSERT_TRUE(sandbox.ready());
    for (int i = 0; i < 10; ++i) {
        sandbox.receive(packet_with(sandbox, wire::PingFrame{}));
        EXPECT_TRUE(sandbox.frames_sent<wire::NewTokenFrame>().empty());
        sandbox.wait(std::chrono::milliseconds(50));
    }
}

}  // namespace
}  // namespace stoq::test
