// Connection: one QUIC connection, put together from its parts (RFC 9000 section 5).
//
// The parts decide, each in its own field; the connection carries what one part found out to the
// others that need to know. How to read it: receive.cpp is what happens to a datagram,
// frame_dispatch.cpp to a frame, ack_effects.cpp to what was acknowledged or lost, transmit.cpp
// how a datagram comes to be, timers.cpp what time does, handshake_effects.cpp what TLS brings,
// early_data.cpp what is sent before that, close.cpp how it ends. Everything happens inside a call
// of the endpoint, and nothing calls back.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "congestion/controller.h"
#include "congestion/pacer.h"
#include "connection/close_state.h"
#include "connection/config.h"
#include "connection/handshake.h"
#include "connection/packet_builder.h"
#include "connection/stored_packets.h"
#include "extensions/ack_frequency.h"
#include "extensions/datagram_receiver.h"
#include "extensions/datagram_sender.h"
#include "observe/counters.h"
#include "path/path_set.h"
#include "path/remote_connection_ids.h"
#include "protection/keyring.h"
#include "recovery/ack_tracker.h"
#include "recovery/loss_detection.h"
#include "stoq/error.h"
#include "streams/stream_set.h"
#include "wire/transport_parameters.h"

namespace stoq::connection {

class Connection {
public:
    // A client's ClientHello is ready to be transmitted when this returns.
    // @error kCredentials, kInvalidArgument (server name).
    static ApiResult<std::unique_ptr<Connection>> create(const ConnectionConfig& config,
                                                         SharedResources& shared, Instant now);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    // --- Datagrams and time ---

    // All datagrams are addressed to this connection, and by the same connection ID.
    void receive(std::span<ReceivedDatagram> datagrams, Instant now);
    void settle();
    bool transmit(TransmitSlot& slot, Instant now);
    Instant next_timeout() const;
    void on_timeout(Instant now);
    // The network says that the peer cannot be reached.
    void on_unreachable(Instant now);

    // --- For the endpoint ---

    Role role() const { return config_.role; }
    // Nothing is left to do: forget it.
    bool is_closed() const { return close_.phase() == ClosePhase::kClosed; }
    bool is_open() const { return close_.is_open(); }
    // The version in use; until the handshake has settled it, that of the first Initial.
    std::uint32_t version() const { return status_.versions.current; }
    // Client: the server does not speak our version; a connection of this one should take the place
    // of this connection.
    std::optional<std::uint32_t> version_to_try_instead() const { return status_.versions.instead; }
    const ConnectionConfig& config() const { return config_; }
    bool is_established() const { return status_.established; }
    // A server's client has proved its address.
    bool address_validated() const { return paths_.active().amplification.validated(); }
    // Something of what follows may have to be told, until there is nothing more.
    bool has_rare_news() const { return status_.rare_news; }
    void clear_rare_news() { status_.rare_news = false; }
    // True once, after the handshake has completed.
    bool take_established() { return std::exchange(status_.tell_established, false); }
    // Client: true once, when streams may be used before the handshake is complete.
    bool take_early_data_ready() { return std::exchange(status_.early.tell_ready, false); }
    // Client: true once, when the server did not take what was sent early.
    bool take_early_data_rejected() { return std::exchange(status_.early.tell_rejected, false); }
    // The path in use is another one; a migration of ours came to nothing.
    std::optional<path::AddressPair> take_migrated() {
        return std::exchange(status_.migrated, std::nullopt);
    }
    std::optional<path::AddressPair> take_failed_migration() {
        return std::exchange(status_.failed_migration, std::nullopt);
    }
    // Client: see Endpoint::migrate().
    ApiResult<void> migrate(const Address& local, bool at_once, Instant now);
    // A datagram that this connection could not open ended in the peer's reset token.
    void on_stateless_reset(Instant now);
    // Client: several probes have brought no ServerHello, and nothing was begun that another
    // connection could not begin.
    bool is_stalled_before_server_hello(Instant now) const;
    // Client: another connection takes its place.
    void abandon(Instant now) { vanish(CloseKind::kHandshakeTimeout, now); }
    // Changes whenever remote_ids().for_each_reset_token() may give other tokens.
    std::uint32_t reset_tokens_version() const { return status_.reset_tokens_version; }
    std::optional<streams::StreamEvent> poll_stream_event() { return streams_.poll_event(); }
    std::optional<path::ConnectionIdChange> next_connection_id_change() {
        return ids_.local.next_change();
    }
    const path::LocalConnectionIds& local_ids() const { return ids_.local; }
    const path::RemoteConnectionIds& remote_ids() const { return ids_.remote; }
    const wire::ConnectionId& initial_destination_id() const {
        return config_.initial_destination_id;
    }
    const path::AddressPair& addresses() const { return paths_.active().addresses; }
    // Server: an address token to send in a NEW_TOKEN frame.
    void send_new_token(std::string token);
    // Server: true once, when the handshake is confirmed and a token should be made.
    //= 9000-8-1
    bool take_token_request() {
        return address_validated() && std::exchange(status_.wants_token, false);
    }

