#include "path/path_validator.h"

#include <gtest/gtest.h>

#include "path/amplification_limit.h"
#include "payload.h"

namespace stoq::path {
namespace {

using namespace std::chrono_literals;
using test::Payload;
using Event = ValidationEvent;
using State = PathValidator::State;

constexpr Instant kStart{1h};
constexpr Duration kInitialPto = 999ms;

struct Fixture {
    SeededRandom random{5};
    PathValidator validator;

    // The data of the challenge that was written, 0 for none.
    std::uint64_t write(bool expanded = true) {
        Payload payload;
        if (!validator.write_path_challenge(payload, expanded)) return 0;
        const auto frames = payload.all<wire::PathChallengeFrame>();
        EXPECT_EQ(frames.size(), 1u);
        EXPECT_EQ(payload.writer().records()[0].kind, wire::SentFrameKind::kPathChallenge);
        return frames.at(0).data;
    }
    Event respond(std::uint64_t data) { return validator.on_path_response(data, kStart, random); }
};

//= test 9000-8.2.1-2
TEST(PathValidator, AResponseWithTheDataOfAChallengeValidates) {
    Fixture f;
    f.validator.start(kStart, 10ms, f.random);
    EXPECT_EQ(f.validator.state(), State::kValidating);
    const std::uint64_t data = f.write();
    EXPECT_EQ(f.write(), 0u) << "one challenge at a time";
    EXPECT_EQ(f.respond(data ^ 1), Event::kNothing);
    EXPECT_EQ(f.respond(data), Event::kValidated);
    EXPECT_EQ(f.validator.state(), State::kValidated);
    EXPECT_EQ(f.validator.next_timeout(), kNever);
    EXPECT_EQ(f.respond(data), Event::kNothing);
}

TEST(PathValidator, AnAnswerToAChallengeThatWasNotSentDoesNotCount) {
    Fixture f;
    SeededRandom same{5};
    f.validator.start(kStart, 10ms, f.random);
    EXPECT_EQ(f.respond(same.next_uint64()), Event::kNothing);
    EXPECT_EQ(f.respond(0), Event::kNothing);
}

//= test 9000-8.2.1-4
//= test 9000-8.2.1-1
TEST(PathValidator, TheChallengeIsRepeatedWithNewDataAndBothAnswersCount) {
    for (const bool answer_first : {true, false}) {
        Fixture f;
        f.validator.start(kStart, 10ms, f.random);
        const std::uint64_t first = f.write();
        EXPECT_EQ(f.validator.next_timeout(), kStart + kInitialPto);
        EXPECT_EQ(f.validator.on_timeout(kStart + kInitialPto, f.random), Event::kRetry);
        const std::uint64_t second = f.write();
        EXPECT_NE(first, second);
        EXPECT_NE(second, 0u);
        EXPECT_EQ(f.respond(answer_first ? first : second), Event::kValidated);
    }
}

//= test 9000-8.2.1-3
//= test 9000-8.2.4-1
//= test 9000-8.2.4-2
//= test 9000-9.4-4
TEST(PathValidator, FailsAfterThreeTimesTheLargerProbeTimeout) {
    for (const Duration probe_timeout : {Duration(1ms), Duration(999ms), Duration(5s)}) {
        const Duration used = std::max<Duration>(probe_timeout, kInitialPto);
        Fixture f;
        f.validator.start(kStart, probe_timeout, f.random);
        f.write();
        int challenges = 1;
        Event event = Event::kNothing;
        Instant now = kStart;
        while (event != Event::kFailed) {
            now = f.validator.next_timeout();
            ASSERT_NE(now, kNever);
            event = f.validator.on_timeout(now, f.random);
            if (event == Event::kRetry && f.write() != 0) ++challenges;
        }
        EXPECT_EQ(now, kStart + 3 * used);
        EXPECT_EQ(challenges, 2);
        EXPECT_EQ(f.validator.state(), State::kFailed);
        EXPECT_EQ(f.validator.next_timeout(), kNever);
        EXPECT_EQ(f.write(), 0u);
    }
}

TEST(PathValidator, ATimerThatIsEarlyDoesNothing) {
    Fixture f;
    f.validator.start(kStart, 10ms, f.random);
    f.write();
    EXPECT_EQ(f.validator.on_timeout(kStart + 998ms, f.random), Event::kNothing);
    EXPECT_EQ(f.write(), 0u);
}

//= test 9000-8.2.1-6
//= test 9000-8.2.3-1
TEST(PathValidator, AnAnswerToASmallDatagramValidatesTheAddressAndAsksAgain) {
    Fixture f;
    f.validator.start(kStart, 10ms, f.random);
    const std::uint64_t small = f.write(false);
    EXPECT_EQ(f.respond(small), Event::kAddressValidated);
    EXPECT_EQ(f.validator.state(), State::kValidating);
    const std::uint64_t large = f.write(true);
    ASSERT_NE(large, 0u);
    EXPECT_EQ(f.respond(small), Event::kNothing);
    EXPECT_EQ(f.respond(large), Event::kValidated);
}

TEST(PathValidator, ANewStartForgetsOldChallenges) {
    Fixture f;
    f.validator.start(kStart, 10ms, f.random);
    const std::uint64_t old = f.write();
    f.validator.start(kStart + 1s, 10ms, f.random);
    EXPECT_EQ(f.respond(old), Event::kNothing);
    EXPECT_EQ(f.validator.next_timeout(), kStart + 1s + kInitialPto);
}

TEST(PathValidator, WithoutRoomTheChallengeWaits) {
    Fixture f;
    f.validator.start(kStart, 10ms, f.random);
    Payload tiny(8);
    EXPECT_FALSE(f.validator.write_path_challenge(tiny, true));
    EXPECT_TRUE(f.validator.has_challenge_to_write());
    EXPECT_NE(f.write(), 0u);
}

//= test 9000-8.2.2-1
//= test 9000-8.2.2-7
//= test 9000-19.17-1
TEST(PathResponses, AreWrittenOnceEachInOrder) {
    PathResponses responses;
    for (const std::uint64_t data : {11u, 22u, 33u}) responses.on_path_challenge(data);
    Payload payload;
    while (responses.write_path_response(payload)) {
    }
    const auto frames = payload.all<wire::PathResponseFrame>();
    ASSERT_EQ(frames.size(), 3u);
    EXPECT_EQ(frames[0].data, 11u);
    EXPECT_EQ(frames[2].data, 33u);
    EXPECT_TRUE(responses.empty());
    EXPECT_EQ(payload.writer().records()[0].kind, wire::SentFrameKind::kPathResponse);
}

TEST(PathResponses, AFloodLeavesTheNewestEight) {
    PathResponses responses;
    for (std::uint64_t data = 0; data < 1000; ++data) responses.on_path_challenge(data);
    EXPECT_EQ(responses.size(), PathResponses::kMaxPending);
    Payload payload;
    while (responses.write_path_response(payload)) {
    }
    const auto frames = payload.all<wire::PathResponseFrame>();
    ASSERT_EQ(frames.size(), 8u);
    EXPECT_EQ(frames.front().data, 992u);
    EXPECT_EQ(frames.back().data, 999u);
}

//= test 9000-8-1
//= test 9000-8.1-2
//= test 9000-8.1-3
TEST(AmplificationLimit, ThreeTimesWhatWasReceivedUntilValidated) {
    AmplificationLimit limit;
    EXPECT_TRUE(limit.blocked());
    EXPECT_FALSE(limit.allows(1));
    limit.on_received(1200);
    EXPECT_EQ(limit.allowance(), 3600u);
    limit.on_sent(3500);
    EXPECT_TRUE(limit.allows(100));
    EXPECT_FALSE(limit.allows(101));
    limit.on_sent(100);
    EXPECT_TRUE(limit.blocked());
    limit.on_received(1);
    EXPECT_EQ(limit.allowance(), 3u);
    limit.on_sent(1000);
    EXPECT_EQ(limit.allowance(), 0u) << "never negative";
    limit.set_validated();
    EXPECT_EQ(limit.allowance(), AmplificationLimit::kUnlimited);
    EXPECT_FALSE(limit.blocked());
}

}  // namespace
}  // namespace stoq::path
