#include "streams/receive_stream.h"

#include <functional>

#include <gtest/gtest.h>

#include "support/stream_link.h"

namespace stoq::streams {
namespace {

using test::pattern;

constexpr std::uint64_t kWindow = 1000;

class ReceiveStreamTest : public testing::Test {
protected:
    ReceiveStreamTest() { stream.open(ReceiveWindow(kWindow, kWindow)); }

    ReceiveOutcome receive(std::uint64_t offset, std::size_t length, bool fin = false) {
        const auto outcome =
            stream.on_stream(offset, ByteView(source).subspan(offset, length), fin);
        EXPECT_TRUE(outcome.has_value());
        return outcome.value_or(ReceiveOutcome{});
    }

    TransportErrorCode error_of(std::uint64_t offset, std::size_t length, bool fin) {
        const std::vector<std::uint8_t> data(length);
        const auto outcome = stream.on_stream(offset, data, fin);
        return outcome ? TransportErrorCode::kNoError : outcome.error().code;
    }

    BlockPool pool;
    ReceiveStream stream{pool};
    const std::vector<std::uint8_t> source = pattern(0, 2000);
};

TEST_F(ReceiveStreamTest, DataIsReadToTheEnd) {
    EXPECT_TRUE(receive(0, 100).readable);
    EXPECT_EQ(stream.state(), ReceiveState::kReceive);
    EXPECT_FALSE(receive(150, 50, true).readable);
    EXPECT_EQ(stream.state(), ReceiveState::kSizeKnown);
    EXPECT_FALSE(stream.wants_credit());
    EXPECT_TRUE(receive(100, 50).readable);
    EXPECT_EQ(stream.state(), ReceiveState::kDataReceived);
    auto view = stream.peek();
    ASSERT_TRUE(view);
    EXPECT_EQ(view->bytes.size(), 200u);
    EXPECT_TRUE(view->finished);
    ASSERT_TRUE(stream.consume(150));
    EXPECT_EQ(stream.state(), ReceiveState::kDataReceived);
    ASSERT_TRUE(stream.consume(50));
    EXPECT_EQ(stream.state(), ReceiveState::kDataRead);
    view = stream.peek();
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->finished);
}

TEST_F(ReceiveStreamTest, AllThatIsThereIsShownInPieces) {
    receive(0, 100);
    stream.settle();
    receive(100, 200);
    receive(300, 50, true);
    std::array<ByteView, 4> pieces;
    auto shown = stream.peek(std::span(pieces).first(2));
    ASSERT_TRUE(shown);
    EXPECT_EQ(shown->count, 2u);
    EXPECT_EQ(shown->length, 300u);
    EXPECT_FALSE(shown->finished);
    shown = stream.peek(pieces);
    ASSERT_TRUE(shown);
    EXPECT_EQ(shown->count, 3u);
    EXPECT_EQ(shown->length, 350u);
    EXPECT_TRUE(shown->finished);
    std::vector<std::uint8_t> read;
    for (const ByteView piece : std::span(pieces).first(3)) {
        read.insert(read.end(), piece.begin(), piece.end());
    }
    EXPECT_EQ(read, pattern(0, 350));
    ASSERT_TRUE(stream.consume(350));
    EXPECT_EQ(stream.state(), ReceiveState::kDataRead);
}

TEST_F(ReceiveStreamTest, EndWithoutBytesIsReadByLookingAtIt) {
    receive(0, 10);
    ASSERT_TRUE(stream.consume(10));
    EXPECT_TRUE(receive(10, 0, true).readable);
    EXPECT_TRUE(stream.has_unread());
    const auto view = stream.peek();
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->bytes.empty());
    EXPECT_TRUE(view->finished);
    EXPECT_EQ(stream.state(), ReceiveState::kDataRead);
}

TEST_F(ReceiveStreamTest, EndThatCameAfterPeekStaysUnread) {
    receive(0, 10);
    ASSERT_FALSE(stream.peek()->finished);
    receive(10, 0, true);
    ASSERT_TRUE(stream.consume(10));
    EXPECT_EQ(stream.state(), ReceiveState::kDataReceived);
    EXPECT_TRUE(stream.has_unread());
    EXPECT_TRUE(stream.peek()->finished);
    EXPECT_EQ(stream.state(), ReceiveState::kDataRead);
}

struct FinalSizeCase {
    const char* name;
    std::uint64_t first_end;
    bool first_fin;
    std::uint64_t offset;
    std::size_t length;
    bool fin;
    TransportErrorCode expected;
};