    // --- For the application ---

    streams::StreamSet& streams() { return streams_; }
    void close(std::uint64_t code, std::string_view reason, Instant now);
    // See Endpoint. Whether the connection is open is for the caller to know.
    ApiResult<void> send_datagram(ByteView payload, const DatagramOptions& options);
    ApiResult<std::size_t> max_datagram_payload() const;
    std::optional<ByteView> poll_datagram() { return held_.datagrams.poll(); }
    bool take_datagram_writable() { return pending_.datagrams.take_writable(); }
    // A datagram was refused, and take_datagram_writable() has not told yet that there is room.
    bool waits_for_datagram_room() const { return pending_.datagrams.refused(); }
    extensions::DatagramSender::Counters datagram_counters() const;
    std::uint64_t datagrams_received() const { return held_.datagrams.received(); }
    bool update_keys(Instant now) { return keyring_.one_rtt().initiate_update(now); }
    const CloseInfo& close_info() const { return close_.info(); }
    const Handshake& handshake() const { return handshake_; }
    const recovery::LossRecovery& recovery() const { return recovery_; }
    const congestion::Controller& controller() const { return *controller_; }
    const observe::ConnectionCounters& counters() const { return counters_; }
    std::uint64_t key_updates() const { return keyring_.one_rtt().send_generation(); }
    std::size_t datagram_size() const { return paths_.active().mtu.datagram_size(); }
    bool is_confirmed() const { return status_.confirmed; }
    EarlyDataState early_data() const { return status_.early.state; }
    // Client: the newest token of a NEW_TOKEN frame; never that of a Retry.
    //= 9000-8.1.3-3
    //= 9000-8.1.3-12
    const std::string& address_token() const { return tokens_.received; }
    // Client: the next ticket for a later connection.
    std::optional<std::vector<std::uint8_t>> take_ticket();
    // Of the path in use, for a later connection; nothing when there is nothing worth it.
    std::optional<PathMemory> path_memory() const;

private:
    // One datagram while it is being processed.
    struct Arrival {
        Instant now;
        path::AddressPair addresses;
        Ecn ecn = Ecn::kNotEct;
        std::uint32_t version = 0;  // of a long header packet
        std::size_t datagram_length = 0;
        EncryptionLevel level = EncryptionLevel::kOneRtt;
        wire::ConnectionId destination;       // of the packet
        std::optional<path::PathIndex> path;  // once one of its packets has been opened
        bool credited = false;                // counted for the amplification limit already
        bool ack_eliciting = false;           // the packet so far
        bool non_probing = false;
        bool key_phase = false;
        bool followed = false;  // an earlier 1-RTT packet has shown that the peer lives
    };
    struct Timers {
        Instant idle = kNever;
        Instant keep_alive = kNever;
        Instant handshake = kNever;
        Instant pace = kNever;  // the pacer holds back data until then
        Instant discard_early_keys = kNever;
        // An ack-eliciting packet was sent since the last one was received.
        bool idle_restarted_by_sending = false;
    };
    struct Versions {
        std::uint32_t current = 0;
        bool settled = false;
        std::optional<std::uint32_t> instead = std::nullopt;  // client: to begin again with
    };
    // Random bits for the fixed bit of packets to come.
    struct FixedBits {
        std::uint64_t bits = 0;
        std::uint8_t left = 0;
    };
    // 0-RTT (RFC 9001 section 4.6).
    struct EarlyData {
        EarlyDataState state = EarlyDataState::kNone;
        // Client: what data that leaves early has to respect, and the protocol that it is for.
        tls::EarlyDataLimits remembered{};
        std::string protocol;
        bool tell_ready = false;
        bool tell_rejected = false;
    };

