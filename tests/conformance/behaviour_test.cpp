// What an endpoint has to answer, and what it has to leave alone.
#include <gtest/gtest.h>

#include "conformance/sandbox.h"
#include "support/forged_initial.h"
#include "wire/frame_encode.h"

namespace stoq::test {
namespace {

template <typename Frame>
void send(Sandbox& sandbox, const Frame& frame) {
    sandbox.send_frames([&](ByteWriter& writer) { ASSERT_TRUE(wire::encode(writer, frame)); });
}

//= test 9000-19.17-1
//= test 9000-8.2.2-1
TEST(Conformance, PathChallengeIsAnsweredWithTheSameData) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    send(sandbox, wire::PathChallengeFrame{0x0123456789abcdef});
    const auto responses = sandbox.frames_sent<wire::PathResponseFrame>();
    ASSERT_EQ(responses.size(), 1u);
    EXPECT_EQ(responses[0].data, 0x0123456789abcdefu);
}

//= test 9000-3.5-2
TEST(Conformance, StopSendingIsAnsweredWithAReset) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    send(sandbox, wire::StreamFrame{StreamId(0), 0, {}, true});
    ASSERT_TRUE(sandbox.victim().write(sandbox.victim_connection(), StreamId(0),
                                       std::vector<std::uint8_t>(100)));
    send(sandbox, wire::StopSendingFrame{StreamId(0), 77});
    const auto resets = sandbox.frames_sent<wire::ResetStreamFrame>();
    ASSERT_EQ(resets.size(), 1u);
    EXPECT_EQ(resets[0].error_code, 77u);
}

//= test 9000-13.2.1-1
TEST(Conformance, AckElicitingPacketIsAcknowledgedWithinMaxAckDelay) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    sandbox.sent_payloads();
    const std::uint64_t number = sandbox.next_number() + 1;
    sandbox.send(std::array<std::uint8_t, 1>{0x01});
    sandbox.send(std::array<std::uint8_t, 1>{0x01});
    const auto acks = sandbox.frames_sent<wire::AckFrame>();
    ASSERT_FALSE(acks.empty());
    EXPECT_GE(acks.back().largest.value(), number);
}

// The peer waits for an ACK that was lost, and its own probes get lost as well: ours bring it.
TEST(Conformance, ProbesRepeatAcknowledgementsThatThePeerMayNotHaveSeen) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    send(sandbox, wire::StreamFrame{StreamId(0), 0, {}, true});
    const std::uint64_t number = sandbox.next_number() + 1;
    sandbox.send(std::array<std::uint8_t, 1>{0x01});
    sandbox.send(std::array<std::uint8_t, 1>{0x01});
    ASSERT_FALSE(sandbox.frames_sent<wire::AckFrame>().empty());
    ASSERT_TRUE(sandbox.victim().write(sandbox.victim_connection(), StreamId(0),
                                       std::vector<std::uint8_t>(100)));
    EXPECT_TRUE(sandbox.frames_sent<wire::AckFrame>().empty());
    std::vector<wire::AckFrame> again;
    for (int i = 0; i < 5 && again.empty(); ++i) {
        sandbox.wait_for_timer();
        again = sandbox.frames_sent<wire::AckFrame>();
    }
    ASSERT_FALSE(again.empty());
    EXPECT_GE(again.back().largest.value(), number);
}

