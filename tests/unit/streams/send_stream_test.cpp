#include "streams/send_stream.h"

#include <functional>

#include <gtest/gtest.h>

#include "support/stream_link.h"

namespace stoq::streams {
namespace {

using test::decode_frames;
using test::pattern;

const StreamId kId(4);

class SendStreamTest : public testing::Test {
protected:
    SendStreamTest() { open(100'000); }

    void open(std::uint64_t limit) { stream.open(kId, limit); }

    // One packet of one frame; the frame that was written, if any.
    std::optional<wire::StreamFrame> send_new(std::size_t room = 1200,
                                              std::uint64_t credit = UINT64_MAX) {
        wire::PayloadWriter writer(Bytes(packet).first(room));
        if (!stream.write_new(writer, credit)) return std::nullopt;
        return std::get<wire::StreamFrame>(decode_frames(writer.bytes().written_bytes()).at(0));
    }

    std::optional<wire::StreamFrame> send_repair(std::size_t room = 1200) {
        wire::PayloadWriter writer(Bytes(packet).first(room));
        if (!stream.write_repair(writer)) return std::nullopt;
        return std::get<wire::StreamFrame>(decode_frames(writer.bytes().written_bytes()).at(0));
    }

    BlockPool pool;
    SendStream stream{pool};
    std::vector<std::uint8_t> packet = std::vector<std::uint8_t>(1500);
};

TEST_F(SendStreamTest, FirstFrameLeadsToSendAndFinToDataSent) {
    EXPECT_EQ(stream.state(), SendState::kReady);
    stream.append(pattern(0, 100));
    const auto first = send_new();
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->fin);
    EXPECT_EQ(stream.state(), SendState::kSend);
    stream.append(pattern(100, 50));
    stream.finish();
    const auto second = send_new();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->offset, 100u);
    EXPECT_TRUE(second->fin);
    EXPECT_EQ(stream.state(), SendState::kDataSent);
    EXPECT_EQ(stream.on_acked(0, 100, false), 100u);
    EXPECT_EQ(stream.state(), SendState::kDataSent);
    EXPECT_EQ(stream.on_acked(100, 50, true), 50u);
    EXPECT_EQ(stream.state(), SendState::kDataReceived);
}

// Brings a fresh stream, with data written, into a state.
void bring_into(SendStream& stream, SendState state, Bytes packet) {
    stream.open(kId, 100'000);
    stream.append(pattern(0, 100));
    wire::PayloadWriter writer(packet);
    switch (state) {
        case SendState::kReady: return;
        case SendState::kSend: ASSERT_TRUE(stream.write_new(writer, 100)); return;
        case SendState::kDataSent:
            stream.finish();
            ASSERT_TRUE(stream.write_new(writer, 100));
            return;
        case SendState::kDataReceived:
            stream.finish();
            ASSERT_TRUE(stream.write_new(writer, 100));
            stream.on_acked(0, 100, true);
            return;
        case SendState::kResetSent: ASSERT_TRUE(stream.reset(1)); return;
        case SendState::kResetReceived:
            ASSERT_TRUE(stream.reset(1));
            stream.on_reset_acked(0);
            return;
        case SendState::kPartialReset:
            ASSERT_TRUE(stream.write_new(writer, 100));
            ASSERT_TRUE(stream.reset_at(1, 50));
            return;
    }
}

struct TransitionCase {
    const char* event;
    std::function<void(SendStream&)> apply;
    // Next state from kReady, kSend, kDataSent, kDataReceived, kResetSent, kResetReceived,
    // kPartialReset.
    std::array<SendState, 7> next;
};

TEST_F(SendStreamTest, EveryEventInEveryState) {
    using enum SendState;
    constexpr std::array kStates{kReady,     kSend,          kDataSent,    kDataReceived,
                                 kResetSent, kResetReceived, kPartialReset};
    const TransitionCase cases[] = {
        //= test 9000-3.1-1
        {"reset",
         [](SendStream& s) { s.reset(7); },
         {kResetSent, kResetSent, kResetSent, kDataReceived, kResetSent, kResetReceived,
          kResetSent}},
        //= test 9000-3.5-2
        //= test 9000-3.5-3
        {"STOP_SENDING",
         [](SendStream& s) { s.on_stop_sending(7); },
         {kResetSent, kResetSent, kResetSent, kDataReceived, kResetSent, kResetReceived,
          kResetSent}},
        {"RESET_STREAM acknowledged",
         [](SendStream& s) { s.on_reset_acked(0); },
         {kReady, kSend, kDataSent, kDataReceived, kResetReceived, kResetReceived, kPartialReset}},
        {"data and FIN acknowledged",
         [](SendStream& s) {
             if (s.state() != kReady && s.state() != kSend) s.on_acked(0, 100, true);
         },
         {kReady, kSend, kDataReceived, kDataReceived, kResetSent, kResetReceived, kPartialReset}},
        {"reset behind the first bytes",
         [](SendStream& s) { (void)s.reset_at(7, 50); },
         {kPartialReset, kPartialReset, kPartialReset, kDataReceived, kResetSent, kResetReceived,
          kPartialReset}},
        {"data lost",
         [](SendStream& s) {
             if (s.state() != kReady) s.on_lost(0, 100, false);
         },
         {kReady, kSend, kDataSent, kDataReceived, kResetSent, kResetReceived, kPartialReset}},
        {"finish",
         [](SendStream& s) { s.finish(); },
         {kReady, kSend, kDataSent, kDataReceived, kResetSent, kResetReceived, kPartialReset}},
        {"0-RTT rejected",
         [](SendStream& s) { s.restart(); },
         {kReady, kReady, kReady, kDataReceived, kResetSent, kResetReceived, kPartialReset}},
    };
    for (const TransitionCase& test : cases) {
        for (std::size_t i = 0; i < kStates.size(); ++i) {
            bring_into(stream, kStates[i], packet);
            ASSERT_EQ(stream.state(), kStates[i]);
            test.apply(stream);
            EXPECT_EQ(stream.state(), test.next[i]) << test.event << " in state " << i;
            EXPECT_EQ(stream.is_terminal(),
                      test.next[i] == kDataReceived || test.next[i] == kResetReceived);
        }
    }
}

TEST_F(SendStreamTest, NothingIsSentAfterReset) {
    for (const SendState state : {SendState::kReady, SendState::kSend, SendState::kDataSent}) {
        bring_into(stream, state, packet);
        stream.reset(9);
        //= test 9000-3.3-2
        EXPECT_EQ(stream.sendable(), 0u);
        EXPECT_FALSE(stream.is_blocked());
        stream.on_lost(0, 100, true);
        EXPECT_FALSE(stream.has_repair());
        EXPECT_EQ(stream.buffered(), 0u);
    }
    EXPECT_EQ(pool.in_use(), 0u);
}

TEST_F(SendStreamTest, WritingIsRefusedWithTheReason) {
    EXPECT_EQ(stream.refusal(), std::nullopt);
    stream.finish();
    EXPECT_EQ(stream.refusal(), ApiError::kStreamFinished);
    open(100);
    stream.reset(1);
    EXPECT_EQ(stream.refusal(), ApiError::kStreamFinished);
    open(100);
    stream.on_stop_sending(1);
    EXPECT_EQ(stream.refusal(), ApiError::kStreamReset);
}

TEST_F(SendStreamTest, ResetFrameIsTheSameEveryTime) {
    stream.append(pattern(0, 500));
    ASSERT_TRUE(send_new(200));
    const std::uint64_t sent = stream.buffered() - stream.sendable();
    ASSERT_TRUE(stream.reset(42));
    EXPECT_FALSE(stream.reset(43));
    for (int i = 0; i < 2; ++i) {
        wire::PayloadWriter writer(packet);
        ASSERT_TRUE(stream.write_reset_stream(writer));
        const auto frame =
            std::get<wire::ResetStreamFrame>(decode_frames(writer.bytes().written_bytes()).at(0));
        //= test 9000-13.3-1
        EXPECT_EQ(frame.error_code, 42u);
        EXPECT_GT(sent, 0u);
        EXPECT_LE(frame.final_size, 200u);
        EXPECT_EQ(writer.records()[0].kind, wire::SentFrameKind::kResetStream);
        EXPECT_TRUE(stream.on_reset_lost(0));
    }
}

// --- RESET_STREAM_AT (draft-ietf-quic-reliable-stream-reset sections 4 and 5) ---

class ResetAtTest : public SendStreamTest {
protected:
    std::optional<wire::ResetStreamAtFrame> send_reset() {
        wire::PayloadWriter writer(packet);
        if (!stream.write_reset_stream(writer)) return std::nullopt;
        EXPECT_EQ(writer.records()[0].kind, wire::SentFrameKind::kResetStream);
        const auto frames = decode_frames(writer.bytes().written_bytes());
        const auto frame = std::get<wire::ResetStreamAtFrame>(frames.at(0));
        EXPECT_EQ(writer.records()[0].value, frame.reliable_size);
        return frame;
    }
};

TEST_F(ResetAtTest, EndsWhenThePromisedBytesAndTheFrameAreAcknowledged) {
    for (const bool frame_first : {false, true}) {
        open(10'000);
        stream.append(pattern(0, 500));
        ASSERT_TRUE(send_new());
        EXPECT_EQ(stream.reset_at(42, 200), 0u);
        EXPECT_EQ(stream.state(), SendState::kPartialReset);
        EXPECT_EQ(stream.refusal(), ApiError::kStreamFinished);
        ASSERT_TRUE(stream.reset_due());
        const auto frame = send_reset();
        ASSERT_TRUE(frame);
        EXPECT_EQ(frame->error_code, 42u);
        EXPECT_EQ(frame->final_size, 500u);
        EXPECT_EQ(frame->reliable_size, 200u);
        EXPECT_FALSE(stream.reset_due());
        if (frame_first) stream.on_reset_acked(200);
        EXPECT_EQ(stream.on_acked(0, 200, false), 500u);
        if (!frame_first) {
            EXPECT_FALSE(stream.is_terminal());
            stream.on_reset_acked(200);
        }
        EXPECT_EQ(stream.state(), SendState::kResetReceived);
        EXPECT_EQ(pool.in_use(), 0u);
    }
}

TEST_F(ResetAtTest, OnlyPromisedBytesAreSentAgain) {
    stream.append(pattern(0, 500));
    ASSERT_TRUE(send_new());
    ASSERT_TRUE(stream.reset_at(42, 200));
    stream.on_lost(0, 500, false);
    const auto again = send_repair();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->offset, 0u);
    EXPECT_EQ(again->data.size(), 200u);
    EXPECT_FALSE(again->fin);
    EXPECT_FALSE(stream.has_repair());
}

TEST_F(ResetAtTest, WaitsUntilAllPromisedBytesWereSent) {
    open(100);
    stream.append(pattern(0, 500));
    stream.finish();
    EXPECT_EQ(stream.reset_at(42, 200), 300u);
    EXPECT_EQ(stream.sendable(), 100u);
    EXPECT_FALSE(stream.reset_due());
    ASSERT_TRUE(send_new());
    EXPECT_TRUE(stream.is_blocked());
    EXPECT_FALSE(stream.reset_due());
    stream.on_max_stream_data(1000);
    const auto rest = send_new();
    ASSERT_TRUE(rest);
    EXPECT_EQ(rest->data.size(), 100u);
    EXPECT_FALSE(rest->fin);
    ASSERT_TRUE(stream.reset_due());
    EXPECT_EQ(send_reset()->final_size, 200u);
    EXPECT_EQ(stream.sendable(), 0u);
}

TEST_F(ResetAtTest, ALostFrameIsSentAgainUntilAnotherTakesItsPlace) {
    stream.append(pattern(0, 500));
    ASSERT_TRUE(send_new());
    ASSERT_TRUE(stream.reset_at(42, 200));
    ASSERT_TRUE(send_reset());
    EXPECT_TRUE(stream.on_reset_lost(200));
    EXPECT_TRUE(stream.reset_due());
    ASSERT_TRUE(send_reset());
    // A smaller promise, with the code of the first.
    ASSERT_TRUE(stream.reset_at(43, 50));
    EXPECT_FALSE(stream.on_reset_lost(200));
    const auto smaller = send_reset();
    ASSERT_TRUE(smaller);
    EXPECT_EQ(smaller->error_code, 42u);
    EXPECT_EQ(smaller->final_size, 500u);
    EXPECT_EQ(smaller->reliable_size, 50u);
    stream.on_acked(0, 200, false);
    stream.on_reset_acked(200);
    EXPECT_FALSE(stream.is_terminal());
    stream.on_reset_acked(50);
    EXPECT_EQ(stream.state(), SendState::kResetReceived);
    EXPECT_FALSE(stream.on_reset_lost(50));
}

TEST_F(ResetAtTest, PromisesCannotGrowNorExceedWhatWasWritten) {
    stream.append(pattern(0, 500));
    EXPECT_EQ(stream.reset_at(42, 501).error(), ApiError::kInvalidArgument);
    EXPECT_EQ(stream.state(), SendState::kReady);
    ASSERT_TRUE(stream.reset_at(42, 200));
    EXPECT_EQ(stream.reset_at(42, 201).error(), ApiError::kInvalidArgument);
    EXPECT_TRUE(stream.reset_at(42, 200));
    stream.reset(42);
    EXPECT_EQ(stream.reset_at(42, 100).error(), ApiError::kInvalidArgument);
}

TEST_F(ResetAtTest, StopSendingBreaksThePromiseWithTheSameEnd) {
    stream.append(pattern(0, 500));
    ASSERT_TRUE(send_new());
    ASSERT_TRUE(stream.reset_at(42, 200));
    ASSERT_TRUE(send_reset());
    EXPECT_TRUE(stream.on_stop_sending(77));
    EXPECT_EQ(stream.buffered(), 0u);
    wire::PayloadWriter writer(packet);
    ASSERT_TRUE(stream.write_reset_stream(writer));
    const auto frame =
        std::get<wire::ResetStreamFrame>(decode_frames(writer.bytes().written_bytes()).at(0));
    EXPECT_EQ(frame.error_code, 42u);
    EXPECT_EQ(frame.final_size, 500u);
    stream.on_reset_acked(200);
    EXPECT_FALSE(stream.is_terminal());
    stream.on_reset_acked(0);
    EXPECT_TRUE(stream.is_terminal());
}

TEST_F(ResetAtTest, RejectedEarlyDataIsPromisedAnew) {
    stream.append(pattern(0, 500));
    ASSERT_TRUE(send_new());
    ASSERT_TRUE(stream.reset_at(42, 200));
    ASSERT_TRUE(send_reset());
    EXPECT_EQ(stream.restart(), 300u);
    EXPECT_FALSE(stream.reset_due());
    EXPECT_EQ(stream.buffered(), 200u);
    stream.on_max_stream_data(1000);
    const auto again = send_new();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->data.size(), 200u);
    ASSERT_TRUE(stream.reset_due());
    EXPECT_EQ(send_reset()->final_size, 200u);
}

TEST_F(SendStreamTest, StopSendingIsAnsweredWithItsCode) {
    EXPECT_TRUE(stream.on_stop_sending(77));
    //= test 9000-3.5-5
    EXPECT_EQ(stream.reset_code(), 77u);
    EXPECT_TRUE(stream.was_stopped());
    EXPECT_FALSE(stream.on_stop_sending(78));
    EXPECT_EQ(stream.reset_code(), 77u);
}

TEST_F(SendStreamTest, FinAloneNeedsNoCredit) {
    open(0);
    stream.finish();
    EXPECT_TRUE(stream.has_repair());
    const auto frame = send_repair();
    ASSERT_TRUE(frame);
    EXPECT_TRUE(frame->fin);
    EXPECT_TRUE(frame->data.empty());
    EXPECT_FALSE(stream.has_repair());
    EXPECT_EQ(stream.state(), SendState::kDataSent);
    stream.on_acked(0, 0, true);
    EXPECT_EQ(stream.state(), SendState::kDataReceived);
}

TEST_F(SendStreamTest, LostFinIsSentAgain) {
    stream.finish();
    ASSERT_TRUE(send_repair());
    stream.on_lost(0, 0, true);
    EXPECT_TRUE(stream.has_repair());
    ASSERT_TRUE(send_repair());
    EXPECT_FALSE(stream.has_repair());
}

TEST_F(SendStreamTest, LostTailCarriesTheFinAgain) {
    stream.append(pattern(0, 300));
    stream.finish();
    ASSERT_TRUE(send_new());
    stream.on_lost(0, 300, true);
    const auto first = send_repair(150);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->offset, 0u);
    EXPECT_FALSE(first->fin);
    EXPECT_TRUE(stream.has_repair());
    const auto second = send_repair();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->offset, first->data.size());
    EXPECT_TRUE(second->fin);
    EXPECT_FALSE(stream.has_repair());
    //= test 9000-2.2-3
    EXPECT_EQ(std::vector(second->data.begin(), second->data.end()),
              pattern(second->offset, 300 - second->offset));
}