    struct Status {
        Versions versions;
        FixedBits fixed_bits;
        EarlyData early;
        bool established = false;
        bool confirmed = false;
        bool peer_packet_processed = false;  // client: anything from the server
        bool retried = false;                // client: a Retry was accepted
        bool wants_token = false;
        std::uint64_t remembered_window = 0;  // server: that the newest token tells of
        bool tell_established = false;
        // A rare event waits to be told: one of those that Endpoint looks for only then.
        bool rare_news = false;
        std::optional<path::AddressPair> migrated{};
        std::optional<path::AddressPair> failed_migration{};
        std::uint32_t reset_tokens_version = 0;
        // Which of its paths recovery means: a new number each time that congestion state starts
        // anew.
        std::uint8_t recovery_path = 0;
        // Packets with PATH_RESPONSE since anything was acknowledged.
        std::uint32_t unheard_path_responses = 0;
        std::string_view congestion_state{};  // that observers were told of
    };
    struct ConnectionIds {
        path::LocalConnectionIds local;
        path::RemoteConnectionIds remote;
    };
    // Frames that belong to nobody else.
    struct PendingFrames {
        extensions::DatagramSender datagrams;
        extensions::AckFrequencySender ack_frequency = {};
        std::array<std::uint8_t, kPacketNumberSpaceCount> probes{};  // ack-eliciting packets owed
        bool ping = false;
        bool handshake_done = false;
        bool new_token = false;
    };
    struct Tokens {
        std::string initial;                            // client: goes into Initials
        std::string received;                           // client: from NEW_TOKEN
        std::string to_send;                            // server
        std::deque<std::vector<std::uint8_t>> tickets;  // client: not told yet
    };

    // Received, and not used yet.
    struct Held {
        StoredPackets packets;
        extensions::DatagramReceiver datagrams;
        extensions::AckFrequencyReceiver ack_frequency = {};
    };

    Connection(const ConnectionConfig& config, SharedResources& shared,
               std::unique_ptr<tls::Session> session, Instant now);

    // receive.cpp
    std::size_t receive_run(std::span<ReceivedDatagram> datagrams, Instant now);
    void receive_coalesced(Bytes datagram, Arrival& arrival);
    void receive_protected(const wire::ProtectedPacket& packet, Arrival& arrival);
    void receive_short_run(std::span<ReceivedDatagram> datagrams, Arrival& arrival);
    std::optional<DropReason> reason_to_drop(const wire::ProtectedPacket& packet,
                                             const Arrival& arrival) const;
    void open_and_process(std::span<protection::PacketToOpen> packets, Arrival& arrival);
    void process_packet(const protection::OpenedPacket& packet, Arrival& arrival);
    void follow_peer(const protection::OpenedPacket& packet, Arrival& arrival);
    bool enter_path(Arrival& arrival);
    void on_unopened(const protection::PacketToOpen& packet, const Arrival& arrival);
    void replay_stored(Instant now);
    void drop(DropReason reason, std::size_t length, Instant now);
    void finish_receiving(Instant now);
    Arrival arrival_of(const ReceivedDatagram& datagram, Instant now) const;

    // first_flight.cpp: what only happens before the handshake is under way
    void on_version_negotiation(const wire::VersionNegotiationPacket& packet, Instant now);
    void on_retry(const wire::RetryPacket& packet, Bytes whole, Instant now);
    bool is_of_possible_version(const wire::ProtectedPacket& packet) const;
    void follow_version(std::uint32_t version);
    void on_handshake_packet_opened(const wire::ProtectedPacket& packet, Instant now);

    // early_data.cpp
    void begin_early_data(Instant now);
    TransportResult<void> settle_early_data(const wire::TransportParameters& now_valid,
                                            Instant now);
    void on_early_data_rejected(Instant now);
    TransportResult<void> check_early_protocol() const;
    bool on_early_key(const tls::SecretInstalled& secret);
    void discard_early_keys_soon(Instant now);
    bool may_open_later(EncryptionLevel level) const;
    void adopt_limits(const wire::TransportParameters& parameters);

