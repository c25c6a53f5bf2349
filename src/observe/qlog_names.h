// The words that the qlog QUIC event schema uses for our enumerations.
#pragma once

#include <string>
#include <string_view>

#include "observe/events.h"
#include "stoq/error.h"

namespace stoq::observe::qlog {

std::string_view name_of(PacketType type);
std::string_view name_of(PacketNumberSpace space);
std::string_view name_of(Initiator initiator);
std::string_view name_of(ConnectionState state);
std::string_view name_of(CloseTrigger trigger);
std::string_view name_of(LossTrigger trigger);
std::string_view name_of(KeyTrigger trigger);
std::string_view name_of(MigrationState state);
std::string_view name_of(EcnState state);
std::string_view name_of(Role role);
std::string_view name_of(CertificateType type);
std::string_view name_of(Directionality directionality);
// "client_1rtt_secret" and its kind.
std::string key_type_of(EncryptionLevel level, Role sender);
// The general category that a reason for dropping belongs to.
std::string_view trigger_of(DropReason reason);
// "flow_control_error", "crypto_error_0x128", or "unknown".
std::string transport_error_name(std::uint64_t code);

}  // namespace stoq::observe::qlog
