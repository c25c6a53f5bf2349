// Files that are on their way: they have a name of their own, and a lock, until they are whole.
#pragma once

#include <string>

namespace stoq::tool {

// Whether the name leads to the open file. One that was opened by name and then locked may have
// been completed or removed in between. `directory` as for openat(), also below.
bool is_named(int descriptor, int directory, const std::string& name);

// Gives a part its final name; a file that has it is replaced only with `overwrite`, otherwise the
// error is EEXIST. Returns errno, 0 when it worked.
int give_name(int directory, const std::string& part, const std::string& name, bool overwrite);

}  // namespace stoq::tool