TEST_F(SendStreamTest, AcknowledgedFinIsNotSentAgain) {
    stream.append(pattern(0, 10));
    stream.finish();
    ASSERT_TRUE(send_new());
    stream.on_lost(0, 10, true);
    stream.on_acked(0, 10, true);
    EXPECT_FALSE(stream.has_repair());
    EXPECT_EQ(stream.state(), SendState::kDataReceived);
}

TEST_F(SendStreamTest, NeverSendsBeyondEitherLimit) {
    open(250);
    stream.append(pattern(0, 1000));
    stream.finish();
    //= test 9000-4.1-1
    //= test 9000-2.2-4
    const auto first = send_new(1200, 100);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->data.size(), 100u);
    EXPECT_FALSE(first->fin);
    //= test 9000-19.10-3
    const auto second = send_new();
    ASSERT_TRUE(second);
    EXPECT_EQ(second->data.size(), 150u);
    EXPECT_TRUE(stream.is_blocked());
    EXPECT_EQ(stream.sendable(), 0u);
    EXPECT_TRUE(stream.should_report_blocked());
    EXPECT_FALSE(stream.should_report_blocked());
    EXPECT_TRUE(stream.is_blocked_at(250));
    EXPECT_TRUE(stream.on_max_stream_data(300));
    EXPECT_FALSE(stream.is_blocked());
    EXPECT_EQ(stream.sendable(), 50u);
}