TEST_F(ReceiveStreamTest, FinalSizeCannotChange) {
    using enum TransportErrorCode;
    const FinalSizeCase cases[] = {
        {"same end again", 100, true, 50, 50, true, kNoError},
        {"data inside", 100, true, 20, 30, false, kNoError},
        {"larger end", 100, true, 100, 10, true, kFinalSizeError},
        {"smaller end", 100, true, 0, 50, true, kFinalSizeError},
        {"empty frame with smaller end", 100, true, 99, 0, true, kFinalSizeError},
        {"data beyond the end", 100, true, 100, 1, false, kFinalSizeError},
        {"empty frame beyond the end", 100, true, 101, 0, false, kFinalSizeError},
        {"end below data seen", 100, false, 0, 99, true, kFinalSizeError},
        {"end exactly at data seen", 100, false, 0, 100, true, kNoError},
    };
    for (const FinalSizeCase& test : cases) {
        // Incomplete, complete and read: the rules are the same.
        for (const bool read : {false, true}) {
            stream.open(ReceiveWindow(kWindow, kWindow));
            receive(0, test.first_end, test.first_fin);
            if (read) {
                ASSERT_TRUE(stream.peek());
                ASSERT_TRUE(stream.consume(test.first_end));
            }
            //= test 9000-4.5-3
            //= test 9000-4.5-4
            EXPECT_EQ(error_of(test.offset, test.length, test.fin), test.expected) << test.name;
        }
    }
}

TEST_F(ReceiveStreamTest, ResetMustAgreeWithTheFinalSize) {
    const auto code_of = [&](std::uint64_t final_size) {
        const auto outcome = stream.on_reset({1, final_size});
        return outcome ? TransportErrorCode::kNoError : outcome.error().code;
    };
    receive(0, 100);
    EXPECT_EQ(code_of(99), TransportErrorCode::kFinalSizeError);
    EXPECT_EQ(code_of(kWindow + 1), TransportErrorCode::kFlowControlError);
    receive(200, 10, true);
    EXPECT_EQ(code_of(211), TransportErrorCode::kFinalSizeError);
    EXPECT_EQ(code_of(209), TransportErrorCode::kFinalSizeError);
    EXPECT_EQ(code_of(210), TransportErrorCode::kNoError);
    EXPECT_EQ(code_of(210), TransportErrorCode::kNoError);
    EXPECT_EQ(code_of(220), TransportErrorCode::kFinalSizeError);
}

TEST_F(ReceiveStreamTest, DataBeyondTheWindowIsAnError) {
    EXPECT_EQ(error_of(kWindow - 1, 1, false), TransportErrorCode::kNoError);
    //= test 9000-4.1-2
    //= test 9000-19.10-4
    EXPECT_EQ(error_of(kWindow, 1, false), TransportErrorCode::kFlowControlError);
    //= test 9000-19.8-2
    EXPECT_EQ(error_of((std::uint64_t{1} << 62) - 2, 1, false),
              TransportErrorCode::kFlowControlError);
}

TEST_F(ReceiveStreamTest, ResetDiscardsUnreadBytesAndAccountsForAll) {
    receive(0, 100);
    ASSERT_TRUE(stream.consume(30));
    const auto outcome = stream.on_reset({5, 400});
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->reset);
    //= test 9000-4.5-1
    EXPECT_EQ(outcome->discarded, 370u);
    EXPECT_EQ(stream.state(), ReceiveState::kResetReceived);
    EXPECT_EQ(stream.reset_code(), 5u);
    //= test 9000-3.2-2
    EXPECT_EQ(stream.peek().error(), ApiError::kStreamReset);
    EXPECT_EQ(stream.consume(1).error(), ApiError::kStreamReset);
    stream.on_reset_told();
    EXPECT_EQ(stream.state(), ReceiveState::kResetRead);
    EXPECT_EQ(pool.in_use(), 0u);
}

TEST_F(ReceiveStreamTest, ResetAfterAllDataIsIgnored) {
    receive(0, 100, true);
    const auto outcome = stream.on_reset({5, 100});
    ASSERT_TRUE(outcome);
    EXPECT_FALSE(outcome->reset);
    EXPECT_EQ(outcome->discarded, 0u);
    EXPECT_EQ(stream.state(), ReceiveState::kDataReceived);
    EXPECT_EQ(stream.peek()->bytes.size(), 100u);
}

