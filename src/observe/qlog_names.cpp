#include "observe/qlog_names.h"

#include <array>

namespace stoq::observe::qlog {
namespace {

template <class Enum, std::size_t n>
std::string_view pick(const std::array<std::string_view, n>& names, Enum value) {
    const auto index = static_cast<std::size_t>(value);
    return index < n ? names[index] : std::string_view("unknown");
}

using Names = std::string_view;

constexpr std::array<Names, 8> kPacketTypes{
    "initial",         "0RTT",   "handshake", "1RTT", "retry", "version_negotiation",
    "stateless_reset", "unknown"};
constexpr std::array<Names, 3> kSpaces{"initial", "handshake", "application_data"};
constexpr std::array<Names, 2> kInitiators{"local", "remote"};
constexpr std::array<Names, 7> kConnectionStates{"attempted",
                                                 "handshake_started",
                                                 "handshake_complete",
                                                 "handshake_confirmed",
                                                 "closing",
                                                 "draining",
                                                 "closed"};
constexpr std::array<Names, 7> kCloseTriggers{"application",  "error",           "idle_timeout",
                                              "idle_timeout", "stateless_reset", "version_mismatch",
                                              "aborted"};
constexpr std::array<Names, 2> kLossTriggers{"reordering_threshold", "time_threshold"};
constexpr std::array<Names, 3> kKeyTriggers{"tls", "local_update", "remote_update"};
constexpr std::array<Names, 3> kMigrationStates{"probing_started", "probing_successful",
                                                "migration_complete"};
constexpr std::array<Names, 4> kEcnStates{"testing", "unknown", "failed", "capable"};
constexpr std::array<Names, 2> kRoles{"client", "server"};
constexpr std::array<Names, 2> kDirectionalities{"bidirectional", "unidirectional"};
constexpr std::array<Names, kEncryptionLevelCount> kSecretLevels{"initial", "0rtt", "handshake",
                                                                 "1rtt"};
constexpr std::array<Names, 17> kTransportErrors{"no_error",
                                                 "internal_error",
                                                 "connection_refused",
                                                 "flow_control_error",
                                                 "stream_limit_error",
                                                 "stream_state_error",
                                                 "final_size_error",
                                                 "frame_encoding_error",
                                                 "transport_parameter_error",
                                                 "connection_id_limit_error",
                                                 "protocol_violation",
                                                 "invalid_token",
                                                 "application_error",
                                                 "crypto_buffer_exceeded",
                                                 "key_update_error",
                                                 "aead_limit_reached",
                                                 "no_viable_path"};

}  // namespace

std::string_view name_of(PacketType type) {
    return pick(kPacketTypes, type);
}
std::string_view name_of(PacketNumberSpace space) {
    return pick(kSpaces, space);
}
std::string_view name_of(Initiator initiator) {
    return pick(kInitiators, initiator);
}
std::string_view name_of(ConnectionState state) {
    return pick(kConnectionStates, state);
}
std::string_view name_of(CloseTrigger trigger) {
    return pick(kCloseTriggers, trigger);
}
std::string_view name_of(LossTrigger trigger) {
    return pick(kLossTriggers, trigger);
}
std::string_view name_of(KeyTrigger trigger) {
    return pick(kKeyTriggers, trigger);
}
std::string_view name_of(MigrationState state) {
    return pick(kMigrationStates, state);
}
std::string_view name_of(EcnState state) {
    return pick(kEcnStates, state);
}
std::string_view name_of(Role role) {
    return pick(kRoles, role);
}
std::string_view name_of(CertificateType type) {
    switch (type) {
        case CertificateType::kNone: return "none";
        case CertificateType::kX509: return "x509";
        case CertificateType::kRawPublicKey: return "raw_public_key";
    }
    return "unknown";
}

std::string_view name_of(Directionality directionality) {
    return pick(kDirectionalities, directionality);
}

std::string key_type_of(EncryptionLevel level, Role sender) {
    std::string name(name_of(sender));
    name += '_';
    name += pick(kSecretLevels, level);
    return name += "_secret";
}

std::string_view trigger_of(DropReason reason) {
    switch (reason) {
        case DropReason::kUnknownVersion: return "unsupported";
        case DropReason::kUnknownConnection:
        case DropReason::kWrongConnectionId: return "connection_unknown";
        case DropReason::kKeysUnavailable: return "key_unavailable";
        case DropReason::kDecryptionFailed: return "decryption_failure";
        case DropReason::kDuplicatePacket: return "duplicate";
        case DropReason::kTooManyHalfOpen:
        case DropReason::kTooManyConnections:
        case DropReason::kPeerNotAllowed: return "rejected";
        case DropReason::kNone: return "general";
        default: return "invalid";
    }
}

std::string transport_error_name(std::uint64_t code) {
    if (code < kTransportErrors.size()) return std::string(kTransportErrors[code]);
    if (code < 0x100 || code > 0x1ff) return "unknown";
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string name = "crypto_error_0x1";
    name += kDigits[(code >> 4) & 0xf];
    return name += kDigits[code & 0xf];
}

}  // namespace stoq::observe::qlog
