// What this machine allows without a protocol, as one line of JSON.  race_ceiling SECONDS
#include "end_to_end/ceiling.h"

#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
    const int seconds = argc > 1 ? std::atoi(argv[1]) : 1;
    const auto ceiling = stoq::bench::measure_ceiling(std::chrono::seconds(std::max(1, seconds)));
    std::printf("{\"u_gbps\": %.3f, \"a_gbps\": %.3f, \"c_gbps\": %.3f}\n", ceiling.udp_gbps,
                ceiling.aead_gbps, ceiling.gbps());
    return 0;
}
