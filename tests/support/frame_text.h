// Frames compared and printed by the values of their fields. The views in a frame count by the
// bytes they show, so that frames decoded from different buffers can be equal.
#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "support/hex.h"
#include "wire/frame.h"

namespace stoq::test {

inline std::string_view contents(ByteView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

inline Ranges contents(const wire::AckRanges& ranges) {
    Ranges list;
    for (const wire::AckRange& range : ranges) {
        list.emplace_back(range.smallest.value(), range.largest.value());
    }
    return list;
}

// clang-format off
inline auto fields(const wire::PaddingFrame& f) { return std::tuple(f.length); }
inline auto fields(const wire::PingFrame&) { return std::tuple(); }
inline auto fields(const wire::AckFrame& f) {
    const wire::EcnCounts ecn = f.ecn.value_or(wire::EcnCounts{});
    return std::tuple(f.largest.value(), f.ack_delay, f.ranges.count(), contents(f.ranges), f.ecn.has_value(), ecn.ect0, ecn.ect1, ecn.ce);
}
inline auto fields(const wire::ResetStreamFrame& f) { return std::tuple(f.id.value(), f.error_code, f.final_size); }
inline auto fields(const wire::ResetStreamAtFrame& f) { return std::tuple(f.id.value(), f.error_code, f.final_size, f.reliable_size); }
inline auto fields(const wire::StopSendingFrame& f) { return std::tuple(f.id.value(), f.error_code); }
inline auto fields(const wire::CryptoFrame& f) { return std::tuple(f.offset, contents(f.data)); }
inline auto fields(const wire::NewTokenFrame& f) { return std::tuple(contents(f.token)); }
inline auto fields(const wire::StreamFrame& f) { return std::tuple(f.id.value(), f.offset, contents(f.data), f.fin); }
inline auto fields(const wire::MaxDataFrame& f) { return std::tuple(f.maximum); }
inline auto fields(const wire::MaxStreamDataFrame& f) { return std::tuple(f.id.value(), f.maximum); }
inline auto fields(const wire::MaxStreamsFrame& f) { return std::tuple(f.directionality == Directionality::kUnidirectional, f.maximum); }
inline auto fields(const wire::DataBlockedFrame& f) { return std::tuple(f.limit); }
inline auto fields(const wire::StreamDataBlockedFrame& f) { return std::tuple(f.id.value(), f.limit); }
inline auto fields(const wire::StreamsBlockedFrame& f) { return std::tuple(f.directionality == Directionality::kUnidirectional, f.limit); }
inline auto fields(const wire::NewConnectionIdFrame& f) {
    return std::tuple(f.sequence_number, f.retire_prior_to, contents(f.connection_id.view()), contents(f.stateless_reset_token.bytes));
}
inline auto fields(const wire::RetireConnectionIdFrame& f) { return std::tuple(f.sequence_number); }
inline auto fields(const wire::PathChallengeFrame& f) { return std::tuple(f.data); }
inline auto fields(const wire::PathResponseFrame& f) { return std::tuple(f.data); }
inline auto fields(const wire::ConnectionCloseFrame& f) { return std::tuple(f.application, f.error_code, f.frame_type, contents(f.reason)); }
inline auto fields(const wire::HandshakeDoneFrame&) { return std::tuple(); }
inline auto fields(const wire::DatagramFrame& f) { return std::tuple(contents(f.data)); }
inline auto fields(const wire::AckFrequencyFrame& f) {
    return std::tuple(f.sequence_number, f.ack_eliciting_threshold, f.requested_max_ack_delay, f.reordering_threshold);
}
inline auto fields(const wire::ImmediateAckFrame&) { return std::tuple(); }
// clang-format on

inline bool same(const wire::Frame& a, const wire::Frame& b) {
    if (a.index() != b.index()) return false;
    return std::visit(
        [&b](const auto& left) {
            const auto* right = std::get_if<std::remove_cvref_t<decltype(left)>>(&b);
            return right != nullptr && fields(left) == fields(*right);
        },
        a);
}

namespace detail {

inline std::string text_of(std::uint64_t value) {
    return std::to_string(value);
}
inline std::string text_of(bool value) {
    return value ? "yes" : "no";
}
inline std::string text_of(std::string_view bytes) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    return "'" + to_hex(ByteView(data, bytes.size())) + "'";
}
inline std::string text_of(const Ranges& ranges) {
    std::string text;
    for (const auto& [smallest, largest] : ranges) {
        text +=
            (text.empty() ? "" : " ") + std::to_string(smallest) + "-" + std::to_string(largest);
    }
    return "[" + text + "]";
}

constexpr std::string_view kNames[] = {
    "PADDING",
    "PING",
    "ACK",
    "RESET_STREAM",
    "STOP_SENDING",
    "CRYPTO",
    "NEW_TOKEN",
    "STREAM",
    "MAX_DATA",
    "MAX_STREAM_DATA",
    "MAX_STREAMS",
    "DATA_BLOCKED",
    "STREAM_DATA_BLOCKED",
    "STREAMS_BLOCKED",
    "NEW_CONNECTION_ID",
    "RETIRE_CONNECTION_ID",
    "PATH_CHALLENGE",
    "PATH_RESPONSE",
    "CONNECTION_CLOSE",
    "HANDSHAKE_DONE",
    "DATAGRAM",
    "ACK_FREQUENCY",
    "IMMEDIATE_ACK",
    "RESET_STREAM_AT",
};
static_assert(std::size(kNames) == std::variant_size_v<wire::Frame>);

}  // namespace detail

// "STREAM 4 0 '0102' yes": the name and the fields in the order of the struct.
inline std::string to_text(const wire::Frame& frame) {
    std::string text(detail::kNames[frame.index()]);
    const auto append = [&text](const auto& alternative) {
        std::apply([&text](const auto&... field) { ((text += " " + detail::text_of(field)), ...); },
                   fields(alternative));
    };
    std::visit(append, frame);
    return text;
}

}  // namespace stoq::test
