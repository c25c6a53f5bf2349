#include "wire/transport_parameters.h"

#include <gtest/gtest.h>

#include "support/hex.h"
#include "wire/frame.h"
#include "wire/varint.h"

namespace stoq::wire {
namespace {

using test::from_hex;
using test::to_hex;

// Every parameter, none at its default.
TransportParameters server_parameters() {
    TransportParameters p;
    p.original_destination_connection_id = ConnectionId::from(from_hex("0102030405060708"));
    p.initial_source_connection_id = ConnectionId::from(from_hex("a1a2a3a4"));
    p.retry_source_connection_id = ConnectionId::from(from_hex("b1b2"));
    p.stateless_reset_token = StatelessResetToken{{1, 2, 3}};
    PreferredAddress preferred;
    preferred.ipv4.family = Address::Family::kIpv4;
    preferred.ipv4.ip = {192, 0, 2, 1};
    preferred.ipv4.port = 4433;
    preferred.connection_id = *ConnectionId::from(from_hex("c1c2c3"));
    preferred.stateless_reset_token = StatelessResetToken{{7, 8, 9}};
    p.preferred_address = preferred;
    p.max_idle_timeout_ms = 30'000;
    p.max_udp_payload_size = 1472;
    p.initial_max_data = 1 << 20;
    p.initial_max_stream_data_bidi_local = 1;
    p.initial_max_stream_data_bidi_remote = 2;
    p.initial_max_stream_data_uni = 3;
    p.initial_max_streams_bidi = 100;
    p.initial_max_streams_uni = kMaxStreamCount;
    p.ack_delay_exponent = 20;
    p.max_ack_delay_ms = 16'383;
    p.active_connection_id_limit = 8;
    p.max_datagram_frame_size = 65'535;
    p.disable_active_migration = true;
    p.grease_quic_bit = true;
    return p;
}

std::vector<std::uint8_t> encoded(const TransportParameters& parameters, Role sender,
                                  const ReservedParameter* reserved = nullptr) {
    std::vector<std::uint8_t> buffer(512);
    ByteWriter writer(buffer);
    EXPECT_TRUE(encode_transport_parameters(writer, parameters, sender, reserved));
    buffer.resize(writer.written());
    return buffer;
}

// The decoder refuses duplicates, and here it reads every parameter there is.
//= test 9000-7.4-2
//= test 9000-7.4-2
TEST(TransportParameters, OfAServerComeBackAsTheyWere) {
    const TransportParameters parameters = server_parameters();
    const auto decoded =
        decode_transport_parameters(encoded(parameters, Role::kServer), Role::kServer);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, parameters);
}

//= test 9000-18.2-1
//= test 9000-18.2-10
TEST(TransportParameters, OfAClientGoWithoutWhatOnlyServersSend) {
    TransportParameters parameters = server_parameters();
    const auto decoded =
        decode_transport_parameters(encoded(parameters, Role::kClient), Role::kClient);
    ASSERT_TRUE(decoded);
    parameters.original_destination_connection_id.reset();
    parameters.retry_source_connection_id.reset();
    parameters.stateless_reset_token.reset();
    parameters.preferred_address.reset();
    EXPECT_EQ(*decoded, parameters);
}

TEST(TransportParameters, AbsentHaveTheirDefaults) {
    const auto decoded = decode_transport_parameters({}, Role::kServer);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, TransportParameters());
    EXPECT_EQ(decoded->max_udp_payload_size, 65'527u);
    EXPECT_EQ(decoded->ack_delay_exponent, 3u);
    EXPECT_EQ(decoded->max_ack_delay_ms, 25u);
    EXPECT_EQ(decoded->active_connection_id_limit, 2u);
    EXPECT_TRUE(encoded(TransportParameters(), Role::kServer).empty());
}

//= test 9000-7.4.2-1
TEST(TransportParameters, UnknownAndReservedAreIgnored) {
    const auto value = from_hex("deadbeef");
    const ReservedParameter reserved{reserved_parameter_id(0xffffffff), value};
    EXPECT_EQ((reserved.id - 27) % 31, 0u);
    const auto bytes = encoded(server_parameters(), Role::kServer, &reserved);
    EXPECT_NE(to_hex(bytes).find("04deadbeef"), std::string::npos);
    const auto decoded = decode_transport_parameters(bytes, Role::kServer);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, server_parameters());
}

