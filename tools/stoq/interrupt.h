// SIGINT and SIGTERM end a command in order: connections are closed, partial files written out.
#pragma once

namespace stoq {
class Runtime;
}

namespace stoq::tool {

// From now on the signals stop `runtime`; nullptr: nothing is stopped any more.
void stop_on_signals(Runtime* runtime);
bool interrupted();

}  // namespace stoq::tool
