// The subcommands. Each adds itself to the program's command line and runs when it was chosen;
// failures are thrown (exit_code.h).
#pragma once

namespace CLI {
class App;
}

namespace stoq::tool {

void add_keygen(CLI::App& program);
void add_serve(CLI::App& program);
void add_get(CLI::App& program);
void add_put(CLI::App& program);
void add_perf(CLI::App& program);
void add_doctor(CLI::App& program);

}  // namespace stoq::tool
