// How a client and a server use a path, on the command line.
#pragma once

#include <cstdint>
#include <string>

#include "stoq/settings.h"

namespace CLI {
class App;
}

namespace stoq::tool {

struct PathOptions {
    std::string congestion = "cubic";
    std::uint16_t max_datagram = Settings{}.max_datagram_size;
};
void add_path_options(CLI::App& command, PathOptions& options);

void apply(const PathOptions& options, Settings& settings);

}  // namespace stoq::tool
