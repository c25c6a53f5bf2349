// A peer that plays with addresses: what it can make a server send, and to whom.
#include <gtest/gtest.h>

#include "conformance/sandbox.h"
#include "wire/frame_encode.h"

namespace stoq::test {
namespace {

using namespace std::chrono_literals;

const Address kSecond = parse_address("192.0.2.1:2000");
const Address kVictim = parse_address("203.0.113.7:53");

// A padded packet with frames, from anywhere.
void send_from(Sandbox& sandbox, const Address& from, std::size_t length,
               const std::function<void(ByteWriter&)>& write) {
    std::vector<std::uint8_t> frames(length);
    ByteWriter writer(frames);
    write(writer);  // what is left is PADDING
    sandbox.receive(sandbox.seal(frames, sandbox.next_number()), from);
}

void ping_from(Sandbox& sandbox, const Address& from, std::size_t length) {
    send_from(sandbox, from, length,
              [](ByteWriter& writer) { ASSERT_TRUE(wire::encode(writer, wire::PingFrame{})); });
}

// A server that has said all that it has to say of itself.
struct HostilePaths : testing::Test {
    void SetUp() override {
        ASSERT_TRUE(sandbox.ready());
        sandbox.wait(1s);
        (void)sandbox.sent_payloads();
    }
    Sandbox sandbox{Role::kServer};
};

// The client proves its second address in a packet that claims to come from somebody else's.
//= test 9000-8-1
TEST_F(HostilePaths, NoTokenIsMadeForAnAddressThatIsNotProved) {
    ping_from(sandbox, kSecond, 1200);
    const auto challenges = sandbox.frames_sent<wire::PathChallengeFrame>();
    ASSERT_FALSE(challenges.empty());
    send_from(sandbox, kVictim, 1200, [&](ByteWriter& writer) {
        for (const wire::PathChallengeFrame& challenge : challenges) {
            ASSERT_TRUE(wire::encode(writer, wire::PathResponseFrame{challenge.data}));
        }
        ASSERT_TRUE(wire::encode(writer, wire::PingFrame{}));
    });
    EXPECT_TRUE(sandbox.frames_sent<wire::NewTokenFrame>().empty());
    // Back where it can listen.
    ping_from(sandbox, kSecond, 1200);
    sandbox.wait(5s);
    const auto tokens = sandbox.frames_sent<wire::NewTokenFrame>();
    ASSERT_LE(tokens.size(), 1u);
}

// Every challenge asks for 1200 bytes, and nothing of it is ever acknowledged.
//= test 9002-7-3
TEST_F(HostilePaths, ChallengesWithoutAcknowledgementsAreNotAnsweredForEver) {
    std::size_t responses = 0;
    for (std::uint64_t i = 0; i < 2'000; ++i) {
        sandbox.send_frames([&](ByteWriter& writer) {
            ASSERT_TRUE(wire::encode(writer, wire::PathChallengeFrame{i}));
        });
        responses += sandbox.frames_sent<wire::PathResponseFrame>().size();
    }
    EXPECT_GT(responses, 0u);
    EXPECT_LE(responses, 64u);
    EXPECT_FALSE(sandbox.closed());
}

// Three times what came is less than a full datagram: an acknowledgement fits all the same, and the
// server does not look again and again whether it can send more.
//= test 9000-13.2.1-1
TEST_F(HostilePaths, AShortPacketFromANewAddressIsAcknowledgedInWhatItsAddressIsOwed) {
    ping_from(sandbox, kSecond, 30);
    std::size_t acks = sandbox.frames_sent<wire::AckFrame>().size();
    sandbox.wait(30ms);
    acks += sandbox.frames_sent<wire::AckFrame>().size();
    EXPECT_EQ(acks, 1u);
    for (int timers = 0; timers < 20; ++timers) {
        const Instant before = sandbox.now();
        sandbox.wait_for_timer();
        (void)sandbox.sent_payloads();
        if (sandbox.now() - before > 10ms) return;
    }
    FAIL() << "a timer fires all the time";
}

}  // namespace
}  // namespace stoq::test