    // frame_dispatch.cpp
    TransportResult<void> process_frames(ByteView payload, Arrival& arrival);
    TransportResult<void> on_frame(const wire::PaddingFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::PingFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::AckFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::ResetStreamFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::ResetStreamAtFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::StopSendingFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::CryptoFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::NewTokenFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::StreamFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::MaxDataFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::MaxStreamDataFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::MaxStreamsFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::DataBlockedFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::StreamDataBlockedFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::StreamsBlockedFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::NewConnectionIdFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::RetireConnectionIdFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::PathChallengeFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::PathResponseFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::ConnectionCloseFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::HandshakeDoneFrame& frame, Arrival& arrival);
    Reason reason_behind(std::uint64_t code) const;
    TransportResult<void> on_frame(const wire::DatagramFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::AckFrequencyFrame& frame, Arrival& arrival);
    TransportResult<void> on_frame(const wire::ImmediateAckFrame& frame, Arrival& arrival);

    // ack_effects.cpp
    void apply(const recovery::AckOutcome& outcome, PacketNumberSpace space, Instant now);
    void apply(const recovery::LossInfo& lost, PacketNumberSpace space, Instant now);
    void on_frame_acked(const wire::SentFrame& frame, PacketNumberSpace space, Instant now);
    void on_frame_lost(const wire::SentFrame& frame, Instant now);
    void remember_path();
    void on_datagram_size_changed(const path::MtuOutcome& outcome, Instant now);
    void on_ecn_feedback(const wire::AckFrame& frame, const recovery::AckOutcome& outcome,
                         PacketNumberSpace space, Instant now);
    void emit_ecn_state(observe::EcnState before, Instant now) const;
    void update_pacer(Instant now);
    void emit_lost(const recovery::LossInfo& lost, PacketNumberSpace space, Instant now) const;
    void emit_metrics(Instant now);

    // handshake_effects.cpp
    TransportResult<void> apply_tls_events(Instant now);
    void on_secret(const tls::SecretInstalled& secret, Instant now);
    TransportResult<void> on_peer_parameters(ByteView encoded, Instant now);
    TransportResult<void> check_connection_ids(const wire::TransportParameters& parameters) const;
    TransportResult<void> check_version(const wire::TransportParameters& parameters) const;
    void adopt(const wire::TransportParameters& parameters, Instant now);
    TransportResult<void> on_handshake_complete(Instant now);
    void emit_negotiated(Instant now) const;
    void confirm_handshake(Instant now);
    void discard_space(PacketNumberSpace space, Instant now);

    // transmit.cpp
    struct SendBudget {
        std::uint64_t data = 0;   // bytes that window and pacer leave for ack-eliciting packets
        std::uint64_t total = 0;  // bytes that the amplification limit leaves
    };
    // Datagrams of one slot that are sealed together, all of one size but for the last.
    struct Train {
        static constexpr std::size_t kMostPackets = 64;

        Bytes room;                // of the slot
        std::size_t size = 0;      // of each datagram
        std::size_t most = 0;      // datagrams
        std::uint64_t budget = 0;  // bytes of ack-eliciting packets
        Ecn ecn = Ecn::kNotEct;
        std::array<protection::PacketToSeal, kMostPackets> packets;
        std::size_t count = 0;
        std::size_t used = 0;  // bytes of the room

        Bytes next() const { return room.subspan(used, size); }
        bool has_room() const { return count < most && used + size <= room.size(); }
        // The place for what next() holds now, which is `length` bytes long.
        protection::PacketToSeal& add(std::size_t length) {
            used += length;
            return packets[count++];
        }
    };
    // Packets of one datagram, at most one of each level, in the clear.
    struct CoalescedPackets {
        std::array<std::optional<PacketBuilder>, kEncryptionLevelCount> packets;
        std::size_t count = 0;
        std::size_t used = 0;  // bytes of the datagram

