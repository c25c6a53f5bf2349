// SSLKEYLOGFILE: the secrets of every connection, for Wireshark and its like.
#pragma once

#include <functional>
#include <string_view>

namespace stoq::tool {

// Appends lines to the file that the environment variable names, and says so on stderr. Empty when
// the variable is not set. Throws Failure (kLocalFile) when the file cannot be opened.
std::function<void(std::string_view)> key_log_from_environment();

}  // namespace stoq::tool
