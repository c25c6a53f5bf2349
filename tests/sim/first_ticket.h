// The connection before: what a client resumes.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/simulation.h"

namespace stoq::sim {

// The ticket of a connection between both endpoints that is begun and forgotten before the
// simulation starts, over a path without delay. Empty when none came.
std::vector<std::uint8_t> first_ticket(Host& client, Host& server, const ClientConfig& config);

}  // namespace stoq::sim
