// What serve and perf server have in common: who we are and where we listen.
#pragma once

#include <string>

#include "identity_options.h"
#include "path_options.h"

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
    PathOptions path;
    bool retry = false;
    unsigned workers = 1;
    std::string key_file;
    std::string takeover_path;
};
void add_server_options(CLI::App& command, ServerOptions& options);

}  // namespace stoq::tool