        void add(PacketBuilder&& packet) {
            used += packet.length();
            packets[count++] = std::move(packet);
        }
    };
    SendBudget send_budget(Instant now);
    std::uint64_t most_on_path() const;
    bool transmit_path_validation(TransmitSlot& slot, Instant now);
    bool may_send_path_response() const;
    bool transmit_mtu_probe(TransmitSlot& slot, Instant now);
    bool transmit_coalesced(TransmitSlot& slot, Instant now);
    std::size_t write_coalesced(Bytes room, std::size_t before, Ecn ecn, Instant now);
    std::size_t finish_coalesced(CoalescedPackets& packets, std::size_t limit, Ecn ecn,
                                 Instant now);
    bool transmit_train(TransmitSlot& slot, Instant now);
    bool transmit_close(TransmitSlot& slot, Instant now);
    std::optional<PacketBuilder> begin_packet(EncryptionLevel level, Bytes room,
                                              path::PathIndex path);
    bool next_fixed_bit();
    void write_frames(PacketBuilder& packet, bool may_elicit, Instant now);
    void write_early_frames(wire::PayloadWriter& writer, Instant now);
    void write_application_frames(wire::PayloadWriter& writer, Instant now);
    bool has_something_to_send(EncryptionLevel level, bool may_elicit, Instant now) const;
    bool has_application_frames() const;
    bool has_frames_besides_streams() const;
    bool ack_is_due(PacketNumberSpace space, Instant now) const;
    // A packet that looks whether a path works, or how wide it is, is not what is owed otherwise: a
    // PING that shows the peer where we are, a probe of loss recovery.
    enum class Purpose : std::uint8_t { kTraffic, kPathProbe };
    void finish_packet(PacketBuilder& packet, path::PathIndex path, Ecn ecn, Instant now,
                       Purpose purpose = Purpose::kTraffic);
    void address_slot(TransmitSlot& slot, path::PathIndex path, std::size_t length, Ecn ecn);
    void requeue_for_probe(PacketNumberSpace space, Instant now);
    bool write_close(PacketBuilder& packet) const;

    // stream_train.cpp: the short path of a train
    struct AlikePackets {
        streams::StreamRun run;
        std::uint64_t written = 0;  // bytes of the run
        wire::ShortHeader header;
        PacketNumber number;  // of the next one
        std::optional<PacketNumber> largest_acknowledged;
    };
    void extend_train(Train& train, Instant now);
    std::size_t most_alike(const Train& train) const;
    bool write_alike(Train& train, AlikePackets& alike, wire::SentFrame& frame);
    void finish_alike(const Train& train, const AlikePackets& alike,
                      std::span<const wire::SentFrame> frames, Instant now);

    // timers.cpp
    void restart_idle_timer(Instant now);
    Duration effective_idle_timeout() const;
    void on_recovery_timeout(Instant now);
    void on_path_timeout(Instant now);
    void on_migration(const path::Migration& migration, Instant now);
    ApiResult<void> begin_migration(const path::AddressPair& to, bool at_once, Instant now);
    void follow_preferred_address(Instant now);
    path::ValidationInput validation_input(Instant now) const;
    Instant ack_deadline() const;

    // datagrams.cpp
    std::size_t datagram_room() const;
    void write_datagrams(wire::PayloadWriter& writer, std::uint8_t urgency, Instant now);

    // close.cpp
    void fail(TransportError error, Instant now);
    void drain(CloseInfo info, Instant now);
    void vanish(CloseKind kind, Instant now, Reason reason = Reason::kNone);
    Reason reason_of_handshake_timeout() const;
    bool has_early_writing() const;
    void on_closed(Instant now, observe::Initiator initiator);
    void emit_forgotten(Instant now) const;
    Duration close_period() const;

    recovery::AckTracker& tracker(PacketNumberSpace space) { return trackers_[index_of(space)]; }
    const recovery::AckTracker& tracker(PacketNumberSpace space) const {
        return trackers_[index_of(space)];
    }
    wire::FixedBit fixed_bit() const {
        return config_.settings.grease_quic_bit ? wire::FixedBit::kMayBeClear
                                                : wire::FixedBit::kRequired;
    }

    ConnectionConfig config_;
    SharedResources& shared_;
    observe::Observer observer_;
    observe::ConnectionCounters counters_;
    CloseState close_;
    Handshake handshake_;
    protection::Keyring keyring_;
    std::array<recovery::AckTracker, kPacketNumberSpaceCount> trackers_;
    recovery::LossRecovery recovery_;
    std::unique_ptr<congestion::Controller> controller_;
    congestion::Pacer pacer_;
    streams::StreamSet streams_;
    ConnectionIds ids_;
    path::PathSet paths_;
    std::optional<wire::TransportParameters> peer_parameters_;
    Held held_;
    Tokens tokens_;
    Timers timers_;
    Status status_;
    PendingFrames pending_;
};

}  // namespace stoq::connection
