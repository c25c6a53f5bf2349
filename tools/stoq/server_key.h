// The key of a server that outlives its process (EndpointSettings::persistent_key), in a file.
#pragma once

#include <string>

#include "stoq/settings.h"

namespace stoq::tool {

// Reads the 32 bytes of the file; makes it, with random ones, when there is none. Processes that do
// so at the same time get the same key. Throws Failure, also when others than the owner of the file
// may read it.
PersistentKey server_key(const std::string& file);

}  // namespace stoq::tool
