// Frames that break the protocol, and the error that each must end the connection with.
#include <gtest/gtest.h>

#include "conformance/sandbox.h"
#include "wire/frame_encode.h"
#include "wire/varint.h"

namespace stoq::test {
namespace {

using Code = TransportErrorCode;
using Bytes8 = std::vector<std::uint8_t>;

Settings small_limits() {
    Settings settings;
    settings.initial_stream_window = settings.max_stream_window = 1000;
    settings.initial_connection_window = settings.max_connection_window = 1500;
    settings.max_bidirectional_streams = 2;
    settings.max_unidirectional_streams = 2;
    return settings;
}

// As seen from a server: the peer is the client.
constexpr StreamId kPeerBidirectional(0);
constexpr StreamId kOwnBidirectional(1);
constexpr StreamId kPeerUnidirectional(2);
constexpr StreamId kOwnUnidirectional(3);

template <typename Frame>
Bytes8 encoded(const Frame& frame) {
    Bytes8 room(1300);
    ByteWriter writer(room);
    EXPECT_TRUE(wire::encode(writer, frame));
    room.resize(writer.written());
    return room;
}

// Fields as varints: for what encode() refuses to write.
Bytes8 varints(std::initializer_list<std::uint64_t> values) {
    Bytes8 room(64);
    ByteWriter writer(room);
    for (const std::uint64_t value : values) EXPECT_TRUE(wire::encode_varint(writer, value));
    room.resize(writer.written());
    return room;
}

Bytes8 joined(std::initializer_list<Bytes8> parts) {
    Bytes8 all;
    for (const Bytes8& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

Bytes8 stream(StreamId id, std::uint64_t offset, std::size_t length, bool fin = false) {
    static const Bytes8 data(1200, 0x61);
    return encoded(wire::StreamFrame{id, offset, ByteView(data).first(length), fin});
}

struct Case {
    const char* name;
    Bytes8 frames;
    Code code;
    std::optional<Code> or_code = {};
};

void expect_closed(Sandbox& sandbox, const Case& wanted) {
    const auto close = sandbox.close_sent();
    ASSERT_TRUE(close) << wanted.name << ": no CONNECTION_CLOSE was sent";
    EXPECT_FALSE(close->application) << wanted.name;
    const auto code = static_cast<Code>(close->code);
    EXPECT_TRUE(code == wanted.code || code == wanted.or_code)
        << wanted.name << ": " << to_string(code) << " instead of " << to_string(wanted.code);
    const auto info = sandbox.closed();
    ASSERT_TRUE(info) << wanted.name;
    EXPECT_EQ(info->kind, CloseKind::kLocalTransport) << wanted.name;
}

//= test 9000-11.1-1
class ServerRefuses : public testing::TestWithParam<Case> {};

TEST_P(ServerRefuses, Frame) {
    Sandbox sandbox(Role::kServer, small_limits());
    ASSERT_TRUE(sandbox.ready());
    sandbox.send(GetParam().frames);
    expect_closed(sandbox, GetParam());
}

const Bytes8 kLongToken(16, 7);

INSTANTIATE_TEST_SUITE_P(
    Conformance, ServerRefuses,
    testing::Values(
        //= test 9000-12.4-1
        //= test 9000-12.4-2
        Case{"EmptyPayload", {}, Code::kProtocolViolation},
        //= test 9000-12.4-4
        Case{"UnknownFrameType", varints({0x3f}), Code::kFrameEncodingError},
        //= test 9000-12.4-5
        Case{"FrameTypeNotInShortestForm",
             {0x40, 0x01, 0, 0},
             Code::kProtocolViolation,
             Code::kFrameEncodingError},
        //= test 9000-19.3.1-1
        Case{"AckRangeBelowZero", varints({0x02, 5, 0, 0, 9}), Code::kFrameEncodingError},
        //= test 9000-13.1-2
        Case{"AckOfPacketNeverSent", varints({0x02, 1'000'000, 0, 0, 0}), Code::kProtocolViolation},
        //= test 9000-19.4-1
        Case{"ResetOfSendOnlyStream", encoded(wire::ResetStreamFrame{kOwnUnidirectional, 0, 0}),
             Code::kStreamStateError},
        //= test 9000-19.5-1
        Case{"StopSendingForStreamNotCreated",
             encoded(wire::StopSendingFrame{kOwnBidirectional, 0}), Code::kStreamStateError},
        //= test 9000-19.5-2
        Case{"StopSendingForReceiveOnlyStream",
             encoded(wire::StopSendingFrame{kPeerUnidirectional, 0}), Code::kStreamStateError},
        //= test 9000-19.6-1
        Case{"CryptoBeyondLargestOffset", joined({varints({0x06, (1ull << 62) - 1, 1}), {0}}),
             Code::kFrameEncodingError, Code::kCryptoBufferExceeded},
        //= test 9000-7.5-3
        Case{"CryptoFarAheadIsNotBuffered", encoded(wire::CryptoFrame{1'000'000, kLongToken}),
             Code::kCryptoBufferExceeded},
        // Nothing is kept of it that a later frame could join.
        Case{"CryptoBehindTheHandshakeWithAGap", encoded(wire::CryptoFrame{5, kLongToken}),
             Code::kCryptoBufferExceeded},
        Case{"CryptoBehindTheHandshake", encoded(wire::CryptoFrame{0, kLongToken}),
             static_cast<Code>(0x10a)},
        //= test 9000-19.7-4
        Case{"NewTokenFromClient", encoded(wire::NewTokenFrame{kLongToken}),
             Code::kProtocolViolation},
        //= test 9000-19.8-1
        Case{"StreamFrameForStreamNotCreated", stream(kOwnBidirectional, 0, 1),
             Code::kStreamStateError},
        Case{"StreamFrameForSendOnlyStream", stream(kOwnUnidirectional, 0, 1),
             Code::kStreamStateError},
        //= test 9000-19.8-2
        Case{"StreamDataBeyondLargestOffset",
             joined({varints({0x0e, 0, (1ull << 62) - 1, 1}), {0}}), Code::kFrameEncodingError,
             Code::kFlowControlError},
        //= test 9000-4.1-2
        //= test 9000-19.10-4
        Case{"StreamDataLimitExceeded", stream(kPeerBidirectional, 0, 1001),
             Code::kFlowControlError},
        //= test 9000-19.9-2
        Case{"ConnectionDataLimitExceeded",
             joined({stream(kPeerBidirectional, 900, 1), stream(StreamId(4), 900, 1)}),
             Code::kFlowControlError},
        //= test 9000-19.9-1
        Case{"FinalSizesTogetherExceedTheLimit",
             joined({encoded(wire::ResetStreamFrame{kPeerBidirectional, 0, 900}),
                     encoded(wire::ResetStreamFrame{StreamId(4), 0, 900})}),
             Code::kFlowControlError},
        //= test 9000-19.10-1
        Case{"MaxStreamDataForStreamNotCreated",
             encoded(wire::MaxStreamDataFrame{kOwnBidirectional, 9}), Code::kStreamStateError},
        //= test 9000-19.10-2
        Case{"MaxStreamDataForReceiveOnlyStream",
             encoded(wire::MaxStreamDataFrame{kPeerUnidirectional, 9}), Code::kStreamStateError},
        //= test 9000-19.11-1
        //= test 9000-4.6-1
        Case{"MaxStreamsTooLarge", varints({0x12, (1ull << 60) + 1}), Code::kFrameEncodingError},
        Case{"MaxUnidirectionalStreamsTooLarge", varints({0x13, (1ull << 60) + 1}),
             Code::kFrameEncodingError},
        //= test 9000-19.11-4
        //= test 9000-4.6-3
        Case{"MoreStreamsThanAllowed", stream(StreamId(8), 0, 1), Code::kStreamLimitError},
        Case{"MoreUnidirectionalStreamsThanAllowed", stream(StreamId(10), 0, 1),
             Code::kStreamLimitError},
        //= test 9000-19.13-2
        Case{"StreamDataBlockedForSendOnlyStream",
             encoded(wire::StreamDataBlockedFrame{kOwnUnidirectional, 0}), Code::kStreamStateError},
        //= test 9000-19.14-2
        Case{"StreamsBlockedTooLarge", varints({0x16, (1ull << 60) + 1}), Code::kStreamLimitError,
             Code::kFrameEncodingError},
        //= test 9000-19.15-1
        Case{"NewConnectionIdOfLengthZero", joined({varints({0x18, 9, 0}), {0}, Bytes8(16)}),
             Code::kFrameEncodingError},
        Case{"NewConnectionIdOfLength21", joined({varints({0x18, 9, 0}), {21}, Bytes8(37)}),
             Code::kFrameEncodingError},
        //= test 9000-19.15-7
        Case{"RetirePriorToAboveSequenceNumber", joined({varints({0x18, 9, 10}), {8}, Bytes8(24)}),
             Code::kFrameEncodingError},
        //= test 9000-5.1.1-6
        Case{"MoreConnectionIdsThanTheLimit",
             joined({joined({varints({0x18, 101, 0}), {8}, Bytes8(24, 1)}),
                     joined({varints({0x18, 102, 0}), {8}, Bytes8(24, 2)}),
                     joined({varints({0x18, 103, 0}), {8}, Bytes8(24, 3)}),
                     joined({varints({0x18, 104, 0}), {8}, Bytes8(24, 4)})}),
             Code::kConnectionIdLimitError},
        //= test 9000-19.16-1
        Case{"RetireOfConnectionIdNeverIssued", encoded(wire::RetireConnectionIdFrame{1'000}),
             Code::kProtocolViolation},
        //= test 9000-19.16-2
        Case{"RetireOfConnectionIdInUse", encoded(wire::RetireConnectionIdFrame{0}),
             Code::kProtocolViolation},
        //= test 9000-19.20-2
        Case{"HandshakeDoneFromClient", encoded(wire::HandshakeDoneFrame{}),
             Code::kProtocolViolation},
        //= test 9000-4.5-1
        Case{"FinalSizeChangesByFin",
             joined({stream(kPeerBidirectional, 0, 10, true),
                     stream(kPeerBidirectional, 0, 11, true)}),
             Code::kFinalSizeError},
        Case{"DataBeyondFinalSize",
             joined({stream(kPeerBidirectional, 0, 10, true), stream(kPeerBidirectional, 10, 1)}),
             Code::kFinalSizeError},
        Case{"ResetBelowWhatWasReceived",
             joined({stream(kPeerBidirectional, 0, 10),
                     encoded(wire::ResetStreamFrame{kPeerBidirectional, 0, 9})}),
             Code::kFinalSizeError},
        Case{"ResetWithAnotherFinalSize",
             joined({stream(kPeerBidirectional, 5, 10, true),
                     encoded(wire::ResetStreamFrame{kPeerBidirectional, 0, 16})}),
             Code::kFinalSizeError},
        // draft-ietf-quic-reliable-stream-reset sections 4 and 5.2.
        Case{"ResetAtThatPromisesMoreThanThereIs",
             varints({0x24, kPeerBidirectional.value(), 0, 9, 10}), Code::kFrameEncodingError},
        Case{"ResetAtBeyondTheStreamsLimit",
             encoded(wire::ResetStreamAtFrame{kPeerBidirectional, 0, 1001, 1}),
             Code::kFlowControlError},
        Case{"ResetAtOfSendOnlyStream",
             encoded(wire::ResetStreamAtFrame{kOwnUnidirectional, 0, 0, 0}),
             Code::kStreamStateError},
        Case{"ResetAtWithAnotherFinalSize",
             joined({encoded(wire::ResetStreamAtFrame{kPeerBidirectional, 0, 16, 8}),
                     encoded(wire::ResetStreamAtFrame{kPeerBidirectional, 0, 17, 4})}),
             Code::kFinalSizeError},
        Case{"ResetAtWithAnotherCode",
             joined({encoded(wire::ResetStreamAtFrame{kPeerBidirectional, 1, 16, 8}),
                     encoded(wire::ResetStreamFrame{kPeerBidirectional, 2, 16})}),
             Code::kStreamStateError},
        //= test 9221-3-3
        Case{"DatagramThatWasNotOffered", encoded(wire::DatagramFrame{.data = kLongToken}),
             Code::kProtocolViolation},
        Case{"EmptyDatagramThatWasNotOffered", {0x30}, Code::kProtocolViolation},
        // draft-ietf-quic-ack-frequency section 4.
        Case{"AckFrequencyWithADelayBelowTheLeast", varints({0xaf, 0, 1, 999, 1}),
             Code::kProtocolViolation},
        Case{"AckFrequencyWithADelayThatIsTooLong", varints({0xaf, 0, 1, 16'384'000, 1}),
             Code::kProtocolViolation},
        Case{"TruncatedStreamFrame", varints({0x0e, 0}), Code::kFrameEncodingError},
        Case{"TruncatedMaxData", {0x10, 0x80}, Code::kFrameEncodingError}),
    [](const testing::TestParamInfo<Case>& each) { return std::string(each.param.name); });

class ClientRefuses : public testing::TestWithParam<Case> {};

TEST_P(ClientRefuses, Frame) {
    Sandbox sandbox(Role::kClient, small_limits());
    ASSERT_TRUE(sandbox.ready());
    sandbox.send(GetParam().frames);
    expect_closed(sandbox, GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Conformance, ClientRefuses,
    testing::Values(
        //= test 9000-19.7-2
        Case{"EmptyNewToken", varints({0x07, 0}), Code::kFrameEncodingError},
        Case{"StreamFrameForStreamNotCreated", stream(StreamId(0), 0, 1), Code::kStreamStateError},
        Case{"MoreStreamsThanAllowed", stream(StreamId(9), 0, 1), Code::kStreamLimitError},
        Case{"EmptyPayload", {}, Code::kProtocolViolation},
        Case{"AckOfPacketNeverSent", varints({0x02, 1'000'000, 0, 0, 0}),
             Code::kProtocolViolation}),
    [](const testing::TestParamInfo<Case>& each) { return std::string(each.param.name); });

//= test 9000-17.3.1-3
TEST(PacketConformance, ReservedBitsEndTheConnection) {
    Sandbox sandbox(Role::kServer);
    ASSERT_TRUE(sandbox.ready());
    sandbox.send_with_first_byte(varints({0x01}), 0x08);
    expect_closed(sandbox, {"reserved bits", {}, Code::kProtocolViolation});
}

// What must be ignored, or answered, without an end.
class ServerTolerates : public testing::TestWithParam<Case> {};

TEST_P(ServerTolerates, Frame) {
    Sandbox sandbox(Role::kServer, small_limits());
    ASSERT_TRUE(sandbox.ready());
    sandbox.send(GetParam().frames);
    EXPECT_FALSE(sandbox.closed());
    sandbox.send(varints({0x01}));
    sandbox.wait(std::chrono::milliseconds(30));
    EXPECT_FALSE(sandbox.closed());
}

const Bytes8 kRepeatedId = joined({varints({0x18, 50, 50}), {8}, Bytes8(24, 9)});

INSTANTIATE_TEST_SUITE_P(
    Conformance, ServerTolerates,
    testing::Values(
        //= test 9000-4.1-3
        Case{"MaxDataThatDoesNotIncrease", encoded(wire::MaxDataFrame{1}), Code::kNoError},
        //= test 9000-4.6-4
        //= test 9000-19.11-2
        Case{"MaxStreamsThatDoesNotIncrease",
             encoded(wire::MaxStreamsFrame{Directionality::kBidirectional, 0}), Code::kNoError},
        //= test 9000-19.15-4
        Case{"RepeatedNewConnectionId", joined({kRepeatedId, kRepeatedId}), Code::kNoError},
        Case{"DataBlocked", encoded(wire::DataBlockedFrame{5}), Code::kNoError},
        Case{"StreamsBlocked",
             encoded(wire::StreamsBlockedFrame{Directionality::kBidirectional, 2}), Code::kNoError},
        Case{"PathResponseWithoutChallenge", encoded(wire::PathResponseFrame{5}), Code::kNoError},
        Case{"OnlyPadding", Bytes8(40, 0), Code::kNoError}),
    [](const testing::TestParamInfo<Case>& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace stoq::test
