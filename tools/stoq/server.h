// What serve and perf server do alike: workers on one port, from the first to the last connection.
#pragma once

#include <functional>
#include <string_view>

#include "server_options.h"
#include "stoq/runtime.h"

namespace stoq::tool {

// Makes what serves the connections of one runtime; it is destroyed before the runtime is.
using MakeHandler = std::function<Runtime::EventHandler(Runtime&)>;

// Listens, prints where and with which fingerprint, and serves until a signal comes, then closes
// all connections in order; or until another process has taken the port (--takeover) and the
// connections that there are have ended. SIGHUP reads the identity anew, for connections that come
// from then on. `settings` are those of the connections. Throws Failure.
void serve(const ServerOptions& options, std::string_view alpn, const Settings& settings,
           const MakeHandler& make_handler);

}  // namespace stoq::tool
