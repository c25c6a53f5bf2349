// What RFC 9221 asks of an endpoint, beside the frames that it must refuse.
#include <gtest/gtest.h>

#include "conformance/sandbox.h"
#include "wire/frame_encode.h"

namespace stoq::test {
namespace {

using Payload = std::vector<std::uint8_t>;

Settings with_datagrams(std::uint64_t max_frame_size) {
    Settings settings;
    settings.max_datagram_frame_size = max_frame_size;
    return settings;
}

std::vector<Payload> received(Sandbox& sandbox) {
    std::vector<Payload> payloads;
    for (const Event& event : sandbox.take_events()) {
        if (const auto* datagram = std::get_if<DatagramReceived>(&event)) {
            payloads.emplace_back(datagram->bytes.begin(), datagram->bytes.end());
        }
    }
    return payloads;
}

//= test 9221-5-2
TEST(DatagramFrames, AreToldToTheApplicationWithAndWithoutALength) {
    Sandbox sandbox(Role::kServer, with_datagrams(65535));
    ASSERT_TRUE(sandbox.ready());
    // As the helper delivers events only with the datagrams, look inside of the packet's turn.
    Payload packet =
        sandbox.seal(Payload{0x31, 2, 7, 8, 0x31, 0, 0x30, 9, 9, 9}, sandbox.next_number());
    ReceivedDatagram datagram{packet, sandbox.victim_address(), sandbox.peer_address(),
                              Ecn::kNotEct};
    sandbox.victim().receive({&datagram, 1}, sandbox.now());
    EXPECT_EQ(received(sandbox), (std::vector<Payload>{{7, 8}, {}, {9, 9, 9}}));
    EXPECT_EQ(sandbox.victim().statistics(sandbox.victim_connection())->datagram_frames_received,
              3u);
}

//= test 9221-3-4
TEST(DatagramFrames, OfTheOfferedSizeAreTakenAndLongerOnesEndTheConnection) {
    for (const bool with_length : {true, false}) {
        for (const std::size_t excess : {0u, 1u}) {
            Sandbox sandbox(Role::kServer, with_datagrams(100));
            ASSERT_TRUE(sandbox.ready());
            Payload frame{static_cast<std::uint8_t>(with_length ? 0x31 : 0x30)};
            const std::size_t length = 100 - (with_length ? 3 : 1) + excess;
            // In two bytes, which is not the shortest form and counts all the same.
            if (with_length) frame.insert(frame.end(), {0x40, static_cast<std::uint8_t>(length)});
            frame.resize(frame.size() + length, 5);
            sandbox.send(frame);
            const auto close = sandbox.close_sent();
            EXPECT_EQ(close.has_value(), excess > 0);
            if (close) {
                EXPECT_EQ(close->code,
                          static_cast<std::uint64_t>(TransportErrorCode::kProtocolViolation));
            }
        }
    }
}

//= test 9000-19.21-1
//= test 9221-3-1
TEST(DatagramFrames, AreNotSentToAPeerThatOfferedNone) {
    Sandbox sandbox(Role::kServer, with_datagrams(65535), with_datagrams(0));
    ASSERT_TRUE(sandbox.ready());
    const auto sent = sandbox.victim().send_datagram(sandbox.victim_connection(), Payload(3));
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error(), ApiError::kNotSupported);
    EXPECT_TRUE(sandbox.frames_sent<wire::DatagramFrame>().empty());
}

//= test 9221-3-2
TEST(DatagramFrames, AreNeverLargerThanThePeerOffered) {
    // One of our own limits does not matter: support is one-way.
    Sandbox sandbox(Role::kServer, with_datagrams(0), with_datagrams(100));
    ASSERT_TRUE(sandbox.ready());
    Endpoint& victim = sandbox.victim();
    const auto most = victim.max_datagram_payload(sandbox.victim_connection());
    ASSERT_TRUE(most);
    const auto longer = victim.send_datagram(sandbox.victim_connection(), Payload(*most + 1));
    ASSERT_FALSE(longer);
    EXPECT_EQ(longer.error(), ApiError::kTooLarge);
    ASSERT_TRUE(victim.send_datagram(sandbox.victim_connection(), Payload(*most, 3)));
    const auto frames = sandbox.frames_sent<wire::DatagramFrame>();
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].data.size(), *most);
    EXPECT_LE(frames[0].encoded_size, 100u);
    EXPECT_GE(frames[0].encoded_size, 98u);
}

// RFC 9221 section 5.2: lost is lost.
TEST(DatagramFrames, AreNotSentAgainByAProbe) {
    Sandbox sandbox(Role::kServer, {}, with_datagrams(65535));
    ASSERT_TRUE(sandbox.ready());
    ASSERT_TRUE(sandbox.victim().send_datagram(sandbox.victim_connection(), Payload{1, 2, 3}));
    EXPECT_EQ(sandbox.frames_sent<wire::DatagramFrame>().size(), 1u);
    for (int timeout = 0; timeout < 4; ++timeout) {
        sandbox.victim().on_timeout(sandbox.victim().next_timeout());
        EXPECT_TRUE(sandbox.frames_sent<wire::DatagramFrame>().empty());
    }
}

}  // namespace
}  // namespace stoq::test
