// What a connection is made from.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "observe/event_sink.h"
#include "path/local_connection_ids.h"
#include "path/path_state.h"
#include "protection/keyring.h"
#include "stoq/path_memory.h"
#include "stoq/settings.h"
#include "streams/stream_set.h"
#include "tls/context.h"
#include "tls/strike_register.h"
#include "wire/connection_id.h"
#include "wire/version.h"

namespace stoq::connection {

// What the connections of an endpoint share. Outlives them all.
struct SharedResources {
    streams::StreamResources& streams;
    path::ConnectionIdSource ids;
    // Server: without it no 0-RTT data is accepted.
    tls::StrikeRegister* strikes = nullptr;
};

struct ConnectionConfig {
    Role role = Role::kClient;
    Settings settings;
    path::AddressPair addresses;

    // Of the first Initial: the client's choice.
    std::uint32_t version = wire::kVersion1;
    // Client: the version that was tried before, when this one comes from a Version Negotiation
    // packet; 0 otherwise.
    std::uint32_t abandoned_version = 0;

    // Our Source Connection ID of the handshake.
    wire::ConnectionId source_id;
    // Where the first packets go: a client's random choice; on a server the client's source ID.
    wire::ConnectionId remote_id;
    // The Destination Connection ID of the client's very first Initial (RFC 9000 section 7.3).
    wire::ConnectionId original_destination_id;
    // Server: the Destination Connection ID of the Initial that made this connection. It differs
    // from the original one after a Retry. Client: equal to `remote_id`.
    wire::ConnectionId initial_destination_id;
    // Server: made from it already, for that version; the connection takes them.
    protection::InitialKeys* initial_keys = nullptr;
    // Server: the source ID of the Retry that was sent before.
    std::optional<wire::ConnectionId> retry_source_id;
    // Server: a token has proved the client's address.
    bool address_validated = false;
    // Client: goes into every Initial.
    std::string token;
    // What an earlier connection knew of the path.
    std::optional<PathMemory> path_memory;

    std::shared_ptr<const tls::Context> tls;
    std::string server_name;           // client
    std::vector<std::uint8_t> ticket;  // client: to resume with, or empty
    observe::EventSink* sink = nullptr;
};

}  // namespace stoq::connection
