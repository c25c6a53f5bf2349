// Handshakes one after the other, a few at a time, over loopback: a server on one core and its
// clients on another.
#pragma once

#include <cstdint>
#include <string>

#include "handshake_primitives.h"
#include "stoq/identity.h"
#include "stoq/runtime.h"

namespace stoq::tool {

struct HandshakeLoad {
    KeyType key_type = KeyType::kFalcon1024;
    std::string group;              // the only one that the client offers
    std::uint64_t concurrent = 16;  // handshakes in progress
    Duration span{};                // measured, after a warm-up of a tenth
    // Each resumes from a ticket of the one before. The client then ends the connection, when the
    // next ticket has come; otherwise the server does, when the handshake is complete.
    bool resumed = false;
    // The identity by OpenSSL's name, for timing its cryptography between the handshakes.
    std::string primitives{};
};

// Of the measured time.
struct HandshakeResult {
    std::uint64_t handshakes = 0;
    double seconds = 0;
    double server_seconds = 0;  // processor time of the server's thread, without the primitives
    double client_seconds = 0;
    std::uint64_t bytes_up = 0;  // UDP payload from the clients
    std::uint64_t bytes_down = 0;
    std::string group;      // as negotiated
    std::string signature;  // of the server
    PrimitiveCosts primitives;

    double share_of_primitives() const { return primitives.of_server() / server_microseconds(); }
    double server_microseconds() const { return per_handshake(1e6 * server_seconds); }
    double client_microseconds() const { return per_handshake(1e6 * client_seconds); }
    // What a core that does nothing else sustains.
    double per_server_core() const {
        return server_seconds > 0 ? static_cast<double>(handshakes) / server_seconds : 0;
    }
    double bytes_up_each() const { return per_handshake(static_cast<double>(bytes_up)); }
    double bytes_down_each() const { return per_handshake(static_cast<double>(bytes_down)); }

private:
    double per_handshake(double total) const {
        return handshakes > 0 ? total / static_cast<double>(handshakes) : 0;
    }
};

// Throws Failure when a handshake fails.
HandshakeResult run_handshakes(const HandshakeLoad& load);

// A download from the same server, at first alone and then beside the load.
struct BulkResult {
    double gbps_alone = 0;
    double gbps_beside = 0;
    double handshakes_per_second = 0;  // beside it
    std::string group;
    std::string signature;

    double share() const { return gbps_beside / gbps_alone; }
};

// The load's clients are turned away or wait when the server has better things to do: none of that
// is a failure. Throws Failure when the download breaks.
BulkResult run_bulk_beside_handshakes(const HandshakeLoad& load);

}  // namespace stoq::tool
