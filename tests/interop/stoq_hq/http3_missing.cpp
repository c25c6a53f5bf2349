#include <cstdio>

#include "session.h"

namespace stoq_hq {

int run_http3(const Options&) {
    std::fprintf(stderr, "unsupported: built without nghttp3 (package libnghttp3-dev)\n");
    return kUnsupported;
}

}  // namespace stoq_hq