TEST_F(SendStreamTest, RetransmissionTakesNoCredit) {
    open(100);
    stream.append(pattern(0, 100));
    ASSERT_TRUE(send_new());
    stream.on_lost(0, 100, false);
    EXPECT_TRUE(stream.has_repair());
    ASSERT_TRUE(send_repair());
    EXPECT_FALSE(stream.has_repair());
}

TEST_F(SendStreamTest, StreamDataBlockedOpensTheStreamAndNamesTheLimit) {
    open(0);
    stream.append(pattern(0, 10));
    wire::PayloadWriter writer(packet);
    ASSERT_TRUE(stream.write_stream_data_blocked(writer));
    const auto frame =
        std::get<wire::StreamDataBlockedFrame>(decode_frames(writer.bytes().written_bytes()).at(0));
    EXPECT_EQ(frame.limit, 0u);
    EXPECT_EQ(stream.state(), SendState::kSend);
}

TEST_F(SendStreamTest, FrameThatFillsThePacketGoesWithoutLength) {
    stream.append(pattern(0, 5000));
    wire::PayloadWriter writer(packet);
    ASSERT_TRUE(stream.write_new(writer, UINT64_MAX));
    EXPECT_EQ(writer.remaining(), 0u);
    // Type 0x08: no offset, no length, no FIN; then the id in one byte.
    EXPECT_EQ(packet[0], 0x08);
    EXPECT_EQ(stream.buffered() - stream.sendable(), packet.size() - 2);
}

TEST_F(SendStreamTest, FullRecordListIsRespected) {
    wire::PayloadWriter writer(packet);
    while (writer.can_record()) writer.record(wire::SentFrame{});
    stream.append(pattern(0, 10));
    EXPECT_FALSE(stream.write_new(writer, 10).has_value());
    EXPECT_EQ(writer.written(), 0u);
    EXPECT_EQ(stream.sendable(), 10u);
}

TEST_F(SendStreamTest, RestartSendsEverythingAgainUnderNewLimits) {
    stream.append(pattern(0, 100));
    stream.finish();
    ASSERT_TRUE(send_new());
    stream.restart();
    EXPECT_TRUE(stream.is_blocked());
    stream.on_max_stream_data(60);
    const auto frame = send_new();
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->offset, 0u);
    EXPECT_EQ(frame->data.size(), 60u);
    EXPECT_FALSE(frame->fin);
}

}  // namespace
}  // namespace stoq::streams