// --- RESET_STREAM_AT (draft-ietf-quic-reliable-stream-reset sections 4 and 5) ---

TEST_F(ReceiveStreamTest, PromisedBytesAreReadBeforeTheReset) {
    receive(0, 100);
    const auto outcome = stream.on_reset({5, 400, 60, true});
    ASSERT_TRUE(outcome);
    EXPECT_FALSE(outcome->reset);
    EXPECT_EQ(outcome->discarded, 0u);
    EXPECT_EQ(stream.state(), ReceiveState::kSizeKnown);
    EXPECT_FALSE(stream.wants_credit());
    const auto view = stream.peek();
    ASSERT_TRUE(view);
    EXPECT_EQ(view->bytes.size(), 60u);
    EXPECT_FALSE(view->finished);
    ASSERT_TRUE(stream.consume(59));
    EXPECT_FALSE(stream.reset_reached());
    EXPECT_TRUE(stream.has_unread());
    ASSERT_TRUE(stream.consume(1));
    ASSERT_TRUE(stream.reset_reached());
    const ReceiveOutcome reset = stream.take_reset();
    EXPECT_TRUE(reset.reset);
    EXPECT_EQ(reset.discarded, 340u);
    EXPECT_EQ(stream.state(), ReceiveState::kResetReceived);
    EXPECT_EQ(stream.reset_code(), 5u);
    EXPECT_EQ(stream.peek().error(), ApiError::kStreamReset);
    EXPECT_EQ(pool.in_use(), 0u);
}

TEST_F(ReceiveStreamTest, PromisedBytesMayComeAfterTheReset) {
    ASSERT_TRUE(stream.on_reset({5, 400, 60, true}));
    EXPECT_TRUE(receive(0, 40).readable);
    ASSERT_TRUE(stream.consume(40));
    EXPECT_FALSE(stream.reset_reached());
    EXPECT_TRUE(receive(40, 100).readable);
    EXPECT_EQ(stream.peek()->bytes.size(), 20u);
    // All of the stream changes nothing: it was reset.
    receive(140, 260, true);
    EXPECT_EQ(stream.state(), ReceiveState::kSizeKnown);
    EXPECT_FALSE(stream.peek()->finished);
    ASSERT_TRUE(stream.consume(20));
    EXPECT_TRUE(stream.reset_reached());
}

TEST_F(ReceiveStreamTest, PromisedBytesInPiecesEndWithTheLastOne) {
    receive(0, 100);
    receive(100, 100);
    ASSERT_TRUE(stream.on_reset({5, 400, 100, true}));
    std::array<ByteView, 4> pieces;
    auto shown = stream.peek(pieces);
    ASSERT_TRUE(shown);
    EXPECT_EQ(shown->count, 1u);
    EXPECT_EQ(shown->length, 100u);
    ASSERT_TRUE(stream.on_reset({5, 400, 99, true}));
    shown = stream.peek(pieces);
    ASSERT_TRUE(shown);
    EXPECT_EQ(shown->length, 99u);
    EXPECT_EQ(pieces[0].size(), 99u);
}

TEST_F(ReceiveStreamTest, ThePromiseOnlyShrinks) {
    receive(0, 100);
    ASSERT_TRUE(stream.consume(10));
    ASSERT_TRUE(stream.on_reset({5, 400, 60, true}));
    ASSERT_TRUE(stream.on_reset({5, 400, 80, true}));
    EXPECT_EQ(stream.peek()->bytes.size(), 50u);
    ASSERT_TRUE(stream.on_reset({5, 400, 30, true}));
    EXPECT_EQ(stream.peek()->bytes.size(), 20u);
    const auto outcome = stream.on_reset({5, 400, 5, true});
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->reset);
    EXPECT_EQ(outcome->discarded, 390u);
    EXPECT_EQ(stream.state(), ReceiveState::kResetReceived);
}

TEST_F(ReceiveStreamTest, NothingOfAResetMayChange) {
    ASSERT_TRUE(stream.on_reset({5, 400, 60, true}));
    EXPECT_EQ(stream.on_reset({6, 400, 60, true}).error().code,
              TransportErrorCode::kStreamStateError);
    EXPECT_EQ(stream.on_reset({6, 400, 0, true}).error().code,
              TransportErrorCode::kStreamStateError);
    EXPECT_EQ(stream.on_reset({5, 401, 60, true}).error().code,
              TransportErrorCode::kFinalSizeError);
    EXPECT_EQ(stream.on_reset({5, 399, 60, true}).error().code,
              TransportErrorCode::kFinalSizeError);
    EXPECT_EQ(error_of(390, 5, true), TransportErrorCode::kFinalSizeError);
    EXPECT_EQ(error_of(400, 1, false), TransportErrorCode::kFinalSizeError);
    EXPECT_TRUE(stream.on_reset({5, 400, 0, true}));
    EXPECT_EQ(stream.on_reset({6, 400, 0}).error().code, TransportErrorCode::kStreamStateError);
}