TEST(TransportParameters, ManyUnknownAreIgnoredToo) {
    std::vector<std::uint8_t> bytes(3 * 10'000);
    ByteWriter writer(bytes);
    for (std::uint64_t id = 0x100; writer.remaining() >= 5; ++id) {
        ASSERT_TRUE(encode_varint(writer, id) && encode_varint(writer, 0));
    }
    const auto decoded = decode_transport_parameters(writer.written_bytes(), Role::kClient);
    EXPECT_TRUE(decoded);
}

struct Bad {
    const char* hex;
    Reason reason;
    Role sender = Role::kServer;
};

//= test 9000-7.4-1
//= test 9000-7.4-3
//= test 9000-4.6-1
//= test 9000-18.2-6
//= test 9000-18.2-7
//= test 9000-18.2-8
//= test 9000-18.2-9
//= test 9000-18.2-11
//= test 9287-3-1
//= test 9368-4-3
//= test 9368-4-4
//= test 9368-4-5
//= test 9368-4-6
const Bad kBad[] = {
    {"01", Reason::kTruncated},
    {"0104", Reason::kTruncated},
    {"010480", Reason::kTruncated},
    {"01ffffffffffffffff00", Reason::kTruncated},
    {"40", Reason::kTruncated},
    {"0100", Reason::kBadLength},              // no integer at all
    {"010140", Reason::kBadLength},            // half an integer
    {"01020505", Reason::kBadLength},          // bytes behind the integer
    {"030244af", Reason::kBadParameterValue},  // max_udp_payload_size 1199
    {"0808d000000000000001", Reason::kBadParameterValue},
    {"0908d000000000000001", Reason::kBadParameterValue},
    {"0a0115", Reason::kBadParameterValue},        // ack_delay_exponent 21
    {"0b0480004000", Reason::kBadParameterValue},  // max_ack_delay 2^14
    {"0e0101", Reason::kBadParameterValue},        // active_connection_id_limit 1
    {"0e0100", Reason::kBadParameterValue},
    {"0c0100", Reason::kBadLength},    // a flag with a value
    {"6ab20100", Reason::kBadLength},  // grease_quic_bit with a value
    {"020f000102030405060708090a0b0c0d0e", Reason::kBadLength},
    {"0211000102030405060708090a0b0c0d0e0f10", Reason::kBadLength},
    {"0f15000102030405060708090a0b0c0d0e0f1011121314", Reason::kBadConnectionIdLength},
    {"010105010105", Reason::kDuplicateParameter},
    {"0c000c00", Reason::kDuplicateParameter},
    {"6ab2006ab200", Reason::kDuplicateParameter},
    {"7fff007fff00", Reason::kDuplicateParameter},  // unknown, twice
    {"000401020304", Reason::kForbiddenParameter, Role::kClient},
    {"0210000102030405060708090a0b0c0d0e0f", Reason::kForbiddenParameter, Role::kClient},
    {"0d00", Reason::kForbiddenParameter, Role::kClient},
    {"100401020304", Reason::kForbiddenParameter, Role::kClient},
    {"0d00", Reason::kBadLength},
    {"1100", Reason::kBadLength},  // version_information
    {"1103000000", Reason::kBadLength},
    {"11050000000100", Reason::kBadLength},
    {"110400000000", Reason::kBadParameterValue},
    {"11080000000100000000", Reason::kBadParameterValue},
    {"11080000000100000002", Reason::kBadParameterValue, Role::kClient},
    {"110400000001", Reason::kBadParameterValue, Role::kClient},
};

TEST(TransportParameters, RefusesWhatTheStandardForbids) {
    for (const Bad& bad : kBad) {
        const auto decoded = decode_transport_parameters(from_hex(bad.hex), bad.sender);
        ASSERT_FALSE(decoded) << bad.hex;
        EXPECT_EQ(decoded.error().code, TransportErrorCode::kTransportParameterError) << bad.hex;
        EXPECT_EQ(decoded.error().reason, bad.reason) << bad.hex;
        EXPECT_EQ(decoded.error().frame_type, 0u);
    }
}

TEST(TransportParameters, AcceptsTheLimitsThemselves) {
    for (const char* hex : {"030244b0", "0808d000000000000000", "0a0114", "0b027fff", "0e0102"}) {
        EXPECT_TRUE(decode_transport_parameters(from_hex(hex), Role::kClient)) << hex;
    }
}

// A preferred_address of the given connection ID length and bytes behind it.
std::vector<std::uint8_t> preferred_address(std::string_view id_length_and_rest) {
    const auto value = from_hex("c0000201 1151 00000000000000000000000000000000 0000 " +
                                std::string(id_length_and_rest));
    std::vector<std::uint8_t> bytes = {0x0d, static_cast<std::uint8_t>(value.size())};
    bytes.insert(bytes.end(), value.begin(), value.end());
    return bytes;
}

constexpr const char* kToken = "000102030405060708090a0b0c0d0e0f";

//= test 9000-18.2-4
TEST(PreferredAddress, LeavesOutTheFamilyThatIsAllZero) {
    const auto decoded = decode_transport_parameters(
        preferred_address(std::string("02 c1c2") + kToken), Role::kServer);
    ASSERT_TRUE(decoded);
    const PreferredAddress& preferred = *decoded->preferred_address;
    EXPECT_EQ(preferred.ipv4.family, Address::Family::kIpv4);
    EXPECT_EQ(preferred.ipv4.port, 4433);
    EXPECT_EQ(preferred.ipv6.family, Address::Family::kNone);
    EXPECT_EQ(to_hex(preferred.connection_id.view()), "c1c2");
    EXPECT_EQ(to_hex(preferred.stateless_reset_token.bytes), kToken);
}

//= test 9000-18.2-6
//= test 9000-18.2-7
TEST(PreferredAddress, MustFitItsConnectionIdExactly) {
    const std::string token(kToken);
    const std::pair<std::string, Reason> kCases[] = {
        {"00" + token, Reason::kBadConnectionIdLength},
        {"15" + std::string(42, 'a') + token, Reason::kBadConnectionIdLength},
        {"02c1c2" + token.substr(2), Reason::kBadLength},
        {"02c1c2" + token + "00", Reason::kBadLength},
        {"02c1", Reason::kBadLength},
        {"", Reason::kBadLength},
    };
    for (const auto& [rest, reason] : kCases) {
        const auto decoded = decode_transport_parameters(preferred_address(rest), Role::kServer);
        ASSERT_FALSE(decoded) << rest;
        EXPECT_EQ(decoded.error().reason, reason) << rest;
    }
}

//= test 9000-18.2-5
TEST(PreferredAddress, OfAServerWithoutConnectionIdsIsAnError) {
    auto bytes = preferred_address(std::string("02 c1c2") + kToken);
    bytes.insert(bytes.end(), {0x0f, 0x00});
    const auto decoded = decode_transport_parameters(bytes, Role::kServer);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().reason, Reason::kForbiddenParameter);
}

TEST(TransportParameters, WritesAllOrNothing) {
    const auto value = from_hex("deadbeef");
    const ReservedParameter reserved{reserved_parameter_id(5), value};
    const std::size_t length = encoded(server_parameters(), Role::kServer, &reserved).size();
    std::vector<std::uint8_t> buffer(length);
    for (std::size_t room = 0; room < length; ++room) {
        ByteWriter writer(Bytes(buffer).first(room));
        EXPECT_FALSE(
            encode_transport_parameters(writer, server_parameters(), Role::kServer, &reserved));
        EXPECT_EQ(writer.written(), 0u);
    }
}

TEST(MillisecondsParameter, StopsWhereADurationWouldOverflow) {
    EXPECT_EQ(milliseconds_parameter(25), std::chrono::milliseconds(25));
    EXPECT_GT(milliseconds_parameter(kMaxVarint), Duration::zero());
}

}  // namespace
}  // namespace stoq::wire
