// SIGINT and SIGTERM end a command in order: connections are closed, partial files written out.
// SIGHUP asks a server to read its identity anew.
#pragma once

namespace stoq {
class Runtime;
}

namespace stoq::tool {

// From now on the signals stop `runtime`; nullptr: nothing is stopped any more.
void stop_on_signals(Runtime* runtime);
bool interrupted();

// From now on SIGHUP wakes `runtime`, and take_hangup() is true once; nullptr: it is ignored.
void reload_on_hangup(Runtime* runtime);
bool take_hangup();

}  // namespace stoq::tool