TEST_F(ReceiveStreamTest, ACodeMayChangeWhereNothingWasPromised) {
    ASSERT_TRUE(stream.on_reset({5, 400}));
    EXPECT_TRUE(stream.on_reset({6, 400}));
    EXPECT_EQ(stream.reset_code(), 5u);
}

TEST_F(ReceiveStreamTest, ResetAtBeyondTheWindowIsRefused) {
    EXPECT_EQ(stream.on_reset({5, kWindow + 1, 0, true}).error().code,
              TransportErrorCode::kFlowControlError);
}

TEST_F(ReceiveStreamTest, StoppingEndsAPromise) {
    for (const bool kept : {false, true}) {
        stream.open(ReceiveWindow(kWindow, kWindow));
        receive(0, kept ? 60 : 50);
        ASSERT_TRUE(stream.on_reset({5, 400, 60, true}));
        std::uint64_t discarded = 0;
        // The peer, which waits for acknowledgements of what is missing only, is to be told.
        EXPECT_EQ(stream.stop_sending(9, discarded), !kept);
        EXPECT_EQ(discarded, 400u);
        EXPECT_EQ(stream.is_terminal(), kept);
        if (kept) continue;
        EXPECT_TRUE(stream.wants_stop_sending());
        EXPECT_EQ(receive(50, 10).discarded, 0u);
        EXPECT_EQ(stream.state(), ReceiveState::kResetRead);
    }
}

TEST_F(ReceiveStreamTest, PromiseAfterStoppingNeedsNoTelling) {
    receive(0, 100);
    std::uint64_t discarded = 0;
    ASSERT_TRUE(stream.stop_sending(9, discarded));
    const auto outcome = stream.on_reset({5, 400, 200, true});
    ASSERT_TRUE(outcome);
    EXPECT_FALSE(outcome->reset);
    EXPECT_EQ(outcome->discarded, 300u);
    EXPECT_EQ(stream.state(), ReceiveState::kResetRead);
}

TEST_F(ReceiveStreamTest, StopSendingDiscardsNowAndLater) {
    receive(0, 100);
    receive(200, 50);
    std::uint64_t discarded = 0;
    EXPECT_TRUE(stream.stop_sending(9, discarded));
    EXPECT_EQ(discarded, 250u);
    EXPECT_TRUE(stream.wants_stop_sending());
    EXPECT_FALSE(stream.stop_sending(10, discarded));
    EXPECT_EQ(stream.stop_code(), 9u);
    EXPECT_EQ(stream.peek().error(), ApiError::kStreamReset);
    const ReceiveOutcome more = receive(250, 100, true);
    EXPECT_FALSE(more.readable);
    EXPECT_EQ(more.discarded, 100u);
    EXPECT_EQ(stream.state(), ReceiveState::kSizeKnown);
    EXPECT_EQ(receive(100, 100).discarded, 0u);
    EXPECT_EQ(stream.state(), ReceiveState::kDataRead);
    EXPECT_FALSE(stream.wants_stop_sending());
    EXPECT_EQ(pool.in_use(), 0u);
}

TEST_F(ReceiveStreamTest, StopSendingAfterResetIsPointless) {
    ASSERT_TRUE(stream.on_reset({1, 50}));
    std::uint64_t discarded = 0;
    //= test 9000-3.5-7
    EXPECT_FALSE(stream.stop_sending(2, discarded));
    EXPECT_FALSE(stream.wants_stop_sending());
    EXPECT_EQ(discarded, 0u);
}

TEST_F(ReceiveStreamTest, ResetAfterStopSendingNeedsNoTelling) {
    receive(0, 100);
    std::uint64_t discarded = 0;
    stream.stop_sending(9, discarded);
    const auto outcome = stream.on_reset({9, 130});
    ASSERT_TRUE(outcome);
    EXPECT_FALSE(outcome->reset);
    EXPECT_EQ(outcome->discarded, 30u);
    EXPECT_EQ(stream.state(), ReceiveState::kResetRead);
}

