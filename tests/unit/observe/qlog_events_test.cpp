#include "observe/qlog_events.h"

#include <set>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "records.h"
#include "wire/frame_encode.h"
#include "wire/transport_parameters.h"

namespace stoq::observe {
namespace {

using namespace std::chrono_literals;
using test::Json;
using test::record_of;

TEST(QlogEvents, EveryEventHasANameAndAnObjectOfData) {
    std::set<std::string> names;
    const auto check = [&]<std::size_t... i>(std::index_sequence<i...>) {
        const auto one = [&](const Event& event) {
            const Json record = record_of(event);
            const auto name = record["name"].get<std::string>();
            EXPECT_TRUE(name.starts_with("quic:") || name.starts_with("stoq:")) << name;
            EXPECT_TRUE(record["data"].is_object()) << name;
            EXPECT_TRUE(record["time"].is_number()) << name;
            names.insert(name);
        };
        (one(Event(std::variant_alternative_t<i, Event>{})), ...);
    };
    check(std::make_index_sequence<kEventTypeCount>());
    EXPECT_EQ(names.size(), kEventTypeCount - 2) << "Retry and key installation share names";
}

struct Case {
    const char* title;
    Event event;
    const char* name;
    const char* data;
};

void PrintTo(const Case& c, std::ostream* out) {
    *out << c.title;
}

class QlogEventCases : public testing::TestWithParam<Case> {};

TEST_P(QlogEventCases, AreWrittenAsTheSchemaSays) {
    const Json record = record_of(GetParam().event);
    EXPECT_EQ(record["name"], GetParam().name);
    EXPECT_EQ(record["data"], Json::parse(GetParam().data)) << GetParam().title;
}

constexpr std::array<std::uint8_t, 2> kShortId{0x01, 0xfe};
constexpr std::array<std::uint32_t, 2> kVersions{1, 0x6b3343cf};
constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

Event started() {
    return ConnectionStarted{.local = {},
                             .remote = parse_address("[2001:db8::1]:443"),
                             .source_connection_id = {},
                             .destination_connection_id = kShortId};
}

// clang-format off
INSTANTIATE_TEST_SUITE_P(All, QlogEventCases, testing::Values(
    Case{"started", started(), "quic:connection_started",
         R"({"local":{},"remote":{"ip_v6":"2001:db8::1","port_v6":443,"connection_ids":["01fe"]}})"},
    Case{"state", ConnectionStateUpdated{ConnectionState::kHandshakeStarted, ConnectionState::kHandshakeConfirmed},
         "quic:connection_state_updated", R"({"old":"handshake_started","new":"handshake_confirmed"})"},
    Case{"closed by us", ConnectionClosed{Initiator::kLocal, CloseTrigger::kError, false, 3, 8, "too much"},
         "quic:connection_closed",
         R"({"initiator":"local","connection_error":"flow_control_error","error_code":3,"frame_type":8,"reason":"too much","trigger":"error"})"},
    Case{"closed by an alert", ConnectionClosed{Initiator::kRemote, CloseTrigger::kError, false, 0x12a, 0, {}},
         "quic:connection_closed",
         R"({"initiator":"remote","connection_error":"crypto_error_0x12a","error_code":298,"trigger":"error"})"},
    Case{"closed by the application", ConnectionClosed{Initiator::kRemote, CloseTrigger::kApplication, true, 7, 0, {}},
         "quic:connection_closed",
         R"({"initiator":"remote","application_error":"unknown","error_code":7,"trigger":"application"})"},
    Case{"versions", VersionInformation{{}, kVersions, 1}, "quic:version_information",
         R"({"client_versions":["00000001","6b3343cf"],"chosen_version":"00000001"})"},
    Case{"alpn", AlpnInformation{"hq-interop"}, "quic:alpn_information",
         R"({"chosen_alpn":{"string_value":"hq-interop"}})"},
    Case{"security", SecurityNegotiated{.group = "X25519MLKEM768", .signature = "mldsa65", .client_signature = {}, .cipher_suite = "TLS_AES_128_GCM_SHA256", .peer_chain = "ML-DSA-65, EC", .peer_certificate_type = CertificateType::kX509, .post_quantum_key_exchange = true},
         "stoq:security_negotiated",
         R"({"key_exchange_group":"X25519MLKEM768","signature":"mldsa65","cipher_suite":"TLS_AES_128_GCM_SHA256","peer_certificate_type":"x509","peer_chain":"ML-DSA-65, EC","post_quantum_key_exchange":true,"post_quantum_authentication":false,"resumed":false})"},
    Case{"retry", RetryReceived{kShortId, 40}, "quic:packet_received",
         R"({"header":{"packet_type":"retry","scid":"01fe","token":{"type":"retry","raw":{"length":40}}}})"},
    Case{"sent", PacketSent{.type = PacketType::kHandshake, .number = PacketNumber(4), .length = 1200, .payload = {}, .is_mtu_probe = true, .is_probe_timeout = true, .ecn = Ecn::kEct0},
         "quic:packet_sent",
         R"({"header":{"packet_type":"handshake","packet_number":4},"raw":{"length":1200},"is_mtu_probe_packet":true,"trigger":"pto_probe"})"},
    Case{"dropped", PacketDropped{DropReason::kDecryptionFailed, PacketType::kOneRtt, 50}, "quic:packet_dropped",
         R"({"header":{"packet_type":"1RTT"},"raw":{"length":50},"details":{"reason":"decryption_failed"},"trigger":"decryption_failure"})"},
    Case{"buffered", PacketBuffered{PacketType::kOneRtt, 50}, "quic:packet_buffered",
         R"({"header":{"packet_type":"1RTT"},"raw":{"length":50},"trigger":"keys_unavailable"})"},
    Case{"lost", PacketLost{PacketType::kOneRtt, PacketNumber(77), 1200, LossTrigger::kTimeThreshold, false}, "quic:packet_lost",
         R"({"header":{"packet_type":"1RTT","packet_number":77},"trigger":"time_threshold"})"},
    Case{"metrics", MetricsUpdated{.min_rtt = 10ms, .smoothed_rtt = 12500us, .latest_rtt = 11ms, .rtt_variation = 1ms, .pto_count = 2, .congestion_window = 12000, .bytes_in_flight = 3000, .slow_start_threshold = kNone, .pacing_rate = 0},
         "quic:recovery_metrics_updated",
         R"({"min_rtt":10,"smoothed_rtt":12.5,"latest_rtt":11,"rtt_variance":1,"pto_count":2,"congestion_window":12000,"bytes_in_flight":3000})"},
    Case{"congestion", CongestionStateUpdated{"slow_start", "recovery"}, "quic:congestion_state_updated",
         R"({"old":"slow_start","new":"recovery"})"},
    Case{"key installed", KeyInstalled{EncryptionLevel::kHandshake, Role::kServer}, "quic:key_updated",
         R"({"key_type":"server_handshake_secret","trigger":"tls"})"},
    Case{"key updated", KeyUpdated{Role::kClient, 3, KeyTrigger::kRemoteUpdate}, "quic:key_updated",
         R"({"key_type":"client_1rtt_secret","key_phase":3,"trigger":"remote_update"})"},
    Case{"key discarded", KeyDiscarded{EncryptionLevel::kInitial, Role::kClient, 0}, "quic:key_discarded",
         R"({"key_type":"client_initial_secret"})"},
    Case{"path", PathAssigned{2, {}, parse_address("192.0.2.5:99")}, "quic:tuple_assigned",
         R"({"tuple_id":"2","tuple_remote":{"ip_v4":"192.0.2.5","port_v4":99},"tuple_local":{}})"},
    Case{"migration", MigrationStateUpdated{0, MigrationState::kProbingSuccessful}, "quic:migration_state_updated",
         R"({"new":"probing_successful","tuple_id":""})"},
    Case{"mtu", MtuUpdated{0, 1200, 1452, true, false}, "quic:mtu_updated", R"({"old":1200,"new":1452,"done":true})"},
    Case{"ecn", EcnStateUpdated{0, EcnState::kUnknown, EcnState::kCapable}, "quic:ecn_state_updated",
         R"({"old":"unknown","new":"capable"})"}));
// clang-format on

TEST(QlogEvents, TheReasonOfAPeerMayBeAnyBytes) {
    ConnectionClosed closed;
    closed.reason = "\xff\"\n\x1e";
    const Json record = record_of(closed);
    EXPECT_EQ(record["data"]["reason"], "\xef\xbf\xbd\"\n\x1e");
}

TEST(QlogEvents, TransportParametersAreListedWithoutSecrets) {
    wire::TransportParameters parameters;
    parameters.initial_source_connection_id = wire::ConnectionId::from(kShortId);
    parameters.stateless_reset_token.emplace().bytes.fill(0xaa);
    parameters.preferred_address.emplace();
    parameters.preferred_address->ipv4 = parse_address("192.0.2.5:99");
    parameters.preferred_address->connection_id = *wire::ConnectionId::from(kShortId);
    parameters.preferred_address->stateless_reset_token.bytes.fill(0xaa);
    parameters.max_idle_timeout_ms = 30'000;
    const Json record = record_of(TransportParametersSet{Initiator::kRemote, &parameters});
    const Json& data = record["data"];
    EXPECT_EQ(data["initiator"], "remote");
    EXPECT_EQ(data["initial_source_connection_id"], "01fe");
    EXPECT_EQ(data["max_idle_timeout"], 30'000);
    EXPECT_EQ(data["preferred_address"]["port_v4"], 99);
    EXPECT_EQ(record.dump().find("aaaa"), std::string::npos);
}

class QlogFrames : public testing::Test {
protected:
    template <class F>
    void add(const F& frame) {
        ASSERT_TRUE(wire::encode(writer_, frame));
    }
    Json frames() {
        PacketSent sent;
        sent.payload = writer_.written_bytes();
        return record_of(sent)["data"]["frames"];
    }

    std::vector<std::uint8_t> bytes_ = std::vector<std::uint8_t>(4096);
    ByteWriter writer_{bytes_};
};

TEST_F(QlogFrames, EachKindIsDescribed) {
    const std::array<std::uint8_t, 5> data{1, 2, 3, 4, 5};
    wire::StatelessResetToken token;
    token.bytes.fill(0xaa);
    const std::string_view reason = "bye";
    add(wire::PingFrame{});
    add(wire::AckFrame{PacketNumber(9), 0, wire::AckRanges(PacketNumber(4), PacketNumber(9)),
                       wire::EcnCounts{7, 0, 1}});
    add(wire::AckFrame{PacketNumber(3), 0, wire::AckRanges(PacketNumber(3), PacketNumber(3)), {}});
    add(wire::ResetStreamFrame{StreamId(4), 5, 6});
    add(wire::ResetStreamAtFrame{StreamId(4), 5, 6, 3});
    add(wire::StopSendingFrame{StreamId(4), 5});
    add(wire::CryptoFrame{10, data});
    add(wire::NewTokenFrame{data});
    add(wire::StreamFrame{StreamId(8), 100, data, true});
    add(wire::MaxDataFrame{1});
    add(wire::MaxStreamDataFrame{StreamId(4), 2});
    add(wire::MaxStreamsFrame{Directionality::kUnidirectional, 3});
    add(wire::DataBlockedFrame{4});
    add(wire::StreamDataBlockedFrame{StreamId(4), 5});
    add(wire::StreamsBlockedFrame{Directionality::kBidirectional, 6});
    add(wire::NewConnectionIdFrame{2, 1, *wire::ConnectionId::from(data), token});
    add(wire::RetireConnectionIdFrame{1});
    add(wire::PathChallengeFrame{0x0102030405060708});
    add(wire::PathResponseFrame{0x0102030405060708});
    add(wire::ConnectionCloseFrame{
        false, 10, 6, {reinterpret_cast<const std::uint8_t*>(reason.data()), reason.size()}});
    add(wire::ConnectionCloseFrame{true, 99, 0, {}});
    add(wire::HandshakeDoneFrame{});
    add(wire::DatagramFrame{.data = data});
    add(wire::AckFrequencyFrame{1, 9, 5000, 3});
    add(wire::ImmediateAckFrame{});
    add(wire::PaddingFrame{20});
    EXPECT_EQ(frames(), Json::parse(R"([
        {"frame_type":"ping"},
        {"frame_type":"ack","acked_ranges":[[4,9]],"ect0":7,"ect1":0,"ce":1},
        {"frame_type":"ack","acked_ranges":[[3]]},
        {"frame_type":"reset_stream","stream_id":4,"error":"unknown","error_code":5,"final_size":6},
        {"frame_type":"reset_stream_at","stream_id":4,"error":"unknown","error_code":5,"final_size":6,"reliable_size":3},
        {"frame_type":"stop_sending","stream_id":4,"error":"unknown","error_code":5},
        {"frame_type":"crypto","offset":10,"raw":{"length":5}},
        {"frame_type":"new_token","token":{"type":"resumption","raw":{"length":5}}},
        {"frame_type":"stream","stream_id":8,"offset":100,"fin":true,"raw":{"length":5}},
        {"frame_type":"max_data","maximum":1},
        {"frame_type":"max_stream_data","stream_id":4,"maximum":2},
        {"frame_type":"max_streams","stream_type":"unidirectional","maximum":3},
        {"frame_type":"data_blocked","limit":4},
        {"frame_type":"stream_data_blocked","stream_id":4,"limit":5},
        {"frame_type":"streams_blocked","stream_type":"bidirectional","limit":6},
        {"frame_type":"new_connection_id","sequence_number":2,"retire_prior_to":1,"connection_id":"0102030405"},
        {"frame_type":"retire_connection_id","sequence_number":1},
        {"frame_type":"path_challenge","data":"0102030405060708"},
        {"frame_type":"path_response","data":"0102030405060708"},
        {"frame_type":"connection_close","error_space":"transport","error":"protocol_violation","error_code":10,"trigger_frame_type":6,"reason":"bye"},
        {"frame_type":"connection_close","error_space":"application","error":"unknown","error_code":99,"reason":""},
        {"frame_type":"handshake_done"},
        {"frame_type":"datagram","raw":{"length":5}},
        {"frame_type":"ack_frequency","sequence_number":1,"ack_eliciting_threshold":9,"requested_max_ack_delay":5000,"reordering_threshold":3},
        {"frame_type":"immediate_ack"},
        {"frame_type":"padding","raw":{"payload_length":20}}
    ])"));
}

TEST_F(QlogFrames, WhatCannotBeDecodedEndsTheList) {
    add(wire::PingFrame{});
    const std::array<std::uint8_t, 2> unknown{0x3f, 0x00};
    ASSERT_TRUE(writer_.write_bytes(unknown));
    EXPECT_EQ(frames(), Json::parse(R"([{"frame_type":"ping"},
        {"frame_type":"unknown","frame_type_bytes":63}])"));
}

TEST_F(QlogFrames, APacketOfNothingButTinyFramesIsCutShort) {
    for (int i = 0; i < 4000; ++i) add(wire::PingFrame{});
    EXPECT_EQ(frames().size(), 256u);
}

}  // namespace
}  // namespace stoq::observe
