// Everything a connection or an endpoint tells an observer, each as a small struct.
//
// Events are trivially copyable and borrow what they point to: spans, strings and pointers are
// valid only during EventSink::on_event. None of them carries key material or tokens. Names follow
// the qlog QUIC event schema where it has the event.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <variant>

#include "base/drop_reason.h"
#include "base/interval_set.h"
#include "base/packet_number.h"
#include "stoq/types.h"

namespace stoq::wire {
struct TransportParameters;
}

namespace stoq::observe {

enum class PacketType : std::uint8_t {
    kInitial,
    kZeroRtt,
    kHandshake,
    kOneRtt,
    kRetry,
    kVersionNegotiation,
    kStatelessReset,
    kUnknown,
};

constexpr PacketType packet_type_of(EncryptionLevel level) {
    switch (level) {
        case EncryptionLevel::kInitial: return PacketType::kInitial;
        case EncryptionLevel::kZeroRtt: return PacketType::kZeroRtt;
        case EncryptionLevel::kHandshake: return PacketType::kHandshake;
        case EncryptionLevel::kOneRtt: break;
    }
    return PacketType::kOneRtt;
}

// Who did it: this endpoint or its peer.
enum class Initiator : std::uint8_t { kLocal, kRemote };

// --- Connectivity ---

struct ConnectionStarted {
    Address local;
    Address remote;
    ByteView source_connection_id;
    ByteView destination_connection_id;
};

enum class ConnectionState : std::uint8_t {
    kAttempted,
    kHandshakeStarted,
    kHandshakeComplete,
    kHandshakeConfirmed,
    kClosing,
    kDraining,
    kClosed,  // state discarded: the last event of a connection
};

struct ConnectionStateUpdated {
    ConnectionState old_state = ConnectionState::kAttempted;
    ConnectionState new_state = ConnectionState::kAttempted;
};

enum class CloseTrigger : std::uint8_t {
    kApplication,
    kError,
    kIdleTimeout,
    kHandshakeTimeout,
    kStatelessReset,
    kVersionMismatch,
    kAborted,
};

struct ConnectionClosed {
    Initiator initiator = Initiator::kLocal;
    CloseTrigger trigger = CloseTrigger::kApplication;
    bool application_error = false;  // `error_code` is the application's
    std::uint64_t error_code = 0;
    std::uint64_t frame_type = 0;  // blamed frame, 0 for none
    std::string_view reason;       // may be the peer's bytes: any content
};

// --- Versions, parameters, tokens ---

struct VersionInformation {
    std::span<const std::uint32_t> server_versions;
    std::span<const std::uint32_t> client_versions;
    std::uint32_t chosen_version = 0;  // 0: none
};

struct AlpnInformation {
    std::string_view chosen;
};

// What protects the connection, and how the peer was identified. Strings are empty where there is
// nothing to tell, as of signatures in a resumed handshake.
struct SecurityNegotiated {
    std::string_view group;
    std::string_view signature;         // the server's
    std::string_view client_signature;  // if it was asked for one
    std::string_view cipher_suite;
    std::string_view peer_chain;
    CertificateType peer_certificate_type = CertificateType::kNone;
    bool post_quantum_key_exchange = false;
    bool post_quantum_authentication = false;
    bool resumed = false;
};

struct TransportParametersSet {
    Initiator initiator = Initiator::kLocal;
    const wire::TransportParameters* parameters = nullptr;
};

struct RetryReceived {
    ByteView source_connection_id;
    std::size_t token_length = 0;
};

struct TokenReceived {
    std::size_t length = 0;
};

// --- Packets ---

// Emit after the frames are written and before the packet is sealed.
struct PacketSent {
    PacketType type = PacketType::kOneRtt;
    PacketNumber number;
    std::size_t length = 0;  // whole packet, header and tag included
    // The frames in the clear; an observer that wants them decodes them. Empty when unavailable.
    ByteView payload;
    bool is_mtu_probe = false;
    bool is_probe_timeout = false;
    Ecn ecn = Ecn::kNotEct;
};

// Emit after the packet is opened and before its frames are processed.
struct PacketReceived {
    PacketType type = PacketType::kOneRtt;
    PacketNumber number;
    std::size_t length = 0;
    ByteView payload;
    Ecn ecn = Ecn::kNotEct;
};

struct PacketDropped {
    DropReason reason = DropReason::kNone;
    PacketType type = PacketType::kUnknown;
    std::size_t length = 0;
};

struct PacketBuffered {
    PacketType type = PacketType::kUnknown;
    std::size_t length = 0;
};

enum class LossTrigger : std::uint8_t { kReorderingThreshold, kTimeThreshold };

struct PacketLost {
    PacketType type = PacketType::kOneRtt;
    PacketNumber number;
    std::size_t length = 0;
    LossTrigger trigger = LossTrigger::kReorderingThreshold;
    bool is_mtu_probe = false;
};

// --- Recovery ---

struct MetricsUpdated {
    Duration min_rtt{};
    Duration smoothed_rtt{};
    Duration latest_rtt{};
    Duration rtt_variation{};
    std::uint32_t pto_count = 0;
    std::uint64_t congestion_window = 0;
    std::uint64_t bytes_in_flight = 0;
    std::uint64_t slow_start_threshold = 0;  // UINT64_MAX while unknown
    std::uint64_t pacing_rate = 0;           // bits per second, 0: not paced
};

// State names are the controller's own: "slow_start", "recovery", ...
struct CongestionStateUpdated {
    std::string_view old_state;
    std::string_view new_state;
};

// --- Keys; never their bytes ---

enum class KeyTrigger : std::uint8_t { kTls, kLocalUpdate, kRemoteUpdate };

struct KeyInstalled {
    EncryptionLevel level = EncryptionLevel::kInitial;
    Role sender = Role::kClient;  // whose packets it protects
};

// A 1-RTT key update; `key_phase` counts from 0.
struct KeyUpdated {
    Role sender = Role::kClient;
    std::uint64_t key_phase = 0;
    KeyTrigger trigger = KeyTrigger::kLocalUpdate;
};

struct KeyDiscarded {
    EncryptionLevel level = EncryptionLevel::kInitial;
    Role sender = Role::kClient;
    std::uint64_t key_phase = 0;  // 1-RTT only
};

// --- Paths. `path` is the number of the path within its connection; the first is 0. ---

struct PathAssigned {
    std::uint64_t path = 0;
    Address local;
    Address remote;
};

enum class MigrationState : std::uint8_t {
    kProbingStarted,
    kProbingSuccessful,
    kMigrationComplete,
};

struct MigrationStateUpdated {
    std::uint64_t path = 0;
    MigrationState new_state = MigrationState::kProbingStarted;
};

struct MtuUpdated {
    std::uint64_t path = 0;
    std::size_t old_size = 0;
    std::size_t new_size = 0;
    bool done = false;        // the search has ended
    bool black_hole = false;  // the path stopped carrying the old size
};

enum class EcnState : std::uint8_t { kTesting, kUnknown, kFailed, kCapable };

struct EcnStateUpdated {
    std::uint64_t path = 0;
    EcnState old_state = EcnState::kTesting;
    EcnState new_state = EcnState::kTesting;
};

// qlog_events.cpp names the alternatives in this order.
using Event =
    std::variant<ConnectionStarted, ConnectionStateUpdated, ConnectionClosed, VersionInformation,
                 AlpnInformation, SecurityNegotiated, TransportParametersSet, RetryReceived,
                 TokenReceived, PacketSent, PacketReceived, PacketDropped, PacketBuffered,
                 PacketLost, MetricsUpdated, CongestionStateUpdated, KeyInstalled, KeyUpdated,
                 KeyDiscarded, PathAssigned, MigrationStateUpdated, MtuUpdated, EcnStateUpdated>;

inline constexpr std::size_t kEventTypeCount = std::variant_size_v<Event>;
static_assert(std::is_trivially_copyable_v<Event>);

}  // namespace stoq::observe