void bring_into(ReceiveStream& stream, ReceiveState state, ByteView source) {
    stream.open(ReceiveWindow(kWindow, kWindow));
    const auto data = source.first(100);
    switch (state) {
        case ReceiveState::kReceive: ASSERT_TRUE(stream.on_stream(0, data, false)); return;
        case ReceiveState::kSizeKnown:
            ASSERT_TRUE(stream.on_stream(0, data, false));
            ASSERT_TRUE(stream.on_stream(200, {}, true));
            return;
        case ReceiveState::kDataReceived:
            ASSERT_TRUE(stream.on_stream(0, data, false));
            ASSERT_TRUE(stream.on_stream(100, source.subspan(100, 100), true));
            return;
        case ReceiveState::kDataRead:
            bring_into(stream, ReceiveState::kDataReceived, source);
            ASSERT_TRUE(stream.consume(100));
            ASSERT_TRUE(stream.peek()->finished);
            ASSERT_TRUE(stream.consume(100));
            return;
        case ReceiveState::kResetReceived: ASSERT_TRUE(stream.on_reset({1, 200})); return;
        case ReceiveState::kResetRead:
            ASSERT_TRUE(stream.on_reset({1, 200}));
            stream.on_reset_told();
            return;
    }
}

struct TransitionCase {
    const char* event;
    std::function<void(ReceiveStream&, ByteView)> apply;
    // Next state from kReceive, kSizeKnown, kDataReceived, kDataRead, kResetReceived, kResetRead.
    std::array<ReceiveState, 6> next;
};

TEST_F(ReceiveStreamTest, EveryEventInEveryState) {
    using enum ReceiveState;
    constexpr std::array kStates{kReceive,  kSizeKnown,     kDataReceived,
                                 kDataRead, kResetReceived, kResetRead};
    const TransitionCase cases[] = {
        {"data without end",
         [](ReceiveStream& s, ByteView d) { ASSERT_TRUE(s.on_stream(0, d.first(150), false)); },
         {kReceive, kSizeKnown, kDataReceived, kDataRead, kResetReceived, kResetRead}},
        {"end with a gap before it",
         [](ReceiveStream& s, ByteView d) {
             ASSERT_TRUE(s.on_stream(199, d.subspan(199, 1), true));
         },
         {kSizeKnown, kSizeKnown, kDataReceived, kDataRead, kResetReceived, kResetRead}},
        {"all data and the end",
         [](ReceiveStream& s, ByteView d) { ASSERT_TRUE(s.on_stream(0, d.first(200), true)); },
         {kDataReceived, kDataReceived, kDataReceived, kDataRead, kResetReceived, kResetRead}},
        {"RESET_STREAM",
         [](ReceiveStream& s, ByteView) { ASSERT_TRUE(s.on_reset({1, 200})); },
         {kResetReceived, kResetReceived, kDataReceived, kDataRead, kResetReceived, kResetRead}},
        {"RESET_STREAM_AT for bytes that are missing",
         [](ReceiveStream& s, ByteView) {
             const std::uint64_t code = s.state() == kReceive ? 3 : 1;
             ASSERT_TRUE(s.on_reset({code, 200, 150, true}));
         },
         {kSizeKnown, kSizeKnown, kDataReceived, kDataRead, kResetReceived, kResetRead}},
        {"application told of the reset",
         [](ReceiveStream& s, ByteView) { s.on_reset_told(); },
         {kReceive, kSizeKnown, kDataReceived, kDataRead, kResetRead, kResetRead}},
        {"application stops",
         [](ReceiveStream& s, ByteView) {
             std::uint64_t discarded = 0;
             s.stop_sending(1, discarded);
         },
         {kReceive, kSizeKnown, kDataRead, kDataRead, kResetReceived, kResetRead}},
    };
    for (const TransitionCase& test : cases) {
        for (std::size_t i = 0; i < kStates.size(); ++i) {
            bring_into(stream, kStates[i], source);
            ASSERT_EQ(stream.state(), kStates[i]);
            test.apply(stream, source);
            EXPECT_EQ(stream.state(), test.next[i]) << test.event << " in state " << i;
        }
    }
}

TEST_F(ReceiveStreamTest, ConsumingMoreThanIsReadableIsRefused) {
    receive(0, 10);
    EXPECT_EQ(stream.consume(11).error(), ApiError::kInvalidArgument);
    EXPECT_TRUE(stream.consume(10));
}

}  // namespace
}  // namespace stoq::streams
