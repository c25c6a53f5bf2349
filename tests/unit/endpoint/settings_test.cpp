// Settings out of their range are an answer, and not the end of the process.
#include <gtest/gtest.h>

#include "stoq/endpoint.h"
#include "support/test_credentials.h"

namespace stoq {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kBeyondVarint = std::uint64_t{1} << 62;
constexpr std::uint64_t kMostStreams = std::uint64_t{1} << 60;

struct Case {
    const char* name;
    void (*change)(Settings&);
    bool valid = false;
};

const Case kCases[] = {
    {"AsTheyAre", [](Settings&) {}, true},
    {"StreamWindow", [](Settings& s) { s.initial_stream_window = kBeyondVarint; }},
    {"GreatestStreamWindow", [](Settings& s) { s.initial_stream_window = kBeyondVarint - 1; },
     true},
    {"StreamWindowToGrowTo", [](Settings& s) { s.max_stream_window = kBeyondVarint; }},
    {"ConnectionWindow", [](Settings& s) { s.initial_connection_window = kBeyondVarint; }},
    {"ConnectionWindowToGrowTo", [](Settings& s) { s.max_connection_window = kBeyondVarint; }},
    {"MostStreams", [](Settings& s) { s.max_bidirectional_streams = kMostStreams; }, true},
    {"Streams", [](Settings& s) { s.max_bidirectional_streams = kMostStreams + 1; }},
    {"StreamsOneWay", [](Settings& s) { s.max_unidirectional_streams = kMostStreams + 1; }},
    {"DatagramFrames", [](Settings& s) { s.max_datagram_frame_size = kBeyondVarint; }},
    {"IdleTimeout", [](Settings& s) { s.idle_timeout = -1ms; }},
    {"NoIdleTimeout", [](Settings& s) { s.idle_timeout = 0ms; }, true},
    {"KeepAlive", [](Settings& s) { s.keep_alive_interval = -1ms; }},
    {"HandshakeTimeout", [](Settings& s) { s.handshake_timeout = 0ms; }},
    {"ClassicalRetry", [](Settings& s) { s.classical_retry_after = -1ms; }},
    {"NoClassicalRetry", [](Settings& s) { s.classical_retry_after = Duration::max(); }, true},
    {"InitialRtt", [](Settings& s) { s.initial_rtt = 0ms; }},
    {"AckDelay", [](Settings& s) { s.max_ack_delay = 16384ms; }},
    {"GreatestAckDelay", [](Settings& s) { s.max_ack_delay = 16383ms; }, true},
    {"AckThreshold", [](Settings& s) { s.ack_eliciting_threshold = 0; }},
    {"CongestionWindow", [](Settings& s) { s.initial_congestion_window = 0; }},
    {"DatagramSize", [](Settings& s) { s.initial_datagram_size = 1199; }},
    {"ConnectionIds", [](Settings& s) { s.active_connection_id_limit = 1; }},
    {"Versions", [](Settings& s) { s.versions = {QuicVersion::kNone, QuicVersion::kNone}; }},
};

class SettingsRange : public testing::TestWithParam<Case> {};

//= test 9000-18.2-8
TEST_P(SettingsRange, DecidesWhatListenAndConnectAnswer) {
    SeededRandom random(1);
    Endpoint endpoint = Endpoint::create({}, random).value();
    Settings settings;
    GetParam().change(settings);
    const auto listening = endpoint.listen({test::server_credentials(), settings});
    const auto connected =
        endpoint.connect({.remote = parse_address("127.0.0.1:4433"),
                          .server_name = "localhost",
                          .credentials = std::make_shared<Credentials>(test::client_credentials()),
                          .settings = settings},
                         Instant{});
    EXPECT_EQ(listening.has_value(), GetParam().valid);
    EXPECT_EQ(connected.has_value(), GetParam().valid);
    if (GetParam().valid) return;
    EXPECT_EQ(listening.error(), ApiError::kInvalidArgument);
    EXPECT_EQ(connected.error(), ApiError::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Cases, SettingsRange, testing::ValuesIn(kCases),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace stoq
