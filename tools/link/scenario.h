// The command line: which scenario, between which namespaces.
#pragma once

#include <string>
#include <vector>

#include "settings.h"
#include "stoq/types.h"

namespace stoq::link {

struct Options {
    std::string client_namespace;
    std::string server_namespace;
    std::string device = "link0";
    std::string captures;  // a directory; empty: none
    Duration longest = std::chrono::minutes(10);
    LinkSettings link;
};

// Arguments without the program's name. The scenarios and their options are spelled as in the QUIC
// interoperability runner, "drop-rate --delay=15ms --bandwidth=10Mbps --queue=25 ...". Throws
// CLI::ParseError, also for --help; `help` then holds the text to print.
Options parse_options(const std::vector<std::string>& arguments, std::string& help);

}  // namespace stoq::link
