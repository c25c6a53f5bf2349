// Whatever the wire layer writes, it reads back as the same values; whatever is cut, it refuses.
#include <algorithm>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/interval_set.h"
#include "support/frame_text.h"
#include "wire/frame_decode.h"
#include "wire/frame_encode.h"
#include "wire/packet_header.h"
#include "wire/packet_number_codec.h"
#include "wire/transport_parameters.h"
#include "wire/varint.h"

namespace stoq::wire {
namespace {

using test::same;
using test::to_hex;
using test::to_text;
using Buffer = std::vector<std::uint8_t>;

// Prints the counterexample and the seed that finds it again.
void expect_always(const auto& property) {
    EXPECT_TRUE(rc::check(property));
}

// --- generators ---

// Every length of varint equally often, with the ends of the lengths among them.
std::uint64_t any_varint() {
    const unsigned bits = *rc::gen::inRange(0u, 63u);
    const std::uint64_t random = *rc::gen::arbitrary<std::uint64_t>();
    const std::uint64_t limit = (std::uint64_t{1} << bits) - 1;
    return *rc::gen::element(limit, random & limit, random & limit);
}

Buffer any_bytes(std::size_t at_least, std::size_t at_most) {
    const auto length = *rc::gen::inRange(at_least, at_most + 1);
    return *rc::gen::container<Buffer>(length, rc::gen::arbitrary<std::uint8_t>());
}

ConnectionId any_connection_id(std::size_t at_least = 0) {
    return *ConnectionId::from(any_bytes(at_least, kMaxConnectionIdLength));
}

StatelessResetToken any_token() {
    return *StatelessResetToken::from(any_bytes(16, 16));
}

Directionality any_directionality() {
    return *rc::gen::element(Directionality::kBidirectional, Directionality::kUnidirectional);
}

std::uint64_t any_stream_count() {
    return std::min(any_varint(), kMaxStreamCount);
}

// Disjoint, apart, ascending.
IntervalSet any_packet_numbers() {
    IntervalSet set;
    std::uint64_t at = *rc::gen::inRange<std::uint64_t>(0, 1'000'000);
    const int count = *rc::gen::inRange(1, 40);
    for (int i = 0; i < count; ++i) {
        const std::uint64_t length = *rc::gen::inRange<std::uint64_t>(1, 20'000);
        set.insert(at, at + length);
        at += length + *rc::gen::inRange<std::uint64_t>(1, 20'000);
    }
    return set;
}

std::optional<EcnCounts> any_ecn() {
    if (*rc::gen::arbitrary<bool>()) return std::nullopt;
    return EcnCounts{any_varint(), any_varint(), any_varint()};
}

// An ACK frame and the bytes that its ranges borrow.
Frame any_ack(Buffer& storage) {
    const IntervalSet set = any_packet_numbers();
    const auto ecn = any_ecn();
    storage.resize(2000);
    ByteWriter writer(storage);
    RC_ASSERT(encode_ack(writer, set.intervals(), any_varint(), ecn ? &*ecn : nullptr) ==
              set.count());
    ByteReader reader(writer.written_bytes());
    const auto frame = decode_frame(reader, PacketType::kOneRtt);
    RC_ASSERT(frame.has_value());
    return *frame;
}

NewConnectionIdFrame any_new_connection_id() {
    const std::uint64_t sequence_number = any_varint();
    return {sequence_number, std::min(any_varint(), sequence_number), any_connection_id(1),
            any_token()};
}

ConnectionCloseFrame any_close(const Buffer& storage) {
    const bool application = *rc::gen::arbitrary<bool>();
    return {application, any_varint(), application ? 0 : any_varint(), storage};
}

// A frame of the given alternative of Frame. `storage` keeps the bytes that it shows.
Frame any_frame(std::size_t alternative, Buffer& storage) {
    storage = any_bytes(0, 300);
    const auto id = [] { return StreamId(any_varint()); };
    const auto offset = [&storage] { return std::min(any_varint(), kMaxVarint - storage.size()); };
    switch (alternative) {
        case 0: return PaddingFrame{*rc::gen::inRange<std::size_t>(1, 100)};
        case 1: return PingFrame{};
        case 2: return any_ack(storage);
        case 3: return ResetStreamFrame{id(), any_varint(), any_varint()};
        case 4: return StopSendingFrame{id(), any_varint()};
        case 5: return CryptoFrame{offset(), storage};
        case 6: storage.push_back(1); return NewTokenFrame{storage};
        case 7: return StreamFrame{id(), offset(), storage, *rc::gen::arbitrary<bool>()};
        case 8: return MaxDataFrame{any_varint()};
        case 9: return MaxStreamDataFrame{id(), any_varint()};
        case 10: return MaxStreamsFrame{any_directionality(), any_stream_count()};
        case 11: return DataBlockedFrame{any_varint()};
        case 12: return StreamDataBlockedFrame{id(), any_varint()};
        case 13: return StreamsBlockedFrame{any_directionality(), any_stream_count()};
        case 14: return any_new_connection_id();
        case 15: return RetireConnectionIdFrame{any_varint()};
        case 16: return PathChallengeFrame{*rc::gen::arbitrary<std::uint64_t>()};
        case 17: return PathResponseFrame{*rc::gen::arbitrary<std::uint64_t>()};
        case 18: return any_close(storage);
        case 19: return HandshakeDoneFrame{};
        case 20: return DatagramFrame{.data = storage};
        case 21: return AckFrequencyFrame{any_varint(), any_varint(), any_varint(), any_varint()};
        case 22: return ImmediateAckFrame{};
        default: {
            const std::uint64_t final_size = any_varint();
            return ResetStreamAtFrame{id(), any_varint(), final_size,
                                      any_varint() % (final_size + 1)};
        }
    }
}

Frame any_frame(Buffer& storage) {
    return any_frame(*rc::gen::inRange<std::size_t>(0, std::variant_size_v<Frame>), storage);
}

// --- frames ---

class EveryFrame : public testing::TestWithParam<std::size_t> {};

INSTANTIATE_TEST_SUITE_P(Kinds, EveryFrame,
                         testing::Range<std::size_t>(0, std::variant_size_v<Frame>));

TEST_P(EveryFrame, ComesBackAsItWasWithAnotherBehindIt) {
    expect_always([] {
        Buffer storage;
        const Frame frame = any_frame(GetParam(), storage);
        Buffer bytes(2000);
        ByteWriter writer(bytes);
        RC_ASSERT(encode(writer, frame));
        RC_ASSERT(encode(writer, PingFrame{}));
        ByteReader reader(writer.written_bytes());
        const auto decoded = decode_frame(reader, PacketType::kOneRtt);
        RC_ASSERT(decoded.has_value());
        if (!same(*decoded, frame)) RC_FAIL(to_text(*decoded) + " was " + to_text(frame));
        const auto behind = decode_frame(reader, PacketType::kOneRtt);
        RC_ASSERT(behind && std::holds_alternative<PingFrame>(*behind) && reader.empty());
    });
}

// PADDING is whole at every length.
class EveryFrameButPadding : public testing::TestWithParam<std::size_t> {};

INSTANTIATE_TEST_SUITE_P(Kinds, EveryFrameButPadding,
                         testing::Range<std::size_t>(1, std::variant_size_v<Frame>));

TEST_P(EveryFrameButPadding, CutAnywhereIsRefusedAsTruncated) {
    expect_always([] {
        Buffer storage;
        Buffer bytes(2000);
        ByteWriter writer(bytes);
        RC_ASSERT(encode(writer, any_frame(GetParam(), storage)));
        for (std::size_t length = 0; length < writer.written(); ++length) {
            // A copy of exactly this length, so that a sanitizer sees every read behind it.
            const Buffer cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
            ByteReader reader(cut);
            const auto decoded = decode_frame(reader, PacketType::kOneRtt);
            RC_ASSERT(!decoded.has_value());
            RC_ASSERT(decoded.error().reason == Reason::kTruncated);
        }
    });
}

TEST_P(EveryFrame, FitsExactlyOrIsNotWritten) {
    expect_always([] {
        Buffer storage;
        const Frame frame = any_frame(GetParam(), storage);
        Buffer bytes(2000);
        ByteWriter writer(bytes);
        RC_ASSERT(encode(writer, frame));
        ByteWriter exact(Bytes(bytes).first(writer.written()));
        RC_ASSERT(encode(exact, frame));
        if (std::holds_alternative<ConnectionCloseFrame>(frame)) return;  // its reason is cut
        const auto room = *rc::gen::inRange<std::size_t>(0, writer.written());
        ByteWriter narrow(Bytes(bytes).first(room));
        RC_ASSERT(!encode(narrow, frame));
        RC_ASSERT(narrow.written() == 0u);
    });
}

TEST(Frames, InAnyOrderComeBackInThatOrder) {
    expect_always([] {
        const auto count = *rc::gen::inRange<std::size_t>(1, 10);
        std::vector<Buffer> storages(count);
        std::vector<Frame> frames;
        Buffer bytes(20'000);
        ByteWriter writer(bytes);
        for (Buffer& storage : storages) {
            Frame frame = any_frame(storage);
            // Two paddings in a row are one.
            if (std::holds_alternative<PaddingFrame>(frame)) frame = PingFrame{};
            RC_ASSERT(encode(writer, frame));
            frames.push_back(frame);
        }
        ByteReader reader(writer.written_bytes());
        for (const Frame& frame : frames) {
            const auto decoded = decode_frame(reader, PacketType::kOneRtt);
            RC_ASSERT(decoded && same(*decoded, frame));
        }
        RC_ASSERT(reader.empty());
    });
}

TEST(DecodeFrame, SurvivesAnyBytes) {
    expect_always([] {
        const Buffer bytes = any_bytes(1, 200);
        ByteReader reader(bytes);
        while (!reader.empty()) {
            const std::size_t before = reader.remaining();
            const auto frame = decode_frame(reader, PacketType::kOneRtt);
            if (!frame) {
                RC_ASSERT(frame.error().code == TransportErrorCode::kFrameEncodingError ||
                          frame.error().code == TransportErrorCode::kProtocolViolation);
                return;
            }
            RC_ASSERT(reader.remaining() < before);
        }
    });
}

// --- ACK against a set ---

TEST(EncodeAck, AcknowledgesExactlyTheHighestNumbersOfTheSet) {
    expect_always([] {
        const IntervalSet set = any_packet_numbers();
        Buffer bytes(*rc::gen::inRange<std::size_t>(0, 200));
        ByteWriter writer(bytes);
        const std::size_t count = encode_ack(writer, set.intervals(), 0, nullptr);
        if (count == 0) {
            RC_ASSERT(writer.written() == 0u && bytes.size() < 20);
            return;
        }
        ByteReader reader(writer.written_bytes());
        const auto frame = decode_frame(reader, PacketType::kInitial);
        RC_ASSERT(frame.has_value());
        IntervalSet decoded;
        for (const AckRange& range : std::get<AckFrame>(*frame).ranges) {
            decoded.insert(range.smallest.value(), range.largest.value() + 1);
        }
        const auto highest = set.intervals().last(count);
        RC_ASSERT(std::ranges::equal(decoded.intervals(), highest));
    });
}

// --- STREAM from a buffer ---

TEST(EncodeStreamHeader, NeverPromisesMoreThanTheRoomAndNeverWastesIt) {
    expect_always([] {
        const StreamFrameRequest request{StreamId(any_varint()), any_varint() / 2,
                                         *rc::gen::inRange<std::uint64_t>(0, 2000),
                                         *rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<bool>()};
        Buffer bytes(*rc::gen::inRange<std::size_t>(0, 1500));
        ByteWriter writer(bytes);
        const auto layout = encode_stream_header(writer, request);
        if (!layout) {
            RC_ASSERT(writer.written() == 0u);
            RC_ASSERT(bytes.size() < 20 || (request.available == 0 && !request.fin));
            return;
        }
        RC_ASSERT(writer.write_zeros(layout->data_length));
        RC_ASSERT(layout->data_length == request.available || writer.remaining() <= 1);
        ByteReader reader(writer.written_bytes());
        const auto frame = decode_frame(reader, PacketType::kOneRtt);
        RC_ASSERT(frame && reader.empty());
        const auto& stream = std::get<StreamFrame>(*frame);
        RC_ASSERT(stream.id == request.id && stream.offset == request.offset);
        RC_ASSERT(stream.data.size() == layout->data_length && stream.fin == layout->fin);
        RC_ASSERT(stream.fin == (request.fin && stream.data.size() == request.available));
    });
}

// --- numbers ---

TEST(Varint, ComesBackFromEveryLengthThatHoldsIt) {
    expect_always([] {
        const std::uint64_t value = any_varint();
        for (const std::size_t length : {1u, 2u, 4u, 8u}) {
            Buffer bytes(length);
            ByteWriter writer(bytes);
            RC_ASSERT(encode_varint(writer, value, length) == (varint_length(value) <= length));
            if (writer.written() == 0) continue;
            ByteReader reader(bytes);
            RC_ASSERT(decode_varint(reader) == value && reader.empty());
        }
    });
}

TEST(PacketNumber, TruncatedForThePeerIsRecoveredByIt) {
    expect_always([] {
        const std::uint64_t full = any_varint();
        const std::uint64_t unacknowledged =
            std::min(full, any_varint() & ((std::uint64_t{1} << 31) - 1));
        const std::uint64_t acknowledged = full - unacknowledged;
        RC_PRE(unacknowledged > 0);
        const std::size_t length =
            packet_number_length(PacketNumber(full), PacketNumber(acknowledged));
        std::uint8_t bytes[4];
        store_packet_number(bytes, PacketNumber(full), length);
        // The peer has received something between what it acknowledged and this packet.
        const std::uint64_t received = acknowledged + any_varint() % unacknowledged;
        RC_ASSERT(expand_packet_number(load_packet_number(bytes, length), length, received + 1) ==
                  PacketNumber(full));
    });
}

TEST(PacketNumber, ExpandsToANumberWithTheSameLowBytes) {
    expect_always([] {
        const std::uint64_t expected = any_varint();
        const auto length = *rc::gen::inRange<std::size_t>(1, 5);
        const std::uint64_t mask = (std::uint64_t{1} << (8 * length)) - 1;
        const std::uint64_t truncated = *rc::gen::arbitrary<std::uint64_t>() & mask;
        const std::uint64_t full = expand_packet_number(truncated, length, expected).value();
        RC_ASSERT((full & mask) == truncated);
        RC_ASSERT(full <= kMaxVarint);
    });
}

// --- headers and transport parameters ---

TEST(LongHeader, ComesBackAsItWas) {
    expect_always([] {
        const Buffer token = any_bytes(0, 100);
        const LongHeader header{
            *rc::gen::element(PacketType::kInitial, PacketType::kZeroRtt, PacketType::kHandshake),
            kVersion1,
            any_connection_id(),
            any_connection_id(),
            token,
            true};
        const auto number_length = *rc::gen::inRange<std::size_t>(1, 5);
        const auto payload = *rc::gen::inRange<std::size_t>(0, 1000);
        Buffer bytes(2000);
        ByteWriter writer(bytes);
        const auto layout = encode_long_header(writer, header, PacketNumber(7), number_length);
        RC_ASSERT(layout && writer.write_zeros(payload));
        patch_length(bytes, *layout, number_length + payload);
        const auto decoded = decode_packet(bytes, 8);
        RC_ASSERT(decoded.has_value());
        const auto& packet = std::get<ProtectedPacket>(*decoded);
        RC_ASSERT(packet.type == header.type && packet.version == header.version);
        RC_ASSERT(packet.destination == header.destination && packet.source == header.source);
        RC_ASSERT(packet.packet_number_offset == layout->packet_number_offset);
        RC_ASSERT(packet.bytes.size() == writer.written());
        const bool initial = header.type == PacketType::kInitial;
        RC_ASSERT(to_hex(packet.token) == (initial ? to_hex(token) : std::string()));
    });
}

TransportParameters any_parameters() {
    TransportParameters p;
    if (*rc::gen::arbitrary<bool>()) {
        p.version_information.emplace();
        p.version_information->chosen = *rc::gen::inRange<std::uint32_t>(1, UINT32_MAX);
        const auto count = *rc::gen::inRange<std::size_t>(0, VersionInformation::kMaxAvailable);
        p.version_information->add_available(p.version_information->chosen);
        for (std::size_t i = 0; i < count; ++i) {
            const auto version = *rc::gen::inRange<std::uint32_t>(1, UINT32_MAX);
            RC_ASSERT(p.version_information->add_available(version) ==
                      (i + 1 < VersionInformation::kMaxAvailable));
        }
    }
    const auto maybe = [](auto make) {
        return *rc::gen::arbitrary<bool>() ? std::optional(make()) : std::nullopt;
    };
    p.original_destination_connection_id = maybe([] { return any_connection_id(); });
    p.initial_source_connection_id = maybe([] { return any_connection_id(1); });
    p.retry_source_connection_id = maybe([] { return any_connection_id(); });
    p.stateless_reset_token = maybe(any_token);
    p.preferred_address = maybe([] {
        PreferredAddress preferred;
        preferred.ipv4 = parse_address("192.0.2.7:4433");
        preferred.ipv6 = parse_address("[2001:db8::7]:443");
        preferred.connection_id = any_connection_id(1);
        preferred.stateless_reset_token = any_token();
        return preferred;
    });
    p.max_idle_timeout_ms = any_varint();
    p.max_udp_payload_size = std::max<std::uint64_t>(any_varint(), 1200);
    p.initial_max_data = any_varint();
    p.initial_max_stream_data_bidi_local = any_varint();
    p.initial_max_stream_data_bidi_remote = any_varint();
    p.initial_max_stream_data_uni = any_varint();
    p.initial_max_streams_bidi = any_stream_count();
    p.initial_max_streams_uni = any_stream_count();
    p.ack_delay_exponent = any_varint() % 21;
    p.max_ack_delay_ms = any_varint() % (1 << 14);
    if (*rc::gen::arbitrary<bool>()) {
        p.min_ack_delay_us = any_varint() % (p.max_ack_delay_ms * 1000 + 1);
    }
    p.active_connection_id_limit = std::max<std::uint64_t>(any_varint(), 2);
    p.max_datagram_frame_size = any_varint();
    p.disable_active_migration = *rc::gen::arbitrary<bool>();
    p.grease_quic_bit = *rc::gen::arbitrary<bool>();
    p.reset_stream_at = *rc::gen::arbitrary<bool>();
    return p;
}

TEST(TransportParameters, ComeBackAsTheyWere) {
    expect_always([] {
        const TransportParameters parameters = any_parameters();
        Buffer bytes(600);
        ByteWriter writer(bytes);
        const Buffer value = any_bytes(0, 20);
        const ReservedParameter reserved{
            reserved_parameter_id(*rc::gen::arbitrary<std::uint32_t>()), value};
        RC_ASSERT(encode_transport_parameters(writer, parameters, Role::kServer, &reserved));
        const auto decoded = decode_transport_parameters(writer.written_bytes(), Role::kServer);
        RC_ASSERT(decoded && *decoded == parameters);
    });
}

}  // namespace
}  // namespace stoq::wire
