// What each frame does. All bytes here come from an opened packet: an error closes the connection.
#include "base/try.h"
#include "connection/connection.h"
#include "wire/frame_decode.h"
#include "wire/frame_table.h"

namespace stoq::connection {
namespace {

std::unexpected<TransportError> violation(Reason reason, std::uint32_t frame_type = 0) {
    return std::unexpected(
        TransportError{TransportErrorCode::kProtocolViolation, reason, frame_type});
}

Duration decode_ack_delay(std::uint64_t encoded, std::uint64_t exponent) {
    constexpr std::uint64_t kLongest = 1'000'000'000;  // microseconds; anything longer is absurd
    if (encoded > (kLongest >> exponent)) return std::chrono::microseconds(kLongest);
    return std::chrono::microseconds(encoded << exponent);
}

template <typename Frame>
constexpr const wire::FrameRule& kRule = *wire::find_frame_rule(Frame::kType);

}  // namespace

TransportResult<void> Connection::process_frames(ByteView payload, Arrival& arrival) {
    //= 9000-12.4-2
    if (payload.empty()) return violation(Reason::kEmptyPacket);
    if (arrival.level == EncryptionLevel::kOneRtt && close_.is_open()) {
        // What nearly all packets of a bulk transfer are.
        if (const auto stream = wire::decode_filling_stream(payload)) [[likely]] {
            arrival.ack_eliciting = arrival.non_probing = true;
            return streams_.on_stream(*stream, arrival.now);
        }
    }
    ByteReader reader(payload);
    const wire::PacketType type = wire::packet_type_of(arrival.level);
    while (!reader.empty()) {
        // Not STOQ_TRY, which would copy a hundred bytes out of the result.
        const TransportResult<wire::Frame> frame = wire::decode_frame(reader, type);
        if (!frame) [[unlikely]]
            return std::unexpected(frame.error());
        STOQ_TRY(std::visit(
            [&]<typename F>(const F& each) -> TransportResult<void> {
                arrival.ack_eliciting |= kRule<F>.ack_eliciting;
                arrival.non_probing |= !kRule<F>.probing;
                // While closing, nothing but the peer's own CONNECTION_CLOSE matters.
                if constexpr (!std::is_same_v<F, wire::ConnectionCloseFrame>) {
                    if (!close_.is_open()) return {};
                }
                return on_frame(each, arrival);
            },
            *frame));
    }
    return {};
}

TransportResult<void> Connection::on_frame(const wire::PaddingFrame&, Arrival&) {
    return {};
}

TransportResult<void> Connection::on_frame(const wire::PingFrame&, Arrival&) {
    return {};
}

TransportResult<void> Connection::on_frame(const wire::AckFrame& frame, Arrival& arrival) {
    const PacketNumberSpace space = space_of(arrival.level);
    const bool application = space == PacketNumberSpace::kApplication;
    const std::uint64_t exponent =
        application && peer_parameters_ ? peer_parameters_->ack_delay_exponent : 3;
    const recovery::AckOutcome outcome = STOQ_TRY(recovery_.on_ack_received(
        space, frame, decode_ack_delay(frame.ack_delay, exponent), arrival.now));
    if (application && outcome.largest_advanced) {
        STOQ_TRY(keyring_.one_rtt().on_packets_acknowledged(
            {.largest = frame.largest,
             .carrier_key_phase = arrival.key_phase,
             .now = arrival.now,
             .probe_timeout = recovery_.probe_timeout(space)}));
    }
    on_ecn_feedback(frame, outcome, space, arrival.now);
    apply(outcome, space, arrival.now);
    return {};
}

TransportResult<void> Connection::on_frame(const wire::ResetStreamFrame& frame, Arrival& arrival) {
    return streams_.on_reset_stream(frame, arrival.now);
}

TransportResult<void> Connection::on_frame(const wire::ResetStreamAtFrame& frame,
                                           Arrival& arrival) {
    if (!config_.settings.reset_stream_at) {
        // As to anybody who does not know it (RFC 9000 section 12.4).
        return std::unexpected(TransportError{TransportErrorCode::kFrameEncodingError,
                                              Reason::kNotNegotiated,
                                              wire::frame_type::kResetStreamAt});
    }
    return streams_.on_reset_stream_at(frame, arrival.now);
}

TransportResult<void> Connection::on_frame(const wire::StopSendingFrame& frame, Arrival&) {
    return streams_.on_stop_sending(frame);
}

TransportResult<void> Connection::on_frame(const wire::CryptoFrame& frame, Arrival& arrival) {
    // The server sends these in the version that it has chosen (RFC 9369 section 4.1).
    if (config_.role == Role::kClient) status_.versions.settled = true;
    const auto result = handshake_.on_crypto(arrival.level, frame);
    // What TLS has to say before it failed, such as keys for the alert, still counts.
    STOQ_TRY(apply_tls_events(arrival.now));
    return result;
}

TransportResult<void> Connection::on_frame(const wire::NewTokenFrame& frame, Arrival& arrival) {
    //= 9000-19.7-4
    if (config_.role == Role::kServer) return violation(Reason::kUnexpectedForRole, 0x07);
    constexpr std::size_t kLongestToken = 1024;
    if (frame.token.size() > kLongestToken) return {};
    tokens_.received.assign(frame.token.begin(), frame.token.end());
    observer_.emit(arrival.now, observe::TokenReceived{.length = frame.token.size()});
    return {};
}

TransportResult<void> Connection::on_frame(const wire::StreamFrame& frame, Arrival& arrival) {
    return streams_.on_stream(frame, arrival.now);
}

TransportResult<void> Connection::on_frame(const wire::MaxDataFrame& frame, Arrival&) {
    streams_.on_max_data(frame);
    return {};
}

TransportResult<void> Connection::on_frame(const wire::MaxStreamDataFrame& frame, Arrival&) {
    return streams_.on_max_stream_data(frame);
}

TransportResult<void> Connection::on_frame(const wire::MaxStreamsFrame& frame, Arrival&) {
    streams_.on_max_streams(frame);
    return {};
}

TransportResult<void> Connection::on_frame(const wire::DataBlockedFrame& frame, Arrival&) {
    streams_.on_data_blocked(frame);
    return {};
}

TransportResult<void> Connection::on_frame(const wire::StreamDataBlockedFrame& frame, Arrival&) {
    return streams_.on_stream_data_blocked(frame);
}

TransportResult<void> Connection::on_frame(const wire::StreamsBlockedFrame& frame, Arrival&) {
    streams_.on_streams_blocked(frame);
    return {};
}

TransportResult<void> Connection::on_frame(const wire::NewConnectionIdFrame& frame, Arrival&) {
    //= 9000-19.15-3
    if (const auto* id = ids_.remote.id_of(paths_.active_index()); id != nullptr && id->empty()) {
        return violation(Reason::kUnexpectedForRole, 0x18);
    }
    STOQ_TRY(ids_.remote.on_new_connection_id(frame, paths_.active_index()));
    ++status_.reset_tokens_version;
    return {};
}

TransportResult<void> Connection::on_frame(const wire::RetireConnectionIdFrame& frame,
                                           Arrival& arrival) {
    return ids_.local.on_retire_connection_id(frame.sequence_number, arrival.destination);
}

TransportResult<void> Connection::on_frame(const wire::PathChallengeFrame& frame,
                                           Arrival& arrival) {
    //= 9000-8.2.2-1
    if (arrival.path) {
        paths_.on_path_challenge(*arrival.path, frame.data, validation_input(arrival.now));
    }
    return {};
}

TransportResult<void> Connection::on_frame(const wire::PathResponseFrame& frame, Arrival& arrival) {
    const path::PathResponseOutcome outcome =
        paths_.on_path_response(frame.data, validation_input(arrival.now), ids_.remote);
    // Paths that are given up take their connection IDs with them, and the tokens of these.
    //= 9000-10.3.1-3
    if (outcome.event != path::ValidationEvent::kNothing) ++status_.reset_tokens_version;
    if (outcome.migrated) {
        on_migration(*outcome.migrated, arrival.now);
        //= 9000-9.6.1-3
        pending_.ping = true;  // a frame that shows the peer where we are
    }
    if (outcome.active_validated) {
        recovery_.set_amplification_limited(false);
        //= 9000-9.3-4
        if (config_.role == Role::kServer) status_.wants_token = true;
    }
    if (outcome.event == path::ValidationEvent::kValidated) {
        observer_.emit(arrival.now, observe::MigrationStateUpdated{
                                        .path = outcome.path,
                                        .new_state = observe::MigrationState::kProbingSuccessful});
    }
    return {};
}

// What an alert of the peer's says about security, so that the user learns what to change.
Reason Connection::reason_behind(std::uint64_t code) const {
    constexpr std::uint8_t kHandshakeFailure = 40;
    constexpr std::uint8_t kInsufficientSecurity = 71;
    const auto is = [code](std::uint8_t alert) {
        return code == static_cast<std::uint64_t>(crypto_error(alert));
    };
    if (is(kInsufficientSecurity)) return Reason::kPeerRequiresMore;
    const bool required = handshake_.info().post_quantum_required;
    return required && is(kHandshakeFailure) ? Reason::kPostQuantumRequired : Reason::kNone;
}

TransportResult<void> Connection::on_frame(const wire::ConnectionCloseFrame& frame,
                                           Arrival& arrival) {
    CloseInfo info;
    info.kind = frame.application ? CloseKind::kPeerApplication : CloseKind::kPeerTransport;
    info.code = frame.error_code;
    info.frame_type = frame.frame_type;
    info.phrase.assign(frame.reason.begin(), frame.reason.end());
    if (!frame.application && !status_.established) info.reason = reason_behind(frame.error_code);
    drain(std::move(info), arrival.now);
    return {};
}

TransportResult<void> Connection::on_frame(const wire::HandshakeDoneFrame&, Arrival& arrival) {
    //= 9000-19.20-2
    if (config_.role == Role::kServer) return violation(Reason::kUnexpectedForRole, 0x1e);
    if (!status_.confirmed) confirm_handshake(arrival.now);
    return {};
}

TransportResult<void> Connection::on_frame(const wire::DatagramFrame& frame, Arrival&) {
    return held_.datagrams.on_datagram(frame);
}

TransportResult<void> Connection::on_frame(const wire::AckFrequencyFrame& frame, Arrival&) {
    const auto policy = STOQ_TRY(held_.ack_frequency.on_ack_frequency(frame));
    if (policy) {
        tracker(PacketNumberSpace::kApplication)
            .set_policy(policy->max_ack_delay, policy->threshold, policy->reordering_threshold);
    }
    return {};
}

TransportResult<void> Connection::on_frame(const wire::ImmediateAckFrame&, Arrival&) {
    STOQ_TRY(held_.ack_frequency.on_immediate_ack());
    tracker(PacketNumberSpace::kApplication).request_immediate_ack();
    return {};
}

}  // namespace stoq::connection
