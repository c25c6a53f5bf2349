// What serve and perf server have in common: who we are and where we listen.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "identity_options.h"
#include "stoq/runtime.h"

namespace CLI {
class App;
}

namespace stoq::tool {

struct ServerOptions {
    IdentityOptions identity;
    // Clients have to show an identity that one of these vouches for; both empty: they need none.
    std::string client_pin;
    std::string client_ca_file;
    std::string listen = "[::]:4433";
    std::string qlog_directory;
    std::string congestion = "cubic";
    bool retry = false;
};
void add_server_options(CLI::App& command, ServerOptions& options);

// Listens, and prints where and with which fingerprint. `settings` are those of its connections.
// Throws Failure.
std::unique_ptr<Runtime> start_server(const ServerOptions& options, std::string_view alpn,
                                      const Settings& settings);

// Turns until a signal comes, then closes all connections in order. SIGHUP reads the identity anew,
// for connections that come from then on. `options` and `alpn` are those of start_server().
void run_server(Runtime& runtime, const ServerOptions& options, std::string_view alpn);

}  // namespace stoq::tool