// draft-ietf-quic-ack-frequency sections 4 and 5.
TEST(Conformance, AcksComeAsSeldomAsThePeerAsks) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    send(sandbox, wire::AckFrequencyFrame{0, 20, 20'000, 3});
    const std::array<std::uint8_t, 1> ping{0x01};
    // The numbers before the first one of the sandbox are missing: let that lie behind.
    for (int i = 0; i < 5; ++i) sandbox.send(ping);
    sandbox.wait(std::chrono::milliseconds(30));
    sandbox.sent_payloads();
    for (int i = 0; i < 20; ++i) sandbox.send(ping);
    EXPECT_TRUE(sandbox.frames_sent<wire::AckFrame>().empty());
    sandbox.send(ping);
    EXPECT_EQ(sandbox.frames_sent<wire::AckFrame>().size(), 1u);
    sandbox.send(ping);
    EXPECT_TRUE(sandbox.frames_sent<wire::AckFrame>().empty());
    send(sandbox, wire::ImmediateAckFrame{});
    EXPECT_EQ(sandbox.frames_sent<wire::AckFrame>().size(), 1u);
    // An older request does not count.
    send(sandbox, wire::AckFrequencyFrame{0, 0, 20'000, 3});
    sandbox.send(ping);
    EXPECT_TRUE(sandbox.frames_sent<wire::AckFrame>().empty());
}

TEST(Conformance, AckFrequencyThatWasNotOfferedEndsTheConnection) {
    Settings settings;
    settings.ack_frequency = false;
    for (const bool immediate : {false, true}) {
        Sandbox sandbox(Role::kServer, settings);
        ASSERT_TRUE(sandbox.ready());
        if (immediate) {
            send(sandbox, wire::ImmediateAckFrame{});
        } else {
            send(sandbox, wire::AckFrequencyFrame{0, 20, 20'000, 3});
        }
        const auto close = sandbox.close_sent();
        ASSERT_TRUE(close);
        EXPECT_EQ(close->code, static_cast<std::uint64_t>(TransportErrorCode::kProtocolViolation));
    }
}

TEST(Conformance, ResetAtThatWasNotOfferedEndsTheConnection) {
    Settings settings;
    settings.reset_stream_at = false;
    Sandbox sandbox(Role::kServer, settings);
    ASSERT_TRUE(sandbox.ready());
    send(sandbox, wire::ResetStreamAtFrame{StreamId(0), 0, 0, 0});
    const auto close = sandbox.close_sent();
    ASSERT_TRUE(close);
    EXPECT_EQ(close->code, static_cast<std::uint64_t>(TransportErrorCode::kFrameEncodingError));
}

//= test 9000-12.3-4
TEST(Conformance, RepeatedPacketIsDropped) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    std::vector<std::uint8_t> room(64);
    ByteWriter writer(room);
    const std::vector<std::uint8_t> data(5, 0x61);
    ASSERT_TRUE(wire::encode(writer, wire::StreamFrame{StreamId(0), 0, data, false}));
    const auto packet = sandbox.seal(writer.written_bytes(), sandbox.next_number());
    sandbox.receive(packet);
    const auto before = sandbox.victim().statistics(sandbox.victim_connection());
    sandbox.receive(packet);
    const auto after = sandbox.victim().statistics(sandbox.victim_connection());
    EXPECT_EQ(after->packets_received, before->packets_received);
    EXPECT_EQ(after->packets_dropped, before->packets_dropped + 1);
}

TEST(Conformance, SpoiledPacketsChangeNothingButCounters) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    std::vector<std::uint8_t> frames(100, 0x01);
    const auto packet = sandbox.seal(frames, sandbox.next_number());
    const auto before = sandbox.victim().statistics(sandbox.victim_connection());
    for (std::size_t bit = 0; bit < packet.size() * 8; ++bit) {
        auto spoiled = packet;
        spoiled[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
        sandbox.receive(spoiled);
    }
    for (std::size_t length = 0; length < packet.size(); ++length) {
        sandbox.receive({packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(length)});
    }
    const auto after = sandbox.victim().statistics(sandbox.victim_connection());
    ASSERT_TRUE(after);
    EXPECT_EQ(after->packets_received, before->packets_received);
    EXPECT_GT(after->packets_dropped, before->packets_dropped);
    EXPECT_FALSE(sandbox.closed());
    sandbox.receive(packet);
    EXPECT_EQ(sandbox.victim().statistics(sandbox.victim_connection())->packets_received,
              before->packets_received + 1);
}

//= test 9000-10.2.2-1
TEST(Conformance, DrainingEndpointSendsNothing) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    sandbox.sent_payloads();
    send(sandbox, wire::ConnectionCloseFrame{true, 42, 0, {}});
    const auto info = sandbox.closed();
    ASSERT_TRUE(info);
    EXPECT_EQ(info->kind, CloseKind::kPeerApplication);
    EXPECT_EQ(info->code, 42u);
    EXPECT_TRUE(sandbox.sent_payloads().empty());
    for (int i = 0; i < 20; ++i) sandbox.send(std::array<std::uint8_t, 1>{0x01});
    EXPECT_TRUE(sandbox.sent_payloads().empty());
}

//= test 9000-10.2.1-1
TEST(Conformance, ClosingEndpointAnswersEverMoreRarely) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    ASSERT_TRUE(sandbox.victim().close(sandbox.victim_connection(), 9, "bye"));
    EXPECT_TRUE(sandbox.close_sent());
    std::size_t answers = 0;
    for (int i = 0; i < 64; ++i) {
        sandbox.send(std::array<std::uint8_t, 1>{0x01});
        answers += sandbox.sent_payloads().size();
    }
    EXPECT_GE(answers, 1u);
    EXPECT_LE(answers, 7u);
}

//= test 9000-10.1-1
TEST(Conformance, IdleConnectionIsForgottenSilently) {
    Settings settings;
    settings.idle_timeout = std::chrono::seconds(5);
    Sandbox sandbox(Role::kServer, settings);
    ASSERT_TRUE(sandbox.ready());
    sandbox.wait(std::chrono::seconds(30));
    const auto info = sandbox.closed();
    ASSERT_TRUE(info);
    EXPECT_EQ(info->kind, CloseKind::kIdleTimeout);
    EXPECT_TRUE(sandbox.sent_payloads().empty());
    EXPECT_EQ(sandbox.victim().statistics().connections_now, 0u);
}

//= test 9000-10.3.3-1
TEST(Conformance, UnknownShortHeaderPacketIsAnsweredWithAShorterStatelessReset) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    sandbox.sent_payloads();
    const auto before = sandbox.victim().statistics().stateless_resets_sent;
    std::vector<std::uint8_t> unknown(100, 0x55);
    sandbox.receive(unknown);
    EXPECT_EQ(sandbox.victim().statistics().stateless_resets_sent, before + 1);
    std::vector<std::uint8_t> memory(2000);
    TransmitSlot slot;
    slot.buffer = memory;
    ASSERT_TRUE(sandbox.victim().transmit(slot, sandbox.now()));
    EXPECT_LT(slot.length, unknown.size());
    EXPECT_GE(slot.length, 21u);
    EXPECT_EQ(memory[0] & 0xc0, 0x40);
}

//= test 9000-6.1-1
TEST(Conformance, UnknownVersionIsAnsweredWithVersionNegotiation) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    sandbox.sent_payloads();
    std::vector<std::uint8_t> probe(1200);
    const std::array<std::uint8_t, 7> head{0xc0, 0x57, 0x41, 0x49, 0x54, 0, 0};
    std::copy(head.begin(), head.end(), probe.begin());
    sandbox.receive(probe, parse_address("192.0.2.9:9"));
    std::vector<std::uint8_t> memory(2000);
    TransmitSlot slot;
    slot.buffer = memory;
    ASSERT_TRUE(sandbox.victim().transmit(slot, sandbox.now()));
    EXPECT_EQ(memory[0] & 0x80, 0x80);
    EXPECT_EQ(load_big_endian<std::uint32_t>(memory.data() + 1), 0u);
    EXPECT_EQ(slot.remote, parse_address("192.0.2.9:9"));
    // The same in a datagram that is too small to be answered.
    probe.resize(1199);
    sandbox.receive(probe, parse_address("192.0.2.9:9"));
    EXPECT_FALSE(sandbox.victim().transmit(slot, sandbox.now()));
}

TEST(Conformance, FloodOfForgedInitialsLeavesMemoryBoundedAndTheConnectionAlive) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    constexpr std::uint64_t kSeed = 5;
    SCOPED_TRACE(testing::Message() << "seed " << kSeed);
    SeededRandom random(kSeed);
    constexpr std::array<std::uint8_t, 1> kPing{0x01};
    std::vector<std::uint8_t> memory(65507);
    for (int i = 0; i < 5'000; ++i) {
        sandbox.receive(
            forge_initial({random_connection_id(random), random_connection_id(random), 0, kPing}),
            parse_address("198.51.100.7:7"));
        TransmitSlot slot;
        slot.buffer = memory;
        while (sandbox.victim().transmit(slot, sandbox.now())) {
        }
    }
    // Half of the half-open limit, and the live connection.
    EXPECT_LE(sandbox.victim().statistics().connections_now, 501u);
    EXPECT_GE(sandbox.victim().statistics().retries_sent, 4'000u);
    EXPECT_FALSE(sandbox.closed());
    send(sandbox, wire::PathChallengeFrame{1});
    EXPECT_EQ(sandbox.frames_sent<wire::PathResponseFrame>().size(), 1u);
}

}  // namespace
}  // namespace stoq::test
